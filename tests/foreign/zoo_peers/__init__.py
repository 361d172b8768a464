"""Three methods written against the contract alone: landmarks with gradients, sound or video, words and a label."""

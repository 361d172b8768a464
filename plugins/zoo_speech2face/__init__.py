"""Speech2Face: a GAN of windows of face shape and sound, in-painted (Bunker 2017)."""

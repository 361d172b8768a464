"""The autoencoder of mouth pictures, whose encoder measures perceptual distance once it is fixed (Sec. 4.1)."""

"""Settings of the mouth autoencoder per data set."""

"""Settings of LipGAN on NewDataset."""

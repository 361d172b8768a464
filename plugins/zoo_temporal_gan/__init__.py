"""Temporal GAN: a whole face from one still and raw sound, frame by frame (Vougioukas et al., CVPR Workshops 2019)."""

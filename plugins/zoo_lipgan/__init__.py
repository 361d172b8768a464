"""LipGAN: one frame from a masked face, a reference face and 350 ms of sound (KR et al., ACM Multimedia 2019)."""

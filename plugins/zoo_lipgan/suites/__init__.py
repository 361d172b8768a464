"""Suites of LipGAN."""

"""Clips, sound and pictures: reading and writing files, and the one rule that maps frames to samples."""

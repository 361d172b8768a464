"""Generating: the one caller of ``generate()``."""

"""Weights that come with Speech2Face: `default`, of the GRID clips, for anybody's photograph."""

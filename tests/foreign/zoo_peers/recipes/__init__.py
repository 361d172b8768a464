"""Recipes of the three."""

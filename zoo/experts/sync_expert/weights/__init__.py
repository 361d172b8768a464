"""Trained weights that come with the zoo, each with what made them."""

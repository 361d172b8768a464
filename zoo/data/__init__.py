"""Sources of clips, the store that keeps them, and the data module that feeds every method."""

"""Settings for each data set."""

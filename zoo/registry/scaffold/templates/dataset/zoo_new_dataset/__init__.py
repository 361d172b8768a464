"""NewDataset, a data set for the talking-face zoo."""

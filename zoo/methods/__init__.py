"""The contract of methods, the training that they share, their losses and their blocks."""

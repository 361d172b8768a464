"""Fitting: runs, callbacks, loggers, resuming."""

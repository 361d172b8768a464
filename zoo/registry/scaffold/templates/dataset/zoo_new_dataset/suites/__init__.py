"""Benchmarks on NewDataset, a YAML file each."""

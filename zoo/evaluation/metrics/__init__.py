"""Measures of the field, one file each: a pure function beside a torchmetrics Metric."""

"""Suites of At a Glance."""

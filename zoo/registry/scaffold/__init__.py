"""Packages of third parties: writing a new one, listing those that are installed."""

"""Formatters of the core's batches, with a module for each format."""

"""Names that code for `datasets` imports from its `utils`."""

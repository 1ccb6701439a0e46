"""From what a user names to files: patterns, splits, formats."""

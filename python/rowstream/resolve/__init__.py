"""From what a user names to data files: patterns, splits and formats."""

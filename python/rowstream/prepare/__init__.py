"""Map-style tables of files: read where they are, or written once to the cache."""

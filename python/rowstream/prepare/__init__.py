"""Map-style tables of files: read where they lie, or made once in the cache."""

"""The core's batches as rows and columns of a format: a module for each."""

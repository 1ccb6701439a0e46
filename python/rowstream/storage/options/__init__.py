"""Options of sources, under the names of fsspec and its file systems."""

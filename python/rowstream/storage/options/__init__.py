"""Settings of sources, as fsspec and its file systems name them."""

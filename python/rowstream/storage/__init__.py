"""Files of any source: local, HTTP, object stores, the Hub, and others through fsspec."""

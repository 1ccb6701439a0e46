"""Files of any source: this machine, HTTP, buckets, the Hub, and what fsspec reads."""

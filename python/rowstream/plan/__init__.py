"""The plan of a stream, as plain data: what is read, in which order, through which steps."""

"""Formats that are read in Python: folders of media, and those that a library of their own reads.

One file a format. To add one: write a reader (`base.Reader`) in a file of its own, and name it in
`registry.READERS` and its file endings in `resolve/formats.py`.
"""

"""Rows to files and services."""

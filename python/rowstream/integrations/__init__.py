"""Adapters of other libraries."""

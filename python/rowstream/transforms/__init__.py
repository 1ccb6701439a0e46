"""Functions over tables: map, filter, split."""

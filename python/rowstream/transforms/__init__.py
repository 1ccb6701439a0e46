"""Transforms of map-style datasets: map, filter, split."""

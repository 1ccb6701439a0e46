"""What trainers really do, end to end, beside how it is done today. Each writes benches/results/recipes-*.json."""

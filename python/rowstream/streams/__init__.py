"""Plans at work: rows, steps, states."""

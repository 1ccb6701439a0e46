"""The execution of plans: rows, steps and states."""

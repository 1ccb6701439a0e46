"""The plan: what is read, in which order, through which steps. Data only."""

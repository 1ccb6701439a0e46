"""Each workload beside the peers, in one run: the same rows, as ratios of CPU and wall time.

`python -m benches.vs_peers [workload …] [--repeat 5]` makes the data once, runs every side in processes of its own,
turn by turn, checks by hash that all delivered the same rows, prints a table and writes `benches/results`.
"""

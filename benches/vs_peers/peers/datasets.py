"""`datasets`, streaming."""

from datasets import load_dataset

from benches.vs_peers.streaming import Streaming

PEER = Streaming(load_dataset)

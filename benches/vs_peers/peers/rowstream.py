"""This library."""

from rowstream import load_dataset

from benches.vs_peers.streaming import Streaming

PEER = Streaming(load_dataset)

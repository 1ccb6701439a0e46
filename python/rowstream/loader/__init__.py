"""`DataLoader`: batches of tensors, made in the process that trains; and loaders for MLX."""

from rowstream.loader.loader import DataLoader
from rowstream.loader.memory import MemoryConfig, UnifiedMemoryManager
from rowstream.loader.mlx import MLXDataLoader, MLXLoaderConfig
from rowstream.loader.pipeline import StreamingConfig, StreamingPipeline

__all__ = [
    "DataLoader",
    "MLXDataLoader",
    "MLXLoaderConfig",
    "MemoryConfig",
    "StreamingConfig",
    "StreamingPipeline",
    "UnifiedMemoryManager",
]

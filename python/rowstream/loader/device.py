"""Batches on a device: copied ahead, beside the steps that run there."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def can_pin() -> bool:
    """Return whether torch has page-locked memory, and warn if not, as its own loader does."""
    import torch

    if torch.cuda.is_available():
        return True
    warnings.warn(
        "DataLoader: pin_memory=True has no effect: torch finds no CUDA device", stacklevel=3
    )
    return False


def pinned(batch: Any) -> Any:
    """Return a batch with its tensors in page-locked memory."""
    return _mapped(batch, lambda tensor: tensor.pin_memory(), "pin_memory")


class ToDevice:
    """Copies of batches to a device of torch, or of JAX.

    On CUDA the copies are made on a stream of their own from page-locked memory, so that they run
    beside the work of the step; `arrived` makes the step's stream wait for them.

    Args:
        device: What torch or JAX take for a device.
        format: `"torch"` or `"jax"`.

    Raises:
        InvalidArgumentError: There is no such device, or it is for another format.
    """

    def __init__(self, device: Any, format: str) -> None:
        self._side: Any = None
        if format == "jax":
            import jax

            found = jax.devices(device)[0] if isinstance(device, str) else device
            self._copy: Callable[[Any], Any] = lambda batch: jax.device_put(batch, found)
            return
        if format != "torch":
            raise InvalidArgumentError(
                f"DataLoader: device is for format='torch' and 'jax', not {format!r}"
            )
        import torch

        try:
            self._device = torch.device(device)
            if self._device.type == "cuda":
                self._side = torch.cuda.Stream(self._device)
        except (RuntimeError, AssertionError) as error:
            why = (
                str(error) if torch.cuda.is_available() else f"{error} (torch finds no CUDA device)"
            )
            raise InvalidArgumentError(f"DataLoader: device={device!r}: {why}") from error
        self._copy = lambda batch: _mapped(
            batch, lambda tensor: tensor.to(self._device, non_blocking=True), "to"
        )

    def sent(self, batch: Any) -> tuple[Any, Any]:
        """Begin to copy a batch; return it on the device, and the event that it is there."""
        torch = sys.modules.get("torch")
        if torch is None or not torch.is_inference_mode_enabled():
            return self._sent(batch)
        # Of one kind, whichever thread copies it, and in whichever mode the loop is.
        with torch.inference_mode(mode=False):
            return self._sent(batch)

    def _sent(self, batch: Any) -> tuple[Any, Any]:
        if self._side is None:
            return self._copy(batch), None
        import torch

        with torch.cuda.stream(self._side):
            copied = self._copy(pinned(batch))
            event = torch.cuda.Event()
            event.record(self._side)
        return copied, event

    def arrived(self, batch: Any, event: Any) -> Any:
        """Return a batch that the work which is given to the device from now on may use."""
        if event is not None:
            import torch

            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(event)
            # Its memory is not to be reused before that work is done.
            _mapped(batch, lambda tensor: tensor.record_stream(stream), "record_stream")
        return batch


def _mapped(batch: Any, call: Callable[[Any], Any], method: str) -> Any:
    """Return a batch with a function called on each tensor: on what has the method."""
    if isinstance(batch, dict):
        return {name: _mapped(value, call, method) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_mapped(value, call, method) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(_mapped(value, call, method) for value in batch)
    return call(batch) if hasattr(batch, method) else batch

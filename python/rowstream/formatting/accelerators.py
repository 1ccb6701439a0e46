"""Formatters for JAX, TensorFlow and MLX."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.arrow.numpy import default_type, is_text
from rowstream.formatting.tensors import TensorFormatter, alike


class JaxFormatter(TensorFormatter):
    """The formatter that returns dicts of JAX arrays."""

    name = "jax"

    def __init__(
        self, features: Any = None, device: Any = None, token_per_repo_id: Any = None, **kwargs: Any
    ) -> None:
        try:
            import jax
        except ImportError as error:
            raise ValueError(
                "JAX needs to be installed to be able to return JAX arrays."
            ) from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.jax = jax
        named = {str(one): one for one in jax.devices()}
        if device is not None and not isinstance(device, str):
            raise ValueError(
                f"device= expects the name of a device, such as {next(iter(named))!r}, since a"
                " device itself cannot be pickled"
            )
        self.device = device if device is not None else str(jax.devices()[0])

    def own(self, value: Any) -> bool:
        return isinstance(value, self.jax.Array)

    def stack(self, column: list[Any]) -> Any:
        return self.jax.numpy.stack(column, axis=0) if alike(column, self.jax.Array) else column

    def leaf(self, value: Any) -> Any:
        if not isinstance(value, (np.number, np.ndarray)) or value.dtype.kind not in "iuf":
            return self._placed(value, {})
        wanted = default_type(value.dtype, value)
        if wanted.kind != "f" and not self.jax.config.jax_enable_x64:
            wanted = np.dtype(np.int32)
            limits = np.iinfo(wanted)
            if (
                np.size(value)
                and not self.kwargs
                and (np.max(value) > limits.max or np.min(value) < limits.min)
            ):
                raise OverflowError(
                    f"integers up to {max(int(np.max(value)), -int(np.min(value)))} do not fit in"
                    " the 32 bits that JAX has for them: allow 64 with"
                    ' jax.config.update("jax_enable_x64", True), or ask for floating-point numbers'
                    " with dtype="
                )
        return self._placed(value, {"dtype": wanted})

    def pixels(self, array: Any) -> Any:
        return self._placed(array, {})

    def _placed(self, value: Any, options: dict[str, Any]) -> Any:
        """Return a value as an array on the chosen device."""
        devices = {str(one): one for one in self.jax.devices()}
        with self.jax.default_device(devices.get(self.device, self.jax.devices()[0])):
            return self.jax.numpy.array(value, **options | self.kwargs)


class TFFormatter(TensorFormatter):
    """The formatter that returns dicts of TensorFlow tensors, ragged if lengths differ."""

    name = "tensorflow"

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ValueError(
                "Tensorflow needs to be installed to be able to return Tensorflow tensors."
            ) from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.tf = tf

    def own(self, value: Any) -> bool:
        return isinstance(value, self.tf.Tensor)

    def stack(self, column: list[Any]) -> Any:
        tf = self.tf
        if alike(column, tf.Tensor):
            return tf.stack(column)
        ragged = bool(column) and all(
            isinstance(one, (tf.Tensor, tf.RaggedTensor)) and one.dtype == column[0].dtype
            for one in column
        )
        return (
            tf.ragged.stack(column) if ragged and all(one.ndim == 1 for one in column) else column
        )

    def leaf(self, value: Any) -> Any:
        options = self.kwargs
        if isinstance(value, (np.number, np.ndarray)) and value.dtype.kind in "iuf":
            options = {"dtype": default_type(value.dtype, value).name, **options}
        return self.tf.convert_to_tensor(value, **options)

    def stays(self, value: Any) -> bool:
        return not is_text(value) and super().stays(value)

    def pixels(self, array: Any) -> Any:
        return self.tf.convert_to_tensor(array, **self.kwargs)


class MlxFormatter(TensorFormatter):
    """The formatter that returns dicts of MLX arrays."""

    name = "mlx"

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import mlx.core as mx
        except ImportError as error:
            raise ValueError(
                "MLX needs to be installed to be able to return MLX arrays."
            ) from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.mx = mx

    def own(self, value: Any) -> bool:
        return isinstance(value, self.mx.array)

    def stack(self, column: list[Any]) -> Any:
        return self.mx.stack(column) if alike(column, self.mx.array) else column

    def leaf(self, value: Any) -> Any:
        return self.mx.array(value, **self.kwargs)

    def pixels(self, array: Any) -> Any:
        return self.mx.array(array, **self.kwargs)

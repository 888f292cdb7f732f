# SPDX-License-Identifier: Apache-2.0
"""Transforms of samples, on NumPy arrays: for Dataset.transform_first. Each is a small object that workers can be sent."""
from __future__ import annotations

from typing import Any, Callable, Sequence, Union

import numpy as np


class Compose:
    """Several functions one after the other."""

    def __init__(self, *functions: Callable[[Any], Any]) -> None:
        self.functions = functions

    def __call__(self, x: Any) -> Any:
        for function in self.functions:
            x = function(x)
        return x


class ToTensor:
    """An image (height, width, channels) or (height, width) of 8 bits as float32 (channels, height, width) in [0, 1]."""

    def __call__(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        if x.ndim not in (2, 3):
            raise ValueError(f"ToTensor: expected an image of 2 or 3 axes, given shape {x.shape}")
        x = x[None] if x.ndim == 2 else np.moveaxis(x, -1, 0)
        return np.ascontiguousarray(x, np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)


class Normalize:
    """(x - mean) / deviation, by channel: the first axis."""

    def __init__(self, mean: Union[float, Sequence[float]] = 0.0, deviation: Union[float, Sequence[float]] = 1.0) -> None:
        self.mean, self.deviation = np.asarray(mean, np.float32), np.asarray(deviation, np.float32)
        if not (self.deviation > 0).all():
            raise ValueError(f"Normalize: expected deviations above 0, given {deviation}")

    def __call__(self, x: Any) -> np.ndarray:
        x = np.asarray(x, np.float32)
        by_channel = (slice(None),) + (None,) * (x.ndim - 1)
        mean, deviation = (v[by_channel] if v.ndim else v for v in (self.mean, self.deviation))
        return (x - mean) / deviation


class RandomFlip:
    """Mirrors an image (channels, height, width) left to right, by chance."""

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def __call__(self, x: Any) -> np.ndarray:
        return np.asarray(x)[..., ::-1] if np.random.random() < self.probability else np.asarray(x)


class RandomShift:
    """Moves an image (channels, height, width) by up to so many pixels in each direction, by chance; zeros come in."""

    def __init__(self, pixels: int = 2) -> None:
        self.pixels = int(pixels)

    def __call__(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        p = self.pixels
        wide = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p), (p, p)])
        top, left = np.random.randint(0, 2 * p + 1, 2)
        return wide[..., top:top + x.shape[-2], left:left + x.shape[-1]]

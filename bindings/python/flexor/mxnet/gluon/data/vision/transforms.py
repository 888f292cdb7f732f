# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.data.vision.transforms: what is done to an image (height, width, channels)."""
import random

import numpy as np

from .... import ndarray
from ....ndarray import array
from ...block import Block
from ...hybrid import HybridBlock
from ...nn import HybridSequential, Sequential


class Compose(Sequential):
    """Transforms one after the other."""

    def __init__(self, transforms):
        super().__init__()
        self.add(*transforms)


class Cast(HybridBlock):
    def __init__(self, dtype="float32"):
        super().__init__()
        self._dtype = dtype

    def hybrid_forward(self, F, x):
        return F.cast(x, dtype=np.dtype(self._dtype).name)


class ToTensor(HybridBlock):
    """uint8 (height, width, channels) to float32 (channels, height, width) in [0, 1]; batches too."""

    def hybrid_forward(self, F, x):
        x = F.cast(x, dtype="float32") / 255
        return F.transpose(x, axes=(2, 0, 1) if getattr(x, "ndim", 3) == 3 else (0, 3, 1, 2))


class Normalize(HybridBlock):
    """(x - mean) / std for each channel of (channels, height, width)."""

    def __init__(self, mean=0.0, std=1.0):
        super().__init__()
        self._mean, self._std = (np.asarray(v, "float32").reshape(-1, 1, 1) for v in (mean, std))

    def forward(self, x):
        return (x - array(self._mean, x.context)) / array(self._std, x.context)


class CenterCrop(Block):
    def __init__(self, size, interpolation=1):
        super().__init__()
        self._size = (size, size) if isinstance(size, int) else tuple(size)

    def forward(self, x):
        w, h = self._size
        if x.shape[-3] < h or x.shape[-2] < w:
            raise NotImplementedError("CenterCrop of %s out of an image of %s: images are not enlarged" % (self._size, x.shape))
        top, left = (x.shape[-3] - h) // 2, (x.shape[-2] - w) // 2
        return ndarray.slice_axis(ndarray.slice_axis(x, -3, top, top + h), -2, left, left + w)


class _Flip(Block):
    _axis = -2

    def __init__(self, p=0.5):
        super().__init__()
        self._p = p

    def forward(self, x):
        return ndarray.flip(x, axis=x.ndim + self._axis) if random.random() < self._p else x


class RandomFlipLeftRight(_Flip):
    pass


class RandomFlipTopBottom(_Flip):
    _axis = -3


class RandomApply(Block):
    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, x):
        return self.transforms(x) if random.random() < self.p else x


__all__ = ["Cast", "CenterCrop", "Compose", "HybridSequential", "Normalize", "RandomApply", "RandomFlipLeftRight", "RandomFlipTopBottom", "Sequential", "ToTensor"]

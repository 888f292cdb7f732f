# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.data.vision: datasets of images from files on this machine, and transforms. Nothing is downloaded."""
import gzip
import os

import numpy as np

from ....ndarray import array
from ..dataset import Dataset
from . import transforms

__all__ = ["FashionMNIST", "MNIST", "transforms"]


def _idx(path):
    """An IDX file, compressed or not."""
    for name in (path, path[:-3] if path.endswith(".gz") else path + ".gz"):
        if os.path.exists(name):
            with (gzip.open if name.endswith(".gz") else open)(name, "rb") as f:
                head = f.read(4)
                shape = tuple(np.frombuffer(f.read(4 * head[3]), ">i4"))
                return np.frombuffer(f.read(), np.uint8).reshape(shape)
    raise OSError("%s is not there. Files are not downloaded; put MNIST's files there" % path)


class MNIST(Dataset):
    """MNIST's images (28, 28, 1) of uint8 and labels, from its IDX files in `root`."""

    def __init__(self, root=os.path.join("~", ".mxnet", "datasets", "mnist"), train=True, transform=None):
        root = os.path.expanduser(root)
        part = "train" if train else "t10k"
        if not train and not any(os.path.exists(os.path.join(root, "t10k-labels-idx1-ubyte" + e)) for e in ("", ".gz")):
            part = "test"
        self._data = array(_idx(os.path.join(root, part + "-images-idx3-ubyte.gz"))[..., None], dtype=np.uint8)
        self._label = _idx(os.path.join(root, part + "-labels-idx1-ubyte.gz")).astype(np.int32)
        self._transform = transform

    def __len__(self):
        return len(self._label)

    def __getitem__(self, idx):
        if self._transform is not None:
            return self._transform(self._data[idx], self._label[idx])
        return self._data[idx], self._label[idx]


class FashionMNIST(MNIST):
    def __init__(self, root=os.path.join("~", ".mxnet", "datasets", "fashion-mnist"), train=True, transform=None):
        super().__init__(root, train, transform)

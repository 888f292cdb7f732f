# SPDX-License-Identifier: Apache-2.0
"""Data: datasets, loaders with worker processes, and the core's own sources of batches (CSV, MNIST's files, arrays).

    for x, y in flexor.data.DataLoader(images, labels, batch_size=64, shuffle=True, seed=1):
        ...
"""
from .._generated import iters as _made
from .._generated.iters import *  # noqa: F401,F403
from .dataset import ArrayDataset, Dataset, split
from .iters import ArrayIter, BatchIter
from .loader import DataLoader
from .record import RecordFile
from . import transforms

__all__ = [*_made.__all__, "ArrayDataset", "ArrayIter", "BatchIter", "DataLoader", "Dataset", "RecordFile", "split", "transforms"]

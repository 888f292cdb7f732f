# SPDX-License-Identifier: Apache-2.0
"""Small data sets that come with the package, as NumPy arrays: `x, y = flexor.datasets.iris()`."""
import gzip
import os
from typing import Tuple

import numpy as np

__all__ = ["digits", "digits_folder", "iris"]
_FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")


def iris() -> Tuple[np.ndarray, np.ndarray]:
    """Fisher's iris flowers: 150 of three species, 50 each.

    Returns (x, y): x is float32 (150, 4), sepal length, sepal width, petal length, petal width in cm; y the names setosa, versicolor, virginica."""
    with open(os.path.join(_FILES, "iris.csv"), encoding="ascii") as file:
        rows = [line.strip().split(",") for line in file if line.strip() and not line.startswith("#")]
    return np.array([r[:4] for r in rows], np.float32), np.array([r[4] for r in rows])


def digits_folder() -> str:
    """The folder with the four files of `digits` in MNIST's format, compressed: for flexor.data.MNISTIter."""
    return os.path.join(_FILES, "digits")


def digits(flat: bool = False) -> Tuple[np.ndarray, np.ndarray]:
    """10,000 scans of handwritten digits, a part of MNIST: the first 8,000 are meant for training, the last 2,000 for testing.

    Returns (images, labels): images are float32 (10000, 1, 28, 28) in [0, 1), 0 is paper; with flat=True (10000, 784). Labels are ints from 0 to 9."""
    parts = [(_idx(f"{part}-images-idx3-ubyte.gz", 16), _idx(f"{part}-labels-idx1-ubyte.gz", 8)) for part in ("train", "test")]
    labels = np.concatenate([y for _, y in parts]).astype(np.int64)
    # The factor is MNISTIter's, so that both give the same bits.
    images = np.concatenate([x for x, _ in parts]).astype(np.float32) * np.float32(1 / 256)
    return images.reshape((len(labels), -1) if flat else (len(labels), 1, 28, 28)), labels


def _idx(name: str, header: int) -> np.ndarray:
    with gzip.open(os.path.join(digits_folder(), name)) as file:
        return np.frombuffer(file.read(), np.uint8)[header:]

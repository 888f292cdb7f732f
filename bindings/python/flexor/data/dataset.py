# SPDX-License-Identifier: Apache-2.0
"""Datasets: anything with `len` and `[i]` is one; these classes add transforms and arrays. Nothing here needs the core, so workers stay light."""
from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Tuple, Union

import numpy as np


class Dataset:
    """The base of datasets: write `__len__` and `__getitem__(i)`, which gives a sample: an array or number, or a tuple of some."""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no `__len__`")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `__getitem__`")

    def transform(self, function: Callable[..., Any]) -> "Dataset":
        """A dataset whose samples are `function(*sample)`."""
        return _Transformed(self, function, False)

    def transform_first(self, function: Callable[[Any], Any]) -> "Dataset":
        """A dataset whose samples have `function` of their first part, such as the image; the rest stays."""
        return _Transformed(self, function, True)

    def take(self, indices: Union[int, Sequence[int]]) -> "Dataset":
        """The samples of these indices, or the first so many."""
        return _Part(self, range(min(indices, len(self))) if isinstance(indices, int) else [int(i) for i in indices])


class ArrayDataset(Dataset):
    """Samples that are rows of arrays of equal length: (x[i], y[i])."""

    def __init__(self, *arrays: Any) -> None:
        if not arrays:
            raise ValueError("ArrayDataset: expected arrays, given none")
        self.arrays: Tuple[Any, ...] = tuple(a if hasattr(a, "__getitem__") and hasattr(a, "__len__") else np.asarray(a) for a in arrays)
        lengths = {len(a) for a in self.arrays}
        if len(lengths) > 1:
            raise ValueError(f"ArrayDataset: expected arrays of equal length, given {', '.join(str(len(a)) for a in self.arrays)}")

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> Any:
        row = tuple(a[index] for a in self.arrays)
        return row[0] if len(row) == 1 else row


class _Transformed(Dataset):
    def __init__(self, dataset: Any, function: Callable[..., Any], first: bool) -> None:
        self.dataset, self.function, self.first = dataset, function, first

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        sample = self.dataset[index]
        if not isinstance(sample, tuple):
            return self.function(sample)
        return (self.function(sample[0]), *sample[1:]) if self.first else self.function(*sample)


class _Part(Dataset):
    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[self.indices[index]]


def split(n: Any, *fractions: Union[float, int], seed: int = 0, stratify: Optional[Any] = None) -> Tuple[np.ndarray, ...]:
    """Indices that split `n` samples by chance: `train, test = flexor.split(len(y), 0.7, seed=1)`.

    Parameters
    ----------
    n : int or anything with a length
    *fractions : float in (0, 1) or int
        The size of each part, as a share or a number; what remains is the last part.
    seed : int
    stratify : array of n labels, optional
        Each part gets every label by its share, as near as whole numbers allow.

    Returns a tuple of int64 arrays, one more than there are fractions, which have every index from 0 to n - 1 once."""
    n = int(n) if isinstance(n, (int, np.integer)) else len(n)
    fractions = fractions or (0.8,)
    random = np.random.Generator(np.random.PCG64(seed))
    sizes = [round(p * n) if isinstance(p, float) else int(p) for p in fractions]
    if any(s < 0 for s in sizes) or any(isinstance(p, float) and not 0 < p < 1 for p in fractions) or sum(sizes) > n:
        raise ValueError(f"split: expected shares between 0 and 1 (or numbers) that sum to no more than all of {n}, given {', '.join(map(str, fractions))}")
    order = random.permutation(n)
    if stratify is not None:
        labels = np.asarray(stratify)
        if labels.shape != (n,):
            raise ValueError(f"split: expected {n} labels to stratify by, given shape {labels.shape}")
        # Each label's samples are spread evenly over the order, so that any stretch of it has them all by their shares.
        place = np.empty(n)
        for label in np.unique(labels):
            mine = order[labels[order] == label]
            place[mine] = (np.arange(len(mine)) + random.random()) / len(mine)
        order = np.argsort(place, kind="stable")
    return tuple(np.split(order, np.cumsum(sizes)))

# SPDX-License-Identifier: Apache-2.0
"""Datasets: what has a length and samples by index."""
import os

from ... import recordio


class Dataset:
    """__len__ and __getitem__ are a dataset's own; the rest makes new datasets of it."""

    def __getitem__(self, idx):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def filter(self, fn):
        return SimpleDataset([self[i] for i in range(len(self)) if fn(self[i])])

    def shard(self, num_shards, index):
        """Part `index` of `num_shards` parts that differ in length by one at most."""
        if not 0 <= index < num_shards:
            raise ValueError("part %d of %d" % (index, num_shards))
        size, rest = divmod(len(self), num_shards)
        start = size * index + min(index, rest)
        return _Part(self, range(start, start + size + (index < rest)))

    def take(self, count):
        return _Part(self, range(len(self) if count is None else min(count, len(self))))

    def sample(self, sampler):
        return _Part(self, list(sampler))

    def transform(self, fn, lazy=True):
        """A dataset of fn(*sample); with lazy=False computed at once."""
        made = _Transformed(self, fn)
        return made if lazy else SimpleDataset([made[i] for i in range(len(made))])

    def transform_first(self, fn, lazy=True):
        """fn works on the first part of each sample."""
        return self.transform(_First(fn), lazy)


class _First:
    def __init__(self, fn):
        self._fn = fn

    def __call__(self, x, *args):
        return (self._fn(x),) + args if args else self._fn(x)


class _Transformed(Dataset):
    def __init__(self, data, fn):
        self._data, self._fn = data, fn

    def __len__(self):
        return len(self._data)

    def __getitem__(self, idx):
        item = self._data[idx]
        return self._fn(*item) if isinstance(item, tuple) else self._fn(item)


class _Part(Dataset):
    def __init__(self, data, indices):
        self._data, self._indices = data, indices

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, idx):
        return self._data[self._indices[idx]]


class SimpleDataset(Dataset):
    """A list, or anything with a length and indices."""

    def __init__(self, data):
        self._data = data

    def __len__(self):
        return len(self._data)

    def __getitem__(self, idx):
        return self._data[idx]


class ArrayDataset(Dataset):
    """Arrays and lists of one length; a sample is a tuple of one element of each."""

    def __init__(self, *args):
        if not args:
            raise ValueError("ArrayDataset needs an array")
        self._length = len(args[0])
        for i, a in enumerate(args):
            if len(a) != self._length:
                raise ValueError("the arrays must have one length: the first has %d, number %d has %d" % (self._length, i, len(a)))
        # numbers are read fast out of NumPy's arrays
        self._data = [a.asnumpy() if hasattr(a, "asnumpy") and len(a.shape) == 1 else a for a in args]

    def __len__(self):
        return self._length

    def __getitem__(self, idx):
        return self._data[0][idx] if len(self._data) == 1 else tuple(d[idx] for d in self._data)


class RecordFileDataset(Dataset):
    """The records of a RecordIO file that has an index beside it (.idx)."""

    def __init__(self, filename):
        self.filename, self.idx_file = filename, os.path.splitext(filename)[0] + ".idx"
        self._record = recordio.MXIndexedRecordIO(self.idx_file, filename, "r")

    def __len__(self):
        return len(self._record.keys)

    def __getitem__(self, idx):
        return self._record.read_idx(self._record.keys[idx])

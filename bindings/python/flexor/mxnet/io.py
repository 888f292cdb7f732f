# SPDX-License-Identifier: Apache-2.0
"""mx.io: sources of batches for modules."""
from collections import OrderedDict, namedtuple

import numpy as np

from .base import entries, f, missing, texts
from .ndarray import NDArray, array
from .ndarray.ndarray import own


class DataDesc(namedtuple("DataDesc", ["name", "shape"])):
    """Name, shape, dtype and layout of an array in every batch."""

    def __new__(cls, name, shape, dtype=np.float32, layout="NCHW"):
        made = super().__new__(cls, name, tuple(shape))
        made.dtype, made.layout = dtype, layout
        return made

    def __repr__(self):
        return "DataDesc[%s,%s,%s,%s]" % (self.name, self.shape, self.dtype, self.layout)

    @staticmethod
    def get_batch_axis(layout):
        return 0 if layout is None else layout.find("N")

    @staticmethod
    def get_list(shapes, types):
        types = dict(types) if types is not None else {}
        return [DataDesc(n, s, types.get(n, np.float32)) for n, s in shapes]


class DataBatch:
    """Arrays of one batch; the last `pad` samples are filling."""

    def __init__(self, data, label=None, pad=None, index=None, bucket_key=None, provide_data=None, provide_label=None):
        for what, arrays in (("data", data), ("label", label)):
            if arrays is not None and not isinstance(arrays, (list, tuple)):
                raise TypeError("%s must be a list of NDArrays, given %s" % (what, type(arrays).__name__))
        self.data, self.label, self.pad, self.index, self.bucket_key = data, label, pad, index, bucket_key
        self.provide_data, self.provide_label = provide_data, provide_label

    def __str__(self):
        return "DataBatch: data shapes: %s label shapes: %s" % ([d.shape for d in self.data], [la.shape for la in self.label] if self.label else None)


class DataIter:
    """next() gives batches until StopIteration; reset() begins again."""

    def __init__(self, batch_size=0):
        self.batch_size = batch_size

    def __iter__(self):
        return self

    def reset(self):
        pass

    def next(self):
        if not self.iter_next():
            raise StopIteration
        return DataBatch(self.getdata(), self.getlabel(), self.getpad(), self.getindex())

    def __next__(self):
        return self.next()

    def iter_next(self):
        raise NotImplementedError

    def getdata(self):
        raise NotImplementedError

    def getlabel(self):
        return None

    def getindex(self):
        return None

    def getpad(self):
        return 0


def _named(data, default):
    """[(name, NumPy array)] of an array, a list or a dict."""
    if data is None:
        return []
    if isinstance(data, (np.ndarray, NDArray)):
        data = [data]
    if isinstance(data, (list, tuple)):
        data = OrderedDict([(default if len(data) == 1 else "_%d_%s" % (i, default), d) for i, d in enumerate(data)])
    if not isinstance(data, dict):
        raise TypeError("expected an array, a list or a dict of arrays, given %s" % type(data).__name__)
    found = []
    for name, d in data.items():
        dtype = d.dtype
        found.append((name, d.asnumpy() if isinstance(d, NDArray) else np.asarray(d), np.float32 if dtype == np.float64 else dtype))
    return found


class NDArrayIter(DataIter):
    """Batches of arrays in memory. The last batch: pad (begins again from the front), discard, or roll_over (waits for the next epoch)."""

    def __init__(self, data, label=None, batch_size=1, shuffle=False, last_batch_handle="pad", data_name="data", label_name="softmax_label", layout="NCHW"):
        super().__init__(batch_size)
        self.data, self.label = _named(data, data_name), _named(label, label_name)
        if not self.data:
            raise ValueError("NDArrayIter needs data")
        if last_batch_handle not in ("pad", "discard", "roll_over"):
            raise ValueError("last_batch_handle must be pad, discard or roll_over, given %r" % (last_batch_handle,))
        self.num_data = self.data[0][1].shape[0]
        for name, d, _ in self.data + self.label:
            if d.shape[0] != self.num_data:
                raise ValueError("%s has %d samples, %s has %d" % (name, d.shape[0], self.data[0][0], self.num_data))
        if batch_size > self.num_data:
            raise ValueError("batch_size %d is more than there are samples, %d" % (batch_size, self.num_data))
        self.shuffle, self.last_batch_handle, self.layout = shuffle, last_batch_handle, layout
        self.idx, self.cursor, self._left = np.arange(self.num_data), -batch_size, None
        self.num_source = len(self.data)
        self.reset()

    def _describe(self, arrays):
        return [DataDesc(n, (self.batch_size,) + d.shape[1:], t, self.layout) for n, d, t in arrays]

    @property
    def provide_data(self):
        return self._describe(self.data)

    @property
    def provide_label(self):
        return self._describe(self.label)

    def hard_reset(self):
        self._left, self.cursor = None, -self.batch_size
        if self.shuffle:
            np.random.shuffle(self.idx)

    def reset(self):
        if self.last_batch_handle == "roll_over" and self.num_data - self.batch_size < self.cursor < self.num_data:
            # what was left over stands before the next epoch
            self._left = self.idx[self.cursor:].copy()
            self.cursor = -len(self._left) - self.batch_size
        else:
            self._left, self.cursor = None, -self.batch_size
        if self.shuffle:
            np.random.shuffle(self.idx)

    def iter_next(self):
        self.cursor += self.batch_size
        if self.last_batch_handle == "pad":
            return self.cursor < self.num_data
        # an incomplete batch is left, for the next epoch or for good
        if self.cursor + self.batch_size > self.num_data:
            return False
        return True

    def _rows(self):
        begin, end = self.cursor, self.cursor + self.batch_size
        if begin < 0 and self._left is not None:
            return np.concatenate([self._left[begin:], self.idx[:end]])
        return np.concatenate([self.idx[begin:], self.idx[:end - self.num_data]]) if end > self.num_data else self.idx[begin:end]

    def _batch(self, arrays):
        rows = self._rows()
        plain = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and not self.shuffle
        return [array(d[rows[0]:rows[-1] + 1] if plain else d[rows], dtype=t) for _, d, t in arrays]

    def getdata(self):
        return self._batch(self.data)

    def getlabel(self):
        return self._batch(self.label)

    def getindex(self):
        return self._rows()

    def getpad(self):
        if self.last_batch_handle == "roll_over":
            return -self.cursor if -self.batch_size < self.cursor < 0 else 0
        return max(0, self.cursor + self.batch_size - self.num_data) if self.last_batch_handle == "pad" else 0


class _OfBatches(DataIter):
    """An iterator that makes whole batches; `current_batch` is the one it stands at."""

    def getdata(self):
        return self.current_batch.data

    def getlabel(self):
        return self.current_batch.label

    def getindex(self):
        return self.current_batch.index

    def getpad(self):
        return self.current_batch.pad


class ResizeIter(_OfBatches):
    """An iterator whose epoch has `size` batches, whatever the other one's has."""

    def __init__(self, data_iter, size, reset_internal=True):
        super().__init__(data_iter.batch_size)
        self.data_iter, self.size, self.reset_internal, self.cur, self.current_batch = data_iter, size, reset_internal, 0, None
        self.provide_data, self.provide_label = data_iter.provide_data, data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self):
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self):
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True


class PrefetchingIter(_OfBatches):
    """Several iterators as one; the library's sources prefetch by themselves."""

    def __init__(self, iters, rename_data=None, rename_label=None):
        self.iters = iters if isinstance(iters, list) else [iters]
        super().__init__(self.iters[0].provide_data[0].shape[0])
        self.rename_data, self.rename_label, self.current_batch = rename_data, rename_label, None

    def _all(self, what, names):
        found = []
        for i, it in enumerate(self.iters):
            for d in getattr(it, what):
                d = d if isinstance(d, DataDesc) else DataDesc(*d)
                found.append(DataDesc(names[i][d.name], d.shape, d.dtype) if names else d)
        return found

    @property
    def provide_data(self):
        return self._all("provide_data", self.rename_data)

    @property
    def provide_label(self):
        return self._all("provide_label", self.rename_label)

    def reset(self):
        for it in self.iters:
            it.reset()

    def iter_next(self):
        try:
            batches = [it.next() for it in self.iters]
        except StopIteration:
            return False
        self.current_batch = DataBatch([a for b in batches for a in b.data], [a for b in batches for a in (b.label or [])], batches[0].pad, batches[0].index)
        return True


class MXDataIter(DataIter):
    """An iterator of the registry: MNISTIter, CSVIter ..."""
    _name, _settings = "", ()

    def __init__(self, data_name="data", label_name="softmax_label", **kwargs):
        own_settings = {n for n, _ in self._settings}
        for unused in ("preprocess_threads", "prefetch_buffer", "ctx", "verbose"):  # MXNet's words for how, which decide nothing here
            if unused not in own_settings:
                kwargs.pop(unused, None)
        self._iter, self._names, self._first = f.flx_iter_create(self._name, texts(kwargs)), (data_name, label_name), None
        self._arrays, self._pad = None, 0
        if not self.iter_next():
            raise ValueError("%s has no data" % self._name)
        self._first = True
        super().__init__(self._arrays[0].shape[0])
        self.provide_data = [DataDesc(data_name, self._arrays[0].shape, self._arrays[0].dtype)]
        self.provide_label = [DataDesc(label_name, a.shape, a.dtype) for a in self._arrays[1:]]

    def iter_next(self):
        if self._first:
            self._first = False
            return True
        if f.flx_iter_next(self._iter, -1) != f.FLX_BATCH:
            return False
        self._arrays, self._pad = [own(a) for a in f.flx_iter_arrays(self._iter)], f.flx_iter_pad(self._iter)
        return True

    def reset(self):
        self._first = False
        f.flx_iter_reset(self._iter)

    def getdata(self):
        return self._arrays[:1]

    def getlabel(self):
        return self._arrays[1:]

    def getpad(self):
        return self._pad


for _name, _aliases, _settings, _doc in entries("iter"):
    if _name != "ArrayIter":  # NDArrayIter, above, is MXNet's for that
        globals()[_name] = type(_name, (MXDataIter,), {"_name": _name, "_settings": _settings, "__doc__": _doc, "__module__": __name__})


def __getattr__(name):
    raise missing("io", name) if not name.startswith("__") else AttributeError(name)

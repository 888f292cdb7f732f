# SPDX-License-Identifier: Apache-2.0
"""MXNet's .params files where its words say more than the library's: names keep `arg:` and `aux:`, and a list has none. The arrays are read and written by the library,
but for lists, which its sets of parameters cannot hold."""
import os
import struct

import numpy as np

from .base import f, number_of
from .ndarray.ndarray import own

_LIST, _ARRAY = 0x112, 0xF993FAC9  # first words of a file, and of a dense array in it


def load(fname):
    """The arrays of a file: a dict, or a list if they have no names."""
    fname = os.fspath(fname)
    params = f.flx_params_load(fname, None)
    names = [f.flx_params_name(params, i) for i in range(f.flx_params_count(params))]
    arrays = [own(f.flx_params_at(params, i)) for i in range(len(names))]
    with open(fname, "rb") as source:
        if source.read(8) != struct.pack("<Q", _LIST):
            return dict(zip(names, arrays))  # safetensors
        source.seek(-min(os.path.getsize(fname), 8 + sum(12 + len(n.encode()) for n in names)), os.SEEK_END)
        tail = source.read()
    if names == [str(i) for i in range(len(names))] and tail.endswith(struct.pack("<Q", 0)):
        return arrays
    return dict(zip(_full_names(names, tail), arrays))


def _full_names(names, tail):
    """The names as the file has them: they stand at its end, each behind its length, so they are read from the last to the first."""
    full, end = [], len(tail)
    for name in reversed(names):
        text = name.encode()
        for prefix in (b"", b"arg:", b"aux:"):
            whole = struct.pack("<Q", len(prefix + text)) + prefix + text
            if tail.endswith(whole, 0, end):
                full.append((prefix + text).decode())
                end -= len(whole)
                break
        else:
            return names  # a file with arrays that were never made: the library leaves those out
    return full[::-1]


def save(fname, data):
    """Writes a list or a dict of arrays."""
    if isinstance(data, dict):
        params = f.flx_params_create()
        for k, v in data.items():
            f.flx_params_set(params, k, v)
        f.flx_params_save(params, os.fspath(fname), "mxnet", -1)
        return
    with open(fname, "wb") as out:
        out.write(struct.pack("<QQQ", _LIST, 0, len(data)))
        for a in data:
            values = np.ascontiguousarray(a.asnumpy())
            out.write(struct.pack("<IiI%dqiii" % values.ndim, _ARRAY, 0, values.ndim, *values.shape, 1, 0, number_of(values.dtype)))
            out.write(values.tobytes())
        out.write(struct.pack("<Q", 0))

# SPDX-License-Identifier: Apache-2.0
"""mx.nd: every operator by MXNet's name, made from the registry when it is asked for, and the functions that MXNet wrote in Python."""
import numpy as np

from ... import NDArray as _Native
from .. import context as _context
from ..base import f as _f
from ..base import missing as _missing
from ..base import op_names as _op_names
from ..base import texts as _texts
from .ndarray import BINARY as _BINARY
from .ndarray import NDArray, array, full
from .ndarray import binary as _binary
from .ndarray import call as _call
from .ndarray import function as _function
from .ndarray import on_device as _on_device
from .ndarray import own as _own
from .ndarray import shape_of as _shape_of

pi = np.pi


def zeros(shape, ctx=None, dtype=None, stype=None, out=None, **kwargs):
    return full(shape, 0, ctx, dtype, out)


def ones(shape, ctx=None, dtype=None, out=None, **kwargs):
    return full(shape, 1, ctx, dtype, out)


def empty(shape, ctx=None, dtype=None, stype=None):
    return full(shape, 0, ctx, dtype)


def arange(start, stop=None, step=1.0, repeat=1, infer_range=False, ctx=None, dtype="float32"):
    if stop is None and not infer_range:
        start, stop = 0, start
    return _on_device("_arange", {"start": start, "stop": stop, "step": step, "repeat": repeat, "infer_range": infer_range, "dtype": np.dtype(dtype).name}, ctx)


def linspace(start, stop, num, endpoint=True, ctx=None, dtype="float32"):
    return array(np.linspace(start, stop, num, endpoint), ctx, dtype)


def eye(N, M=0, k=0, ctx=None, dtype="float32"):
    return _on_device("_eye", {"N": N, "M": M, "k": k, "dtype": np.dtype(dtype or "float32").name}, ctx)


def moveaxis(tensor, source, destination):
    axes = list(range(tensor.ndim))
    source = [s % tensor.ndim for s in (source if isinstance(source, (tuple, list)) else (source,))]
    destination = [d % tensor.ndim for d in (destination if isinstance(destination, (tuple, list)) else (destination,))]
    order = [a for a in axes if a not in source]
    for d, s in sorted(zip(destination, source)):
        order.insert(d, s)
    return tensor.transpose(order)


def concatenate(arrays, axis=0, always_copy=True):
    return _call("Concat", list(arrays), {"dim": str(axis), "num_args": str(len(arrays))})


def split_v2(ary, indices_or_sections, axis=0, squeeze_axis=False):
    if isinstance(indices_or_sections, int):
        return _call("_split_v2", (ary,), _texts({"indices": (), "axis": axis, "squeeze_axis": squeeze_axis, "sections": indices_or_sections}))
    return _call("_split_v2", (ary,), _texts({"indices": (0,) + tuple(indices_or_sections), "axis": axis, "squeeze_axis": squeeze_axis, "sections": 0}))


def histogram(a, bins=10, range=None):
    if isinstance(bins, NDArray):
        return _call("_histogram", (a, bins), {})
    if range is None:
        range = (a.min().asscalar(), a.max().asscalar())
    return _call("_histogram", (a, array(np.linspace(range[0], range[1], bins + 1))), {})


def onehot_encode(indices, out):
    return _call("one_hot", (indices,), {"depth": str(out.shape[1])}, out)


def waitall():
    _f.flx_wait_all(-1)


def save(fname, data):
    """Writes an array, a list or a dict of arrays as MXNet's .params file."""
    from ..serialization import save as write
    write(fname, [data] if isinstance(data, _Native) else data)


def load(fname):
    """The arrays of a file: a dict, or a list if they have no names."""
    from ..serialization import load as read
    return read(fname)


def Custom(*args, **kwargs):
    """An operator of one's own: see mx.operator."""
    from ..operator import custom
    return custom(*args, **kwargs)


def load_frombuffer(buf):
    """The arrays in the bytes of a file."""
    import tempfile
    with tempfile.NamedTemporaryFile(suffix=".params") as copy:
        copy.write(buf)
        copy.flush()
        return load(copy.name)


def from_numpy(ndarray, zero_copy=True):
    return array(ndarray, dtype=ndarray.dtype)


def from_dlpack(dlpack):
    return _own(_Native.from_dlpack(dlpack)) if hasattr(_Native, "from_dlpack") else array(np.from_dlpack(dlpack))


def to_dlpack_for_read(data):
    return data.__dlpack__()


to_dlpack_for_write = to_dlpack_for_read


def _make_binary(kind):
    def run(lhs, rhs):
        return _binary(kind, lhs, rhs)
    run.__name__ = run.__qualname__ = kind
    run.__doc__ = "%s(lhs, rhs): element by element, of arrays whose shapes broadcast, or an array and a number." % kind
    return run


for _kind in _BINARY:
    globals()[_kind] = _make_binary(_kind)


def __getattr__(name):
    if name in ("random", "contrib", "linalg", "image", "op", "_internal"):
        import importlib
        return importlib.import_module("%s.%s" % (__name__, name))
    if name.startswith("__") or name not in _op_names():
        raise _missing("nd", name)
    globals()[name] = made = _function(name)
    return made


def __dir__():
    return sorted(set(globals()) | {n for n in _op_names() if not n.startswith("_")})

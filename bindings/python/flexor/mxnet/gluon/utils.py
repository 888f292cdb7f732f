# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.utils: splitting batches, clipping gradients."""
import hashlib
import math
import warnings

from .. import ndarray
from ..ndarray import NDArray, array
from .block import HookHandle
from .parameter import shape_is_known

__all__ = ["HookHandle", "check_sha1", "clip_global_norm", "shape_is_known", "split_and_load", "split_data"]


def split_data(data, num_slice, batch_axis=0, even_split=True):
    """`data` in `num_slice` parts along the batch axis."""
    size = data.shape[batch_axis]
    if even_split and size % num_slice:
        raise ValueError("a batch of %d cannot be split evenly into %d parts; even_split=False allows parts of different sizes" % (size, num_slice))
    ends = [size // num_slice * (i + 1) for i in range(num_slice)]
    ends[-1] = size
    return [data.slice_axis(batch_axis, b, e) for b, e in zip([0] + ends[:-1], ends)] if num_slice > 1 else [data]


def split_and_load(data, ctx_list, batch_axis=0, even_split=True):
    data = data if isinstance(data, NDArray) else array(data)
    return [part.as_in_context(ctx) for part, ctx in zip(split_data(data, len(ctx_list), batch_axis, even_split), ctx_list)]


def clip_global_norm(arrays, max_norm, check_isfinite=True):
    """Scales arrays in place so that all of them together are at most `max_norm` long; gives the length before."""
    total = ndarray.add_n(*[ndarray.sum(ndarray.square(a.astype("float32"))) for a in arrays])
    if check_isfinite:
        norm = math.sqrt(total.asscalar())
        if not math.isfinite(norm):
            warnings.warn(UserWarning("nan or inf is in the arrays; clipping does not mend it"), stacklevel=2)
        scale = max_norm / (norm + 1e-8)
        if scale < 1.0:
            for a in arrays:
                a *= scale
        return norm
    norm = ndarray.sqrt(total)
    scale = ndarray.minimum(max_norm / (norm + 1e-8), 1.0)
    for a in arrays:
        a *= scale.astype(a.dtype)
    return norm


def check_sha1(filename, sha1_hash):
    with open(filename, "rb") as f:
        return hashlib.sha1(f.read()).hexdigest() == sha1_hash

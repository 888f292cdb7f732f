# SPDX-License-Identifier: Apache-2.0
"""Memory shared by DLPack, both ways, and by NDArray.map."""
import ctypes
import gc
import hashlib
import io
import struct

import numpy as np
import pytest

import flexor as fx
from flexor import nd

DTYPES = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "int16", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_to_numpy_without_a_copy(dtype):
    x = nd.array(np.arange(6).reshape(2, 3), dtype=dtype)
    host = np.from_dlpack(x)
    assert host.dtype == dtype and host.tolist() == [[0, 1, 2], [3, 4, 5]]
    del x
    gc.collect()
    assert host.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_numpy_without_a_copy(dtype):
    host = np.arange(6).reshape(2, 3).astype(dtype)
    x = nd.from_dlpack(host)
    assert x.dtype == dtype and x.tolist() == host.tolist()
    host[0, 0] = 50
    assert x[0, 0].item() == 50
    del host
    gc.collect()
    assert x.tolist() == [[50, 1, 2], [3, 4, 5]]


def test_views_and_shapes():
    x = nd.arange(12).reshape(3, 4)
    for view in (x.T, x[:, 1:3], x[1], x[::2]):
        assert np.from_dlpack(view).tolist() == view.tolist()
    host = np.arange(12.0).reshape(3, 4)
    for view in (host.T, host[:, 1:3], host[::2, ::-1], host[1:1], np.array(3.0)):
        got = nd.from_dlpack(view)
        assert got.shape == view.shape and got.tolist() == view.tolist()


def test_read_only_memory_is_copied():
    host = np.arange(3.0)
    host.flags.writeable = False
    x = nd.from_dlpack(host)
    x += 1
    assert x.tolist() == [1, 2, 3] and host.tolist() == [0, 1, 2]


def test_own_arrays_go_round():
    x = nd.arange(4)
    y = nd.from_dlpack(x)
    assert y.tolist() == x.tolist()
    with pytest.raises(ValueError, match="taken"):
        c = x.__dlpack__()
        nd.from_dlpack(c)
        nd.from_dlpack(c)
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(2, 0))
    assert x.__dlpack_device__() == (1, 0)
    assert '"dltensor_versioned"' in repr(x.__dlpack__(max_version=(1, 0))) and '"dltensor"' in repr(x.__dlpack__())


def test_capsules_that_nobody_takes_and_memory_that_goes():
    gc.collect()
    fx._core.f.flx_dlpack_collect()
    before = fx.device.live_handles(), fx.device.memory()["live"]
    for _ in range(100):
        x = nd.zeros(1000)
        x.__dlpack__()
        x.__dlpack__(max_version=(1, 0))
        np.from_dlpack(x)
        nd.from_dlpack(np.zeros(1000))
    del x
    gc.collect()
    fx._core.f.flx_dlpack_collect()
    assert (fx.device.live_handles(), fx.device.memory()["live"]) == before


def test_numpy_arrays_are_let_go():
    class Held(np.ndarray):
        pass
    import weakref
    host = np.zeros(4).view(Held)
    gone = weakref.ref(host)
    x = nd.from_dlpack(host)
    del host
    gc.collect()
    assert gone() is not None or x.tolist() == [0] * 4
    del x
    assert gone() is None


def test_map():
    x = nd.arange(6).reshape(2, 3)
    with x.map() as m:
        assert m.format == "f" and m.shape == (2, 3) and m.readonly and np.asarray(m).tolist() == x.tolist()
        with pytest.raises(fx.StateError):
            x += 1
    with x.map(writable=True) as m:
        np.asarray(m)[0, 0] = 9
        with pytest.raises(fx.StateError):
            x + 1
    assert (x + 1)[0, 0].item() == 10
    m = nd.ones(3).map()
    gc.collect()
    assert m.tolist() == [1, 1, 1] and nd.zeros((0, 2)).map().shape == (0, 2) and nd.array(5).map().shape == ()
    assert nd.array([1], dtype="bfloat16").map().format == "H" and nd.array([True], dtype="bool").map().tolist() == [True]
    with pytest.raises(fx.UnsupportedError):
        x.T.map()
    del m
    before = fx.device.live_handles("mapping")
    m = x.map()
    assert fx.device.live_handles("mapping") == before + 1
    m.release()
    assert fx.device.live_handles("mapping") == before


def test_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = nd.arange(4)
    t = torch.from_dlpack(x)
    t += 1
    assert x.tolist() == [1, 2, 3, 4]
    y = nd.from_dlpack(torch.ones(3, dtype=torch.bfloat16))
    assert y.dtype == fx.bfloat16 and y.tolist() == [1, 1, 1]


def test_what_is_no_capsule():
    for bad in (5, "x", ctypes.py_object(), [1]):
        with pytest.raises((ValueError, TypeError)):
            nd.from_dlpack(bad)


def test_buffer_of_an_array_is_a_copy_that_cannot_be_written(tmp_path):
    x = nd.array([[1, 2, 3], [4, 5, 6]], dtype="float32")
    view = memoryview(x)
    x += 1  # the view holds nothing of the array's
    assert view.format == "f" and view.shape == (2, 3) and view.readonly and view.tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(TypeError, match="read-only"):
        view[0, 0] = 9
    data = x.asnumpy().tobytes()
    assert hashlib.sha256(x).digest() == hashlib.sha256(data).digest() and bytes(x) == data and struct.unpack_from("<f", x, 4) == (3.0,)
    with open(tmp_path / "elements", "wb") as file:
        file.write(x)
    assert (tmp_path / "elements").read_bytes() == data
    assert np.frombuffer(x, "float32").tolist() == [2, 3, 4, 5, 6, 7] and np.array(x).flags.writeable and not np.asarray(x).flags.writeable
    for dtype, format in (("float64", "d"), ("float16", "e"), ("uint8", "B"), ("int8", "b"), ("int32", "i"), ("int64", "l"), ("bool", "?")):
        view = memoryview(nd.array([1, 0], dtype=dtype))
        assert view.format == format and np.asarray(view).tolist() == [1, 0]
    assert memoryview(nd.array(2.5)).tolist() == 2.5 and memoryview(nd.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(BufferError, match="bfloat16"):
        memoryview(nd.array([1, 2], dtype="bfloat16"))
    assert np.asarray(nd.array([1, 2], dtype="bfloat16")).tolist() == [1, 2]  # by __array__, as float32
    with pytest.raises(TypeError):
        memoryview(fx.nn.Dense(3))
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(b"123456789012345678901234").readinto(x)

# SPDX-License-Identifier: Apache-2.0
"""NDArray beside NumPy: indexing (random keys, fixed seeds), operators, conversions, dtypes."""
import operator
import random

import numpy as np
import pytest

import flexor as fx
from flexor import nd

DTYPES = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64"]


def same(got, want):
    got = got.asnumpy() if isinstance(got, fx.NDArray) else np.asarray(got)
    want = np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_array_equal(got, want)


# ---- indexing -----------------------------------------------------------------------------------------------------------------------------

def a_slice(r, size):
    def bound():
        return r.choice([None, r.randint(-size - 2, size + 2)])
    return slice(bound(), bound(), r.choice([None, 1, 1, 2, 3, -1, -2]))


def a_key(r, shape, arrays=True):
    """A random key that NumPy takes for an array of this shape."""
    key, axis, dots = [], 0, False
    common = r.choice([(), (3,), (2, 2), (0,), (1,)])
    while axis < len(shape):
        size, what = shape[axis], r.random()
        if what < 0.1:
            key.append(None)
            continue
        if what < 0.2 and not dots:
            dots = True
            key.append(Ellipsis)
            axis += r.randint(0, len(shape) - axis)
            continue
        if what < 0.45:
            key.append(a_slice(r, size))
        elif what < 0.7 and size:
            key.append(r.randint(-size, size - 1))
        elif arrays and what < 0.85 and size:
            dims = r.choice([common, common, (1,) * len(common)])
            index = np.array([r.randint(-size, size - 1) for _ in range(int(np.prod(dims)))], dtype=np.int64).reshape(dims)
            key.append(index.tolist() if r.random() < 0.3 and index.size else index)
        elif arrays and what < 0.92:
            n = r.randint(1, min(2, len(shape) - axis))
            key.append(np.array([r.random() < 0.5 for _ in range(int(np.prod(shape[axis:axis + n])))], dtype=bool).reshape(shape[axis:axis + n]))
            axis += n - 1
        elif r.random() < 0.5:
            break
        else:
            key.append(slice(None))
        axis += 1
    return tuple(key)


def fuzz(seed, rounds, arrays):
    r = random.Random(seed)
    for _ in range(rounds):
        shape = tuple(r.choice([0, 1, 2, 3, 4, 5]) if r.random() < 0.9 else 1 for _ in range(r.randint(0, 4)))
        host = np.arange(int(np.prod(shape)), dtype=r.choice(["float32", "int64", "uint8"])).reshape(shape)
        key = a_key(r, shape, arrays)
        try:
            want = host[key]
        except IndexError:
            yield r, host, key, None
            continue
        yield r, host, key, want


@pytest.mark.parametrize("seed", range(6))
def test_reading(seed):
    count = 0
    for _, host, key, want in fuzz(seed, 200, True):
        x = nd.array(host)
        if want is None:
            with pytest.raises(IndexError):
                x[key]
            continue
        assert_key(x, key, want)
        count += 1
    assert count > 100


def assert_key(x, key, want):
    got = x[key]
    assert got.dtype == want.dtype
    try:
        same(got, want)
    except AssertionError as e:
        raise AssertionError(f"{x.shape}[{key!r}]: {e}") from None


@pytest.mark.parametrize("seed", range(6))
def test_writing(seed):
    for r, host, key, want in fuzz(100 + seed, 200, True):
        if want is None:
            continue
        x, host = nd.array(host), host.copy()
        what = r.random()
        dims = tuple(d if r.random() < 0.8 else 1 for d in np.shape(want))
        value = 7 if what < 0.3 else (np.arange(int(np.prod(dims))) % 50).reshape(dims).astype(host.dtype)
        # where an index repeats, NumPy's last value wins; equal values do not depend on that
        places = np.arange(host.size).reshape(host.shape)[key]
        if np.unique(places).size != places.size:
            value = 9
        host[key] = value
        x[key] = nd.array(value) if isinstance(value, np.ndarray) and what > 0.7 else value
        try:
            same(x, host)
        except AssertionError as e:
            raise AssertionError(f"{host.shape}[{key!r}] = {np.shape(value)}: {e}") from None


def test_views_share_memory_and_copies_do_not():
    host, x = np.zeros((3, 4), "f"), nd.zeros((3, 4))
    for n, key in enumerate([1, slice(0, 2), (slice(None), 1), (Ellipsis, slice(0, 4, 2)), (None, 2), (slice(1, 3), slice(1, 3))]):
        host[key][...] = n + 1
        x[key][...] = n + 1
        same(x, host)
    y = x[[0, 1]]
    y[...] = 50
    y = x[x > 1]
    y[...] = 50
    same(x, host)
    x.T[0, 1] = 77
    x.reshape(-1)[2] = 78
    assert x[1, 0] == 77 and x[0, 2] == 78


def test_bad_keys():
    x = nd.zeros((2, 3))
    for key in [2, -3, (0, 3), (0, 0, 0), (Ellipsis, Ellipsis), "a", 1.5, [1.5], [2], np.zeros((3, 3), bool), True, ([0, 1], [0, 1, 2])]:
        with pytest.raises(IndexError):
            x[key]
    with pytest.raises(fx.OutOfRangeError, match=r"\[index\] expected an index in \[-2, 2\) for axis 0, given 2"):
        x[2, 0]
    with pytest.raises(fx.ShapeError):
        x[0] = [1, 2]
    with pytest.raises(fx.DTypeError):
        x[0] = "text"


def test_index_by_ndarray():
    x = nd.arange(12).reshape(4, 3)
    same(x[nd.array([2, 0], dtype="int64")], x.asnumpy()[[2, 0]])
    same(x[nd.array([[2], [0]], dtype="int32"), nd.array([1, 2], dtype="int64")], x.asnumpy()[[[2], [0]], [1, 2]])
    same(x[x > 4], x.asnumpy()[x.asnumpy() > 4])
    with pytest.raises(fx.OutOfRangeError):
        x[nd.array([4], dtype="int64")].asnumpy()


# ---- operators ----------------------------------------------------------------------------------------------------------------------------

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.mod, operator.pow, operator.floordiv]
COMPARE = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("op", ARITHMETIC)
def test_arithmetic(op):
    a = np.array([[1.5, -2, 3], [0.25, 5, -6]], "f")
    for b in (np.array([2, 0.5, -3], "f"), np.array([[2], [1.5]], "f"), np.float32(3), a + 10):
        if op is operator.pow:
            b = (np.abs(np.round(b)) + 1).astype("f")[()]
        want = op(a, b)
        for got in (op(nd.array(a), nd.array(b)), op(nd.array(a), b), op(a, nd.array(b))):
            assert isinstance(got, fx.NDArray) and got.dtype == want.dtype
            np.testing.assert_allclose(got.asnumpy(), want, rtol=2e-6)
    for number in (2, 2.0, -3, True):
        if op is operator.pow:
            number = abs(number)
        np.testing.assert_allclose(op(nd.array(a), number).asnumpy(), op(a, np.float32(number)), rtol=2e-6)
        positive = np.abs(a) + 1
        np.testing.assert_allclose(op(number, nd.array(positive)).asnumpy(), op(np.float32(number), positive), rtol=2e-5)


@pytest.mark.parametrize("op", [o for o in ARITHMETIC if o is not operator.truediv])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int8"])
def test_integer_arithmetic(op, dtype):
    a, b = np.array([7, 3, 5, 2], dtype), np.array([2, 3, 1, 4], dtype)
    if op is operator.sub:
        a = a + b
    got = op(nd.array(a), nd.array(b))
    assert got.dtype == a.dtype
    same(got, op(a, b))
    same(op(nd.array(a), 2), op(a, np.array(2, dtype)))


def test_signs_of_mod_and_floordiv():
    a, b = np.array([7, -7, 7, -7, 6]), np.array([3, 3, -3, -3, -3])
    same(nd.array(a) % nd.array(b), a % b)
    same(nd.array(a) // nd.array(b), a // b)
    same(nd.array(a.astype("f")) % nd.array(b.astype("f")), a.astype("f") % b.astype("f"))
    same(nd.array(a.astype("f")) // 2.5, a.astype("f") // np.float32(2.5))
    same(-7 // nd.array([2, 3], dtype="int64"), np.array([-4, -3]))
    q, r = divmod(nd.array(a), nd.array(b))
    same(q, a // b)
    same(r, a % b)


def test_dtypes_that_meet():
    i, x = nd.array([1, 2], dtype="int32"), nd.array([0.5, 1.5])
    assert (i + x).dtype == "float32" and (x + nd.array([1.0], dtype="float64")).dtype == "float64"
    assert (i / i).dtype == "float32" and (i / 2).dtype == "float32" and (i + 1.5).dtype == "float32" and (i + 1).dtype == "int32"
    assert (i > 1).dtype == "bool" and ((i > 1) + 1).dtype == "int64" and ((i > 1) * x).dtype == "float32"
    assert (nd.array([1], dtype="float16") + nd.array([1], dtype=fx.bfloat16)).dtype == "float32"
    same((i + x), [1.5, 3.5])
    same(1.5 < i, [False, True])


@pytest.mark.parametrize("op", COMPARE)
def test_comparison(op):
    a, b = np.array([1, 2, 3], "f"), np.array([3, 2, 1], "f")
    for got in (op(nd.array(a), nd.array(b)), op(nd.array(a), b), op(a, nd.array(b)), op(nd.array(a), 2), op(nd.array(a), 2.0)):
        assert got.dtype == bool
    same(op(nd.array(a), nd.array(b)), op(a, b))
    same(op(a, nd.array(b)), op(a, b))
    same(op(nd.array(a), 2), op(a, 2))
    same(op(2, nd.array(a)), op(2, a))
    assert (nd.array([1]) == None) is False and (nd.array([1]) != "a") is True  # noqa: E711


def test_unary_and_logic():
    a = np.array([[True, False], [True, True]])
    b = np.array([[True, True], [False, True]])
    x, y = nd.array(a), nd.array(b)
    same(x & y, a & b)
    same(x | y, a | b)
    same(x ^ y, a ^ b)
    same(~x, ~a)
    same(x & b, a & b)
    c = np.array([-1.5, 2, 0], "f")
    same(-nd.array(c), -c)
    same(abs(nd.array(c)), abs(c))
    same(+nd.array(c), c)
    same(round(nd.array(c)), np.round(c))
    with pytest.raises(TypeError):
        nd.array(c) & x
    assert x.any().item() is True and x.all().item() is False
    same(x.any(axis=0), a.any(axis=0))
    same(x.all(axis=1, keepdims=True), a.all(axis=1, keepdims=True))


def test_in_place():
    x = nd.arange(6).reshape(2, 3)
    view, alias, host = x[1], x, np.arange(6, dtype="f").reshape(2, 3)
    x += 1
    x *= nd.array([1, 2, 3])
    x -= host
    x /= 2
    host = ((host + 1) * np.array([1, 2, 3], "f") - host) / 2
    assert x is alias
    same(x, host)
    same(view, host[1])
    i = nd.array([5, 7], dtype="int64")
    i //= 2
    i **= 2
    i %= 4
    same(i, [0, 1])
    assert i.dtype == "int64"
    with pytest.raises(fx.DTypeError):
        i /= 2
    with pytest.raises(fx.ShapeError):
        i += nd.zeros((2, 2))
    host = np.ones(2, "f")
    host += nd.array([1, 2])
    same(host, [2, 3])


@pytest.mark.parametrize("left,right", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)),
                                        ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((4, 2, 0), (0, 2))])
def test_matmul(left, right):
    r = np.random.RandomState(0)
    a, b = r.rand(*left).astype("f"), r.rand(*right).astype("f")
    for got in (nd.array(a) @ nd.array(b), a @ nd.array(b), nd.array(a) @ b):
        assert got.shape == (a @ b).shape
        np.testing.assert_allclose(got.asnumpy(), a @ b, rtol=1e-5)


def test_matmul_of_wrong_shapes():
    with pytest.raises(fx.ShapeError):
        nd.ones((2, 3)) @ nd.ones((2, 3))
    with pytest.raises(fx.ShapeError, match="3 meets 2"):
        nd.ones((1, 2, 3)) @ nd.ones((2, 3))
    with pytest.raises(ValueError):
        nd.ones((2, 2, 3)) @ nd.ones((3, 3, 2))


def test_extremes():
    a, b = np.array([[1, -2], [3, 4]], "f"), np.array([2, 0.5], "f")
    for name in ("maximum", "minimum"):
        f, g = getattr(nd, name), getattr(np, name)
        same(f(nd.array(a), nd.array(b)), g(a, b))
        same(f(nd.array(a), 2), g(a, 2))
        same(f(2, nd.array(a)), g(a, 2))
        same(f(a, b), g(a, b))


def test_reductions():
    a = np.random.RandomState(0).randn(2, 3, 4).astype("f")
    x = nd.array(a)
    for name in ("sum", "mean", "max", "min", "prod", "std", "var"):
        for axis in (None, 0, -1, (0, 2), (1,)):
            for keepdims in (False, True):
                want = getattr(a, name)(axis=axis, keepdims=keepdims)
                got = getattr(x, name)(axis=axis, keepdims=keepdims)
                assert got.shape == want.shape, (name, axis, keepdims)
                np.testing.assert_allclose(got.asnumpy(), want, rtol=2e-4, atol=1e-6)
    for name in ("argmax", "argmin"):
        for axis in (None, 0, 1, -1):
            same(getattr(x, name)(axis), getattr(a, name)(axis))
            same(getattr(x, name)(axis, keepdims=True), getattr(a, name)(axis, keepdims=True))
    assert nd.zeros((0, 3)).sum().item() == 0 and nd.zeros((0, 3)).sum(axis=0).shape == (3,)
    np.testing.assert_allclose(x.std(ddof=1).item(), a.std(ddof=1), rtol=1e-5)


# ---- to and from Python and NumPy ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_both_orders_and_all_layouts(dtype):
    host = (np.arange(24).reshape(2, 3, 4) % 2 if dtype == "bool" else np.arange(24).reshape(2, 3, 4)).astype(dtype)
    for source in (host, np.asfortranarray(host), host[:, ::-1], host.T, host[::2, 1:, ::3], host.astype(host.dtype.newbyteorder(">")), host[:0], host[0, 0, 0], host[None]):
        x = nd.array(source)
        assert x.dtype == dtype and x.shape == source.shape
        same(x, source)
        same(x.asnumpy(order="F"), source)
        assert x.tolist() == source.tolist()
    assert nd.array(host).nbytes == host.nbytes and nd.array(host).itemsize == host.itemsize


def test_bfloat16():
    x = nd.array([1, 2.5, 3.14159], dtype=fx.bfloat16)
    assert x.dtype == fx.bfloat16 == "bfloat16" and x.nbytes == 6 and x.asnumpy().dtype == np.float32
    same(x, np.array([1, 2.5, 3.140625], "f"))
    assert (x + x).dtype == fx.bfloat16 and nd.zeros(2, dtype="bfloat16").dtype == fx.bfloat16
    assert repr(fx.bfloat16) == "flexor.bfloat16" and x.astype("float32").dtype == np.float32


def test_exact_integers():
    big = [2**53 + 1, -2**63, 2**63 - 1]
    x = nd.array(big, dtype="int64")
    assert x.tolist() == big and x[0].item() == 2**53 + 1 and int(x[2]) == 2**63 - 1
    assert (x[:1] + (2**60 + 1)).tolist() == [2**53 + 2**60 + 2] and (2**60 - x[:1]).tolist() == [2**60 - 2**53 - 1]
    y = nd.zeros(1, dtype="int64")
    y[0] = 2**62 + 1
    assert y.item() == 2**62 + 1 and nd.full((2,), 2**62 + 1, dtype="int64").tolist() == [2**62 + 1] * 2
    assert nd.array([2**64 - 1], dtype="uint64").tolist() == [2**64 - 1]
    for value in ([2**63], [2**70], 2**64, [-2**63 - 1]):
        with pytest.raises((TypeError, ValueError)):
            nd.array(value)
    with pytest.raises(ValueError):
        nd.array([300], dtype="uint8")


def test_plain_numbers_are_float32_and_typed_ones_stay():
    for value in (1, 1.5, True, [1, 2], [[True, False]], (1, 2), range(3), []):
        assert nd.array(value).dtype == "float32"
    assert nd.array(np.float64(1)).dtype == "float64" and nd.array(np.arange(3)).dtype == "int64" and nd.array(np.array(True)).dtype == "bool"
    assert nd.array([nd.ones(2), nd.zeros(2)]).shape == (2, 2)
    import array
    assert nd.array(array.array("d", [1, 2])).dtype == "float64" and nd.array(memoryview(b"ab")).tolist() == [97, 98]


def test_what_is_no_array():
    for value in ("text", ["a"], None, object(), {1: 2}, [None], np.array([object()]), np.array(["a"]), np.array([1j]), np.array(["2020-01-01"], "M8[D]")):
        with pytest.raises(fx.DTypeError):
            nd.array(value)
    with pytest.raises(fx.ArgumentError):
        nd.array([[1, 2], [3]])
    with pytest.raises(fx.DTypeError, match="expected one of float32"):
        nd.zeros(2, dtype="float33")


def test_python_protocols():
    x = nd.array([1.5])
    assert float(x) == 1.5 and int(x) == 1 and bool(x) and f"{x:.3f}" == "1.500" and x.item() == 1.5 and x.asscalar() == 1.5
    assert [10, 20, 30][nd.array(1, dtype="int32")] == 20 and len(nd.zeros((3, 2))) == 3 and [r.tolist() for r in nd.ones((2, 1))] == [[1], [1]]
    assert 2 in nd.array([1, 2]) and 3 not in nd.array([1, 2]) and isinstance(nd.array([1], dtype="int8").item(), int) and nd.array([True], dtype="bool").item() is True
    for bad in (lambda: bool(nd.zeros(2)), lambda: float(nd.zeros(2)), lambda: nd.zeros(2).item(), lambda: [1, 2][nd.array([1.0])], lambda: len(nd.zeros(())),
                lambda: iter(nd.zeros(())), lambda: hash([nd.zeros(1)])):
        with pytest.raises((ValueError, TypeError)):
            bad()
    a, b = nd.zeros(1), nd.zeros(1)
    assert hash(a) == hash(a) and len({a, b}) == 2
    with pytest.raises(AttributeError):
        a.no_such_thing
    with pytest.raises(AttributeError):
        a.note = 1


def test_numpy_functions_take_arrays():
    x = nd.array([1.0, 4.0])
    same(np.sqrt(x), [1, 2])
    assert isinstance(np.sqrt(x), np.ndarray) and np.asarray(x).dtype == np.float32 and np.asarray(x, "float64").dtype == np.float64
    assert np.add.reduce(x) == 5 and np.concatenate([x, x]).shape == (4,) and np.allclose(x, [1, 4])
    same(np.stack([x, x]), [[1, 4], [1, 4]])


def test_text():
    assert repr(nd.array([[1, 2], [3, 4]])) == "[[1, 2],\n [3, 4]]\nfloat32 (2, 2)" and "..." in str(nd.zeros(10000))
    x = nd.zeros(2)
    x.free()
    assert "freed" in repr(x)


def test_shapes():
    x = nd.arange(24)
    assert x.reshape(2, 3, 4).shape == (2, 3, 4) == x.reshape((2, -1, 4)).shape and x.reshape([4, 6]).T.shape == (6, 4)
    same(x.reshape(2, 3, 4).transpose(2, 0, 1), np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1))
    same(x.reshape(2, 3, 4).transpose((-1, 0, 1)), np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1))
    same(x.reshape(2, 3, 4).swapaxes(0, 2), np.arange(24).reshape(2, 3, 4).swapaxes(0, 2))
    assert nd.zeros((0, 3)).reshape(-1).shape == (0,) == nd.zeros((2, 0)).flatten().shape and nd.zeros((0, 3)).reshape(3, 0).shape == (3, 0)
    assert nd.ones(()).reshape(1, 1).shape == (1, 1) and nd.ones((1, 1)).reshape(()).shape == () and nd.ones(3).flatten().shape == (3,)
    for bad in ((5, 5), (-2,), (-1, -1), (0,)):
        with pytest.raises(fx.ShapeError):
            x.reshape(bad)


def test_making():
    same(nd.arange(3), [0, 1, 2])
    same(nd.arange(1, 2, 0.25), np.arange(1, 2, 0.25))
    same(nd.eye(2, 3, 1), np.eye(2, 3, 1))
    same(nd.full((2,), 3, dtype="int8"), [3, 3])
    same(nd.linspace(0, 1, 5), np.linspace(0, 1, 5))
    assert nd.zeros(3).shape == (3,) and nd.ones((), dtype="int32").item() == 1 and nd.empty((2, 0)).size == 0
    x = nd.ones(2)
    assert nd.asarray(x) is x and nd.array(x) is not x and nd.asarray(x, dtype="int8").dtype == "int8"
    assert x.astype("float32", copy=False) is x and x.as_in_context("cpu") is x and x.device == "cpu(0)" and x.copy() is not x
    with pytest.raises(fx.DeviceError):
        nd.zeros(1, device="gpu(7)")

# SPDX-License-Identifier: Apache-2.0
"""mx.test_utils: comparing arrays, random arrays, checks of symbols."""
import numpy as np

from . import context as ctx_module
from .base import f
from .ndarray import NDArray, array
from .symbol import Symbol

_DTYPES = {np.dtype(np.float16): (1e-2, 1e-2), np.dtype(np.float32): (1e-4, 1e-5), np.dtype(np.float64): (1e-5, 1e-7)}


def default_context():
    return ctx_module.current_context()


def set_default_context(ctx):
    ctx_module._current.value = ctx


def default_dtype():
    return np.float32


def _numpy(a):
    return a.asnumpy() if isinstance(a, NDArray) else np.asarray(a)


def _tolerances(a, b, rtol, atol):
    """MXNet's defaults are those of the coarser dtype."""
    found = [_DTYPES.get(x.dtype, (1e-5, 1e-7)) for x in (a, b)]
    return max(t[0] for t in found) if rtol is None else rtol, max(t[1] for t in found) if atol is None else atol


def same(a, b):
    return np.array_equal(_numpy(a), _numpy(b))


def almost_equal(a, b, rtol=None, atol=None, equal_nan=False, use_broadcast=True):
    a, b = _numpy(a), _numpy(b)
    rtol, atol = _tolerances(a, b, rtol, atol)
    return (use_broadcast or a.shape == b.shape) and np.allclose(a, b, rtol, atol, equal_nan)


def assert_almost_equal(a, b, rtol=None, atol=None, names=("a", "b"), equal_nan=False, use_broadcast=True, mismatches=(10, 10)):
    a, b = _numpy(a), _numpy(b)
    if not use_broadcast and a.shape != b.shape:
        raise AssertionError("%s has shape %s, %s has %s" % (names[0], a.shape, names[1], b.shape))
    rtol, atol = _tolerances(a, b, rtol, atol)
    np.testing.assert_allclose(a, b, rtol, atol, equal_nan, "%s and %s" % names)


def assert_exception(function, exception_type, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except exception_type:
        return
    raise AssertionError("expected %s, nothing was raised" % exception_type.__name__)


def random_arrays(*shapes):
    arrays = [np.array(np.random.randn(), dtype=np.float32) if not s else np.random.randn(*s).astype(np.float32) for s in shapes]
    return arrays[0] if len(arrays) == 1 else arrays


def rand_shape_nd(num_dim, dim=10, allow_zero_size=False):
    return tuple(np.random.randint(0 if allow_zero_size else 1, dim + 1, size=num_dim).tolist())


def rand_shape_2d(dim0=10, dim1=10, allow_zero_size=False):
    return rand_shape_nd(1, dim0, allow_zero_size) + rand_shape_nd(1, dim1, allow_zero_size)


def rand_shape_3d(dim0=10, dim1=10, dim2=10, allow_zero_size=False):
    return rand_shape_2d(dim0, dim1, allow_zero_size) + rand_shape_nd(1, dim2, allow_zero_size)


def rand_ndarray(shape, stype="default", density=None, dtype=None, modifier_func=None, shuffle_csr_indices=False, distribution=None, ctx=None):
    if stype != "default":
        raise NotImplementedError("arrays are dense; sparse arrays are not there yet")
    values = np.random.uniform(-1, 1, shape)
    return array(values if modifier_func is None else np.vectorize(modifier_func)(values), ctx, dtype)


def list_gpus():
    return range(f.flx_device_count("gpu"))


def _bound(sym, location, aux_states, ctx, grad_req="write", dtype=np.float32):
    def named(values, names):
        values = values if isinstance(values, dict) else dict(zip(names, values or []))
        return {n: v if isinstance(v, NDArray) else array(v, ctx, dtype) for n, v in values.items()}
    args, aux = named(location, sym.list_arguments()), named(aux_states, sym.list_auxiliary_states())
    grads = {n: a.zeros_like() for n, a in args.items()}
    return sym.bind(ctx, args, grads, grad_req, aux)


def simple_forward(sym, ctx=None, is_train=False, **inputs):
    outputs = [o.asnumpy() for o in _bound(sym, inputs, None, ctx).forward(is_train)]
    return outputs[0] if len(outputs) == 1 else outputs


def check_symbolic_forward(sym, location, expected, rtol=None, atol=None, aux_states=None, ctx=None, equal_nan=False, dtype=np.float32):
    """The outputs of `sym` on `location` are `expected`."""
    outputs = _bound(sym, location, aux_states, ctx, "null", dtype).forward(False)
    expected = [expected[n] for n in sym.list_outputs()] if isinstance(expected, dict) else expected
    for name, got, want in zip(sym.list_outputs(), outputs, expected):
        assert_almost_equal(want, got, rtol, atol, ("expected of %s" % name, "given"), equal_nan)
    return outputs


def check_symbolic_backward(sym, location, out_grads, expected, rtol=None, atol=None, aux_states=None, grad_req="write", ctx=None, grad_stypes=None,
                            equal_nan=False, dtype=np.float32):
    """The gradients of the arguments for head gradients `out_grads` are `expected`."""
    run = _bound(sym, location, aux_states, ctx, grad_req, dtype)
    run.forward(True)
    if isinstance(out_grads, dict):
        out_grads = [out_grads[n] for n in sym.list_outputs()]
    run.backward([g if isinstance(g, NDArray) else array(g, ctx, dtype) for g in out_grads] if out_grads is not None else None)
    expected = expected if isinstance(expected, dict) else dict(zip(sym.list_arguments(), expected))
    for name, want in expected.items():
        assert_almost_equal(want, run.grad_dict[name], rtol, atol, ("expected gradient of %s" % name, "given"), equal_nan)
    return run.grad_arrays


def numeric_grad(executor, location, aux_states=None, eps=1e-4, use_forward_train=True, dtype=np.float32):
    """Central differences of the sum of the first output."""
    def total():
        return float(executor.forward(use_forward_train)[0].asnumpy().astype(np.float64).sum())
    found = {}
    for name, values in location.items():
        values = _numpy(values).astype(dtype)
        grad, flat = np.zeros(values.shape, dtype), values.reshape(-1)
        for i in range(flat.size):
            ends = []
            for sign in (1, -1):
                moved = flat.copy()
                moved[i] += sign * eps
                executor.arg_dict[name][:] = moved.reshape(values.shape)
                ends.append(total())
            grad.reshape(-1)[i] = (ends[0] - ends[1]) / (2 * eps)
        executor.arg_dict[name][:] = values
        found[name] = grad
    return found


def check_numeric_gradient(sym, location, aux_states=None, numeric_eps=None, rtol=None, atol=None, grad_nodes=None, use_forward_train=True, ctx=None,
                           grad_stype_dict=None, dtype=np.float32):
    """The gradient of `sym` agrees with differences, weighted by random heads."""
    if not isinstance(sym, Symbol):
        raise TypeError("check_numeric_gradient takes a symbol")
    from . import symbol
    location = location if isinstance(location, dict) else dict(zip(sym.list_arguments(), location))
    location = {n: _numpy(v) for n, v in location.items()}
    _, shapes, _ = sym.infer_shape(**{n: v.shape for n, v in location.items()})
    head = np.random.uniform(-1, 1, shapes[0]) + 0.1
    weighted = symbol.sum(symbol.broadcast_mul(sym if len(sym) == 1 else sym[0], symbol.var("__random_head")))
    run = _bound(weighted, dict(location, __random_head=head), aux_states, ctx, "write", dtype)
    run.forward(use_forward_train)
    run.backward()
    names = grad_nodes if grad_nodes is not None else list(location)
    grads = {n: run.grad_dict[n].asnumpy() for n in names}
    wanted = numeric_grad(run, {n: location[n] for n in names}, aux_states, numeric_eps or 1e-3, use_forward_train, dtype)
    for n in names:
        assert_almost_equal(wanted[n], grads[n], 1e-2 if rtol is None else rtol, 1e-3 if atol is None else atol, ("differences of %s" % n, "gradient"))

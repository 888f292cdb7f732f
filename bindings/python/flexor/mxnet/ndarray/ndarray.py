# SPDX-License-Identifier: Apache-2.0
"""The class NDArray: the package's own array, with the methods and the conventions that MXNet's programs expect."""
import numpy as np

from ... import NDArray as Native
from .. import context as ctx_module
from ..base import DTYPES, f, host_of, integer_types, number_of, numeric_types, op, op_names, prepared, text, texts

# operation -> (operator on two arrays, on array and number, on number and array); where the order of the two does not matter the last is the second
BINARY = {"add": ("broadcast_add", "_plus_scalar", "_plus_scalar"), "subtract": ("broadcast_sub", "_minus_scalar", "_rminus_scalar"),
          "multiply": ("broadcast_mul", "_mul_scalar", "_mul_scalar"), "divide": ("broadcast_div", "_div_scalar", "_rdiv_scalar"),
          "true_divide": ("broadcast_div", "_div_scalar", "_rdiv_scalar"), "modulo": ("broadcast_mod", "_mod_scalar", "_rmod_scalar"),
          "power": ("broadcast_power", "_power_scalar", "_rpower_scalar"), "maximum": ("broadcast_maximum", "_maximum_scalar", "_maximum_scalar"),
          "minimum": ("broadcast_minimum", "_minimum_scalar", "_minimum_scalar"), "hypot": ("broadcast_hypot", "_hypot_scalar", "_hypot_scalar"),
          "equal": ("broadcast_equal", "_equal_scalar", "_equal_scalar"), "not_equal": ("broadcast_not_equal", "_not_equal_scalar", "_not_equal_scalar"),
          "greater": ("broadcast_greater", "_greater_scalar", "_lesser_scalar"), "greater_equal": ("broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar"),
          "lesser": ("broadcast_lesser", "_lesser_scalar", "_greater_scalar"), "lesser_equal": ("broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar"),
          "logical_and": ("broadcast_logical_and", "_logical_and_scalar", "_logical_and_scalar"),
          "logical_or": ("broadcast_logical_or", "_logical_or_scalar", "_logical_or_scalar"),
          "logical_xor": ("broadcast_logical_xor", "_logical_xor_scalar", "_logical_xor_scalar")}
OPERATORS = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "div": "divide", "mod": "modulo", "pow": "power"}
COMPARISONS = {"eq": "equal", "ne": "not_equal", "gt": "greater", "ge": "greater_equal", "lt": "lesser", "le": "lesser_equal"}


def own(array):
    """The library's array as one of this class: the object stays, its class changes."""
    if array is not None:
        array.__class__ = NDArray
    return array


def call(name, arrays, options, out=None):
    """Runs an operator by its name: one array, or a list of several."""
    ready = prepared(name, options)
    if out is not None:
        f.flx_call_run_into(ready, None, arrays, (), out if isinstance(out, (list, tuple)) else (out,))
        return out
    results = f.flx_call_run(ready, None, arrays, ())
    for r in results:
        r.__class__ = NDArray
    return results[0] if len(results) == 1 else list(results)


def on_device(name, options, ctx=None, out=None):
    """Runs an operator that has no inputs, on the device `ctx`."""
    device = ctx_module.to_text(ctx) if out is None else ""  # `out` is where it is
    return call(name, (), texts({**options, "ctx": device} if device and not device.startswith("cpu") else options), out)


def _sizes_that_stay(inputs, options):
    """broadcast_to: a size of 0 is the array's own."""
    sizes = [int(s) for s in options["shape"].strip("()[] ").rstrip(",").split(",") if s.strip()]
    options["shape"] = text(tuple(n or old for n, old in zip(sizes, inputs[0].shape)) if len(sizes) == inputs[0].ndim else tuple(sizes))


# operator -> what is done to its attributes where MXNet's mean something that the library's do not
_ADJUSTED = {"broadcast_to": _sizes_that_stay}


def function(name):
    """mx.nd's function of an operator."""
    o = op(name)
    adjust = _ADJUSTED.get(o.name)

    def run(*args, out=None, name=None, **kwargs):  # MXNet takes a name, which an array does not keep
        ctx = kwargs.pop("ctx", None)
        inputs, _, options = o.sort_out(args, kwargs, Native)
        if not inputs:
            return on_device(o.name, options, ctx, out)
        if adjust is not None and "shape" in options:
            adjust(inputs, options)
        return call(o.name, inputs, options, out)
    run.__name__ = run.__qualname__ = name
    run.__doc__ = o.documentation()
    return run


def binary(kind, lhs, rhs):
    """MXNet's arithmetic: of two arrays of shapes that broadcast, an array and a number, two numbers."""
    arrays, right, left = BINARY[kind]
    if isinstance(lhs, Native):
        if isinstance(rhs, Native):
            r = f.flx_call_binary(prepared(arrays), None, lhs, rhs)
        elif isinstance(rhs, numeric_types):
            r = f.flx_call_scalar(prepared(right), None, lhs, rhs)
        elif isinstance(rhs, np.ndarray):
            return binary(kind, lhs, array(rhs, lhs.context, lhs.dtype))
        else:
            raise TypeError("[%s] expected an NDArray or a number, given %s" % (kind, type(rhs).__name__))
    elif isinstance(rhs, Native) and isinstance(lhs, numeric_types):
        r = f.flx_call_scalar(prepared(left), None, rhs, lhs)
    elif isinstance(rhs, Native) and isinstance(lhs, np.ndarray):
        return binary(kind, array(lhs, rhs.context, rhs.dtype), rhs)
    else:
        raise TypeError("[%s] expected an NDArray, given %s and %s" % (kind, type(lhs).__name__, type(rhs).__name__))
    r.__class__ = NDArray
    return r


def array(source_array, ctx=None, dtype=None):
    """A new array: float32 unless `dtype` says otherwise or the source is an NDArray; a single number has shape (1,)."""
    if isinstance(source_array, Native):
        dtype = source_array.dtype if dtype is None else dtype
        source_array = Native.asnumpy(source_array) if not isinstance(source_array, NDArray) else source_array.asnumpy()
    source = np.asarray(source_array)
    if source.dtype == object:
        source = source.astype(np.float32)
    source = np.ascontiguousarray(source.reshape(source.shape or (1,)))
    return own(f.flx_ndarray_create_from(source, number_of(source.dtype), f.FLX_ROW_MAJOR, source.shape, number_of(dtype), ctx_module.to_text(ctx)))


def shape_of(shape):
    return tuple(int(s) for s in shape) if isinstance(shape, (tuple, list, np.ndarray)) else (int(shape),)


def full(shape, val, ctx=None, dtype=None, out=None):
    if out is not None:
        out[:] = val
        return out
    return own(f.flx_ndarray_create_full(shape_of(shape), number_of(dtype), ctx_module.to_text(ctx), float(val)))


class NDArray(Native):
    """An array of MXNet's kind: reductions to one number have shape (1,), comparisons give 0 and 1 in the array's dtype, float32 is the default."""

    __slots__ = ()
    __array_priority__ = 1000.0

    # ---- what it is
    @property
    def shape(self):
        return tuple(f.flx_ndarray_describe(self)[1])

    @property
    def dtype(self):
        dtype = DTYPES[f.flx_ndarray_describe(self)[0]]
        return getattr(dtype, "type", dtype)

    @property
    def size(self):
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def context(self):
        return ctx_module.of_text(f.flx_ndarray_device(self))

    ctx = context

    @property
    def stype(self):
        return "default"

    @property
    def T(self):
        return self if self.ndim < 2 else call("transpose", (self,), {})

    @property
    def handle(self):
        return self

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return "\n%s\n<%s %s @%s>" % (self.asnumpy(), type(self).__name__, "x".join(map(str, self.shape)), self.context)

    __str__ = __repr__

    def __hash__(self):
        return f.value(self)

    def __bool__(self):
        if self.size == 1:
            return bool(self.asscalar())
        if self.size == 0:
            return False
        raise ValueError("the truth of an array with %d elements is not one answer" % self.size)

    def __float__(self):
        return float(self.asscalar())

    def __int__(self):
        return int(self.asscalar())

    __index__ = __int__

    def __iter__(self):
        for i in range(len(self)):
            yield self[i]

    # ---- its values
    def asnumpy(self):
        code, shape = f.flx_ndarray_describe(self)
        values = np.empty(tuple(shape), host_of(code))
        f.flx_ndarray_read(self, values, number_of(values.dtype), f.FLX_ROW_MAJOR, -1)
        return values

    def __array__(self, dtype=None, copy=None):
        values = self.asnumpy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def asscalar(self):
        if self.size != 1:
            raise ValueError("only an array of one element is a number, this one has shape %s" % (self.shape,))
        return self.asnumpy().reshape(-1)[0]

    def item(self):
        return self.asscalar().item()

    def tolist(self):
        return self.asnumpy().tolist()

    def wait_to_read(self):
        f.flx_ndarray_wait(self, -1)

    wait_to_write = wait_to_read

    # ---- copies and other forms
    def astype(self, dtype, copy=True):
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        return call("Cast", (self,), {"dtype": str(dtype) if isinstance(dtype, str) else np.dtype(dtype).name})

    def copy(self):
        return own(f.flx_ndarray_copy(self, None)) if not f.mode() & f.FLX_RECORD else call("_copy", (self,), {})

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return own(f.flx_ndarray_copy(self, None))

    def copyto(self, other):
        if isinstance(other, ctx_module.Context):
            return own(f.flx_ndarray_copy(self, ctx_module.to_text(other)))
        f.flx_ndarray_copy_into(self, other)
        return other

    def as_in_context(self, context):
        return self if self.context == context or context is None else self.copyto(context)

    as_in_ctx = as_in_context

    def tostype(self, stype):
        if stype != "default":
            raise NotImplementedError("arrays are dense; sparse arrays are not there yet")
        return self

    def as_nd_ndarray(self):
        return self

    def detach(self):
        return own(f.flx_ndarray_detach(self))

    def reshape(self, *shape, **kwargs):
        if not shape:
            shape = kwargs.pop("shape")
        elif len(shape) == 1 and isinstance(shape[0], (tuple, list)):
            shape = shape[0]
        if kwargs.pop("reverse", False):
            return call("Reshape", (self,), texts({"shape": tuple(shape), "reverse": True}))
        if kwargs:
            raise TypeError("reshape takes shape and reverse, given %s" % ", ".join(kwargs))
        return own(f.flx_ndarray_reshape(self, shape_of(shape), None))

    def broadcast_to(self, shape):
        shape = shape_of(shape)
        data = self if len(shape) == self.ndim else self.reshape((1,) * (len(shape) - self.ndim) + self.shape)
        return call("broadcast_to", (data,), texts({"shape": tuple(n or old for n, old in zip(shape, data.shape))}))

    def transpose(self, *axes, **kwargs):
        axes = kwargs.get("axes", axes)
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            axes = axes[0]
        return call("transpose", (self,), texts({"axes": tuple(axes)}) if axes else {})

    # ---- parts
    def __getitem__(self, key):
        if isinstance(key, NDArray) and key.dtype not in (np.bool_,):
            key = key.asnumpy().astype(np.int64)
        elif isinstance(key, tuple):
            key = tuple(k.asnumpy().astype(np.int64) if isinstance(k, NDArray) else k for k in key)
        if isinstance(key, integer_types) and self.ndim > 1:
            return own(f.flx_ndarray_at(self, int(key), None))
        part = own(super().__getitem__(key))
        return part if part.ndim else part.reshape(1)

    def __setitem__(self, key, value):
        if isinstance(key, NDArray):
            key = key.asnumpy().astype(np.int64 if key.dtype != np.bool_ else np.bool_)
        elif isinstance(key, tuple):
            key = tuple(k.asnumpy().astype(np.int64) if isinstance(k, NDArray) else k for k in key)
        whole = isinstance(key, slice) and key == slice(None)
        if whole and isinstance(value, NDArray) and value.shape == self.shape:
            if value is not self:
                f.flx_ndarray_copy_into(value, self)
            return
        if not isinstance(value, (Native,) + numeric_types):
            value = np.asarray(value)
        if isinstance(value, (np.ndarray, Native)) and value.ndim > self.ndim and value.shape[:value.ndim - self.ndim] == (1,) * (value.ndim - self.ndim):
            value = value.reshape(value.shape[value.ndim - self.ndim:])
        if whole and isinstance(value, np.ndarray):
            value = np.ascontiguousarray(np.broadcast_to(value, self.shape))
            f.flx_ndarray_write(self, value, number_of(value.dtype), f.FLX_ROW_MAJOR)
            return
        super().__setitem__(key, value)

    def slice(self, begin, end, step=()):
        return call("slice", (self,), texts({"begin": begin, "end": end, "step": step or ()}))

    # ---- gradients
    @property
    def grad(self):
        return own(f.flx_autograd_grad(self))

    def attach_grad(self, grad_req="write", stype=None):
        f.flx_autograd_attach(self, grad_req, None)

    def drop_grad(self):
        f.flx_autograd_attach(self, "null", None)

    def zero_grad(self):
        if self.grad is not None:
            self.grad[:] = 0

    @property
    def _fresh_grad(self):
        return bool(f.flx_autograd_recorded(self))

    def backward(self, out_grad=None, retain_graph=False, train_mode=True):
        from .. import autograd
        autograd.backward([self], None if out_grad is None else [out_grad], retain_graph, train_mode)

    # ---- pickle
    def __reduce__(self):
        return array, (self.asnumpy(), None, self.dtype)


def _install():
    def arithmetic(kind, swapped):
        if swapped:
            return lambda self, other: binary(kind, other, self)
        return lambda self, other: binary(kind, self, other)

    def in_place(kind):
        def run(self, other):
            arrays, scalar, _ = BINARY[kind]
            if isinstance(other, numeric_types):
                f.flx_call_run_into(prepared(scalar), None, (self,), (float(other),), (self,))
            else:
                other = other if isinstance(other, NDArray) else array(other, self.context, self.dtype)
                f.flx_call_run_into(prepared(arrays), None, (self, other), (), (self,))
            return self
        return run
    for symbol, kind in OPERATORS.items():
        setattr(NDArray, "__%s__" % symbol, arithmetic(kind, False))
        setattr(NDArray, "__r%s__" % symbol, arithmetic(kind, True))
        setattr(NDArray, "__i%s__" % symbol, in_place(kind))
    for symbol, kind in COMPARISONS.items():
        def compare(self, other, kind=kind):
            if other is None:
                return kind == "not_equal"
            return binary(kind, self, other)
        setattr(NDArray, "__%s__" % symbol, compare)
    NDArray.__neg__ = lambda self: call("negative", (self,), {})
    NDArray.__abs__ = lambda self: call("abs", (self,), {})
    add_methods(NDArray, lambda name: function(name))


def add_methods(cls, make):
    """Every operator of lower case whose first input is one array is a method, as MXNet's fluent methods are, unless the class has written its own."""
    def method(name):
        made = []

        def run(self, *args, **kwargs):
            if not made:
                made.append(make(name))
            return made[0](self, *args, **kwargs)
        run.__name__ = run.__qualname__ = name
        return run
    own_names = set(vars(cls))
    for name in op_names():
        if name[0].isalpha() and name[0].islower() and name not in own_names and not name.endswith("_update") and _takes_array(name):
            setattr(cls, name, method(name))
    for name, full_name in (("flatten", "Flatten"), ("split_v2", "_split_v2")):
        if full_name in op_names() and name not in own_names:
            setattr(cls, name, method(full_name))


def _takes_array(name):
    entry = f.flx_registry_find("operator", name)
    return f.flx_entry_input_count(entry) > 0 and f.flx_entry_input_text(entry, 0, "kind") == "required"


_install()

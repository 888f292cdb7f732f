# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.Parameter, Constant and ParameterDict."""
import re
import warnings
from collections import OrderedDict

import numpy as np

from .. import autograd, initializer
from ..context import Context, cpu, current_context
from ..ndarray import NDArray, array, load, save, zeros
from ..symbol import var


class DeferredInitializationError(RuntimeError):
    """A parameter's shape is not known yet."""


def shape_is_known(shape):
    return shape is not None and all(s > 0 for s in shape)


def _one_context(ctx):
    if ctx is None:
        return current_context()
    if isinstance(ctx, Context):
        return ctx
    ctx = list(ctx)
    if len(ctx) != 1:
        raise NotImplementedError("one device at a time: given %s. Several devices in one process are not there yet." % ctx)
    return ctx[0]


class Parameter:
    """A weight of a block: its array, its gradient, and how it begins. Sizes of 0 in `shape` are found at the first run."""

    def __init__(self, name, grad_req="write", shape=None, dtype=np.float32, lr_mult=1.0, wd_mult=1.0, init=None, allow_deferred_init=False,
                 differentiable=True, stype="default", grad_stype="default"):
        if stype != "default" or grad_stype != "default":
            raise NotImplementedError("parameter %s: arrays are dense; sparse ones are not there yet" % name)
        self.name, self.init, self.lr_mult, self.wd_mult = name, init, lr_mult, wd_mult
        self.allow_deferred_init, self._differentiable = allow_deferred_init, differentiable
        self._shape = (shape,) if isinstance(shape, int) else None if shape is None else tuple(shape)
        self._dtype, self._data, self._var, self._deferred, self._ctx = dtype, None, None, None, None
        self._grad_req = "null"
        self.grad_req = grad_req

    def __repr__(self):
        return "%s %s (shape=%s, dtype=%s)" % (type(self).__name__, self.name, self.shape, np.dtype(self.dtype).name if self.dtype != "bfloat16" else "bfloat16")

    @property
    def grad_req(self):
        return self._grad_req

    @grad_req.setter
    def grad_req(self, req):
        if req not in ("write", "add", "null"):
            raise ValueError("grad_req must be write, add or null, given %r" % (req,))
        self._grad_req = req if self._differentiable else "null"
        if self._data is not None:
            self._attach()

    @property
    def shape(self):
        return self._shape

    @shape.setter
    def shape(self, new):
        new = tuple(new)
        if self._shape is not None and (len(self._shape) != len(new) or any(a not in (0, -1, b) for a, b in zip(self._shape, new))):
            raise ValueError("parameter %s has shape %s, which %s does not fit" % (self.name, self._shape, new))
        self._shape = new

    @property
    def dtype(self):
        return self._dtype

    @dtype.setter
    def dtype(self, dtype):
        self.cast(dtype)

    @property
    def stype(self):
        return "default"

    def _attach(self):
        self._data.attach_grad(self._grad_req)

    def initialize(self, init=None, ctx=None, default_init=None, force_reinit=False):
        """Makes the array, or notes how it is to be made once its shape is known."""
        if self._data is not None and not force_reinit:
            warnings.warn("parameter %s is initialized already; force_reinit=True does it again" % self.name, stacklevel=2)
            return
        default_init = default_init or initializer.Uniform()
        self._data = None
        ctx = _one_context(ctx)
        init = (self.init or default_init) if init is None else init
        if not shape_is_known(self._shape):
            if not self.allow_deferred_init:
                raise ValueError("parameter %s cannot be initialized: its shape %s is not known" % (self.name, self._shape))
            self._deferred = (init, ctx)
            return
        self._make(init, ctx)

    def _make(self, init, ctx, values=None):
        self._deferred = None
        with autograd.pause():
            data = zeros(self._shape, ctx, self._dtype)
            if values is not None:
                data[:] = values
            else:
                # as in Gluon: the initializer makes this parameter whatever it is called; without one of its own it is the network's
                how = initializer.create(init)
                getattr(how, "_init_weight", how)(initializer.InitDesc(self.name), data)
        self._set(data, ctx)

    def _set(self, data, ctx):
        self._data, self._ctx = data, ctx
        if self._grad_req != "null":
            self._attach()

    def _finish_deferred_init(self):
        if self._deferred is None:
            return
        if not shape_is_known(self._shape):
            raise ValueError("the shape of parameter %s, %s, could not be found; give in_units, in_channels and so on, or check the network" % (self.name, self._shape))
        self._make(*self._deferred)

    def _load_init(self, data, ctx, cast_dtype=False, dtype_source="current"):
        if self._shape is not None and (len(self._shape) != len(data.shape) or any(a not in (0, -1, b) for a, b in zip(self._shape, data.shape))):
            raise ValueError("parameter %s of shape %s cannot be loaded from one of shape %s" % (self.name, self._shape, data.shape))
        if cast_dtype and dtype_source == "saved":
            self._dtype = data.dtype
        elif self._dtype is not None and np.dtype(self._dtype) != np.dtype(data.dtype):
            if not cast_dtype:
                raise ValueError("parameter %s is %s, the saved one is %s; cast_dtype=True converts it" % (self.name, np.dtype(self._dtype).name, np.dtype(data.dtype).name))
            data = data.astype(self._dtype)
        self._shape = data.shape
        if self._data is None:
            ctx = _one_context(ctx) if ctx is not None else self._deferred[1] if self._deferred else cpu()
            self._make(None, ctx, values=data)
        else:
            self.set_data(data)

    def _check(self, ctx):
        if self._data is None:
            if self._deferred is not None:
                raise DeferredInitializationError("the shape of parameter %s is not known before the first run; run the network once on data" % self.name)
            raise RuntimeError("parameter %s has not been initialized: call initialize() of its block or ParameterDict" % self.name)
        if ctx is not None and ctx != self._ctx and ctx.text != self._ctx.text:
            raise RuntimeError("parameter %s is on %s, not on %s" % (self.name, self._ctx, ctx))

    def data(self, ctx=None):
        self._check(ctx)
        return self._data

    def list_data(self):
        return [self.data()]

    def grad(self, ctx=None):
        self._check(ctx)
        if self._grad_req == "null":
            raise RuntimeError("parameter %s has no gradient: its grad_req is null" % self.name)
        return self._data.grad

    def list_grad(self):
        return [self.grad()]

    def list_ctx(self):
        if self._data is None and self._deferred is not None:
            return [self._deferred[1]]
        self._check(None)
        return [self._ctx]

    def set_data(self, data):
        self.shape = data.shape
        data = data if isinstance(data, NDArray) else array(data)
        if self._data is None:
            if self._deferred is None:
                raise RuntimeError("parameter %s has not been initialized" % self.name)
            self._make(None, self._deferred[1], values=data)
            return
        with autograd.pause():
            self._data[:] = data

    def zero_grad(self):
        if self._data is not None and self._grad_req != "null":
            self._data.grad[:] = 0

    def reset_ctx(self, ctx):
        ctx = _one_context(ctx)
        if self._data is not None:
            self._set(self._data.as_in_context(ctx), ctx)
        elif self._deferred is not None:
            self._deferred = (self._deferred[0], ctx)

    def cast(self, dtype):
        self._dtype, self._var = dtype, None
        if self._data is not None:
            with autograd.pause():
                data = self._data.astype(dtype)
            self._set(data.detach(), self._ctx)

    def var(self):
        if self._var is None:
            self._var = var(self.name, shape=self._shape, dtype=self._dtype, lr_mult=self.lr_mult, wd_mult=self.wd_mult,
                            init=self.init if isinstance(self.init, (str, initializer.Initializer)) else None)
        return self._var


class Constant(Parameter):
    """A parameter that training does not change."""

    def __init__(self, name, value):
        value = value if isinstance(value, NDArray) else array(value)
        self.value = value

        def fill(desc, arr):
            arr[:] = value
        super().__init__(name, grad_req="null", shape=value.shape, dtype=value.dtype, init=fill)


class ParameterDict:
    """Parameters by their full names, all of which begin with `prefix`."""

    def __init__(self, prefix="", shared=None):
        self._prefix, self._params, self._shared = prefix, OrderedDict(), shared

    def __repr__(self):
        return "%s(\n%s\n)" % ((self._prefix + " ") if self._prefix else "", "\n".join("  %r" % p for p in self.values()))

    def __getitem__(self, key):
        return self._params[key]

    def __iter__(self):
        return iter(self._params)

    def __len__(self):
        return len(self._params)

    def __contains__(self, key):
        return key in self._params

    def items(self):
        return self._params.items()

    def keys(self):
        return self._params.keys()

    def values(self):
        return self._params.values()

    @property
    def prefix(self):
        return self._prefix

    def _find(self, name):
        if name in self._params:
            return self._params[name]
        if self._shared is not None and name in self._shared:
            self._params[name] = self._shared[name]
            return self._params[name]
        return None

    def get(self, name, **kwargs):
        """The parameter `prefix` + `name`, made if there is none."""
        name = self._prefix + name
        p = self._find(name)
        if p is None:
            self._params[name] = p = Parameter(name, **kwargs)
            return p
        for k, v in kwargs.items():
            if k == "shape" and v is not None and p.shape is not None:
                v = (v,) if isinstance(v, int) else tuple(v)
                if len(v) != len(p.shape) or any(a > 0 and b > 0 and a != b for a, b in zip(v, p.shape)):
                    raise ValueError("parameter %s has shape %s, asked for with %s" % (name, p.shape, v))
                p._shape = tuple(a if a > 0 else b for a, b in zip(p.shape, v))
            elif k == "shape" and v is not None:
                p._shape = (v,) if isinstance(v, int) else tuple(v)
        return p

    def get_constant(self, name, value=None):
        name = self._prefix + name
        p = self._find(name)
        if p is None:
            if value is None:
                raise KeyError("there is no constant called %s; give a value to make it" % name)
            self._params[name] = p = Constant(name, value)
        return p

    def update(self, other):
        for k, v in other.items():
            if self._params.get(k, v) is not v:
                raise ValueError("there are two parameters called %s" % k)
            self._params[k] = v

    def initialize(self, init=None, ctx=None, verbose=False, force_reinit=False):
        init = init if init is not None else initializer.Uniform()
        if verbose and isinstance(init, initializer.Initializer):
            init.set_verbosity(verbose=verbose)
        for p in self.values():
            p.initialize(None, ctx, initializer.create(init), force_reinit)

    def zero_grad(self):
        for p in self.values():
            p.zero_grad()

    def reset_ctx(self, ctx):
        for p in self.values():
            p.reset_ctx(ctx)

    def list_ctx(self):
        found = []
        for p in self.values():
            found += [c for c in p.list_ctx() if c not in found]
        return found

    def setattr(self, name, value):
        """Sets an attribute of all parameters: params.setattr("grad_req", "null")."""
        for p in self.values():
            setattr(p, name, value)

    def select(self, pattern):
        out = ParameterDict(self._prefix)
        out.update({k: v for k, v in self.items() if re.compile(pattern).match(k)})
        return out

    def save(self, filename, strip_prefix=""):
        arrays = {}
        for p in self.values():
            if not p.name.startswith(strip_prefix):
                raise ValueError("parameter %s does not begin with %r, which is to be left out" % (p.name, strip_prefix))
            arrays[p.name[len(strip_prefix):]] = p.data()
        save(filename, arrays)

    def load(self, filename, ctx=None, allow_missing=False, ignore_extra=False, restore_prefix="", cast_dtype=False, dtype_source="current"):
        loaded = load(filename)
        if not isinstance(loaded, dict):
            raise ValueError("%s has arrays without names" % filename)
        arrays = {restore_prefix + (k[4:] if k.startswith(("arg:", "aux:")) else k): v for k, v in loaded.items()}
        for name in self.keys():
            if name not in arrays and not allow_missing:
                raise ValueError("parameter %s is not in %s, which has %s" % (name, filename, ", ".join(sorted(arrays))))
        for name, value in arrays.items():
            if name in self._params:
                self._params[name]._load_init(value, ctx, cast_dtype, dtype_source)
            elif not ignore_extra:
                raise ValueError("%s of %s is no parameter here; ignore_extra=True passes over it" % (name, filename))

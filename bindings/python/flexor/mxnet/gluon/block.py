# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.Block: a network of Python code, with its parameters by name."""
import re
import threading
from collections import OrderedDict

from .. import initializer, name as name_module
from ..ndarray import NDArray, load as nd_load, save as nd_save
from .parameter import DeferredInitializationError, Parameter, ParameterDict

_scopes = threading.local()


class _BlockScope:
    """Names of the blocks that are made in a block's name_scope: dense0_, dense1_ ..."""

    def __init__(self, block):
        self._block, self._counter, self._before, self._names = block, {}, None, None

    @staticmethod
    def create(prefix, params, hint):
        """(prefix, parameters) of a new block."""
        current = getattr(_scopes, "current", None)
        if current is None:
            if prefix is None:
                if not hasattr(_scopes, "names"):
                    _scopes.names = {}
                n = _scopes.names.get(hint, 0)
                _scopes.names[hint] = n + 1
                prefix = "%s%d_" % (hint, n)
            return prefix, ParameterDict(prefix) if params is None else ParameterDict(params.prefix, params)
        if prefix is None:
            n = current._counter.get(hint, 0)
            current._counter[hint] = n + 1
            prefix = "%s%d_" % (hint, n)
        if params is None:
            parent = current._block.params
            params = ParameterDict(parent.prefix + prefix, parent._shared)
        else:
            params = ParameterDict(params.prefix, params)
        return current._block.prefix + prefix, params

    def __enter__(self):
        if self._block._empty_prefix:
            return self
        self._before = getattr(_scopes, "current", None)
        _scopes.current = self
        self._names = name_module.Prefix(self._block.prefix)
        self._names.__enter__()
        return self

    def __exit__(self, *error):
        if self._block._empty_prefix:
            return
        self._names.__exit__(*error)
        _scopes.current = self._before


class HookHandle:
    """Takes a hook away again: handle.detach()."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook
        hooks.append(hook)

    def detach(self):
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.detach()


class Block:
    """A layer or network: children and parameters are what its attributes hold; forward(*args) computes."""

    _container = False  # Sequential and its like: summary shows what is in them

    def __init__(self, prefix=None, params=None):
        self._empty_prefix = prefix == ""
        self._prefix, self._params = _BlockScope.create(prefix, params, self._alias())
        self._name = self._prefix[:-1] if self._prefix.endswith("_") else self._prefix
        self._scope = _BlockScope(self)
        self._children, self._reg_params = OrderedDict(), {}
        self._forward_hooks, self._forward_pre_hooks = [], []

    def _alias(self):
        return type(self).__name__.lower()

    def __repr__(self):
        lines = ["  (%s): %s" % (k, repr(c).replace("\n", "\n  ")) for k, c in self._children.items()]
        return "%s(\n%s\n)" % (type(self).__name__, "\n".join(lines)) if lines else "%s()" % type(self).__name__

    def __setattr__(self, name, value):
        old = self.__dict__.get(name)
        if isinstance(old, (Parameter, Block)) and not isinstance(value, type(old)) and not isinstance(old, type(value)):
            raise TypeError("attribute %s is a %s and cannot become a %s" % (name, type(old).__name__, type(value).__name__))
        if isinstance(value, Block):
            self.register_child(value, name)
        elif isinstance(value, Parameter):
            if name in self._reg_params and self._reg_params[name] is not value:
                raise ValueError("parameter %s is set already" % name)
            self._reg_params[name] = value
        super().__setattr__(name, value)

    @property
    def prefix(self):
        return self._prefix

    @property
    def name(self):
        return self._name

    @property
    def params(self):
        """The parameters of this block alone."""
        return self._params

    def name_scope(self):
        """with self.name_scope(): what is made here has names that begin with this block's."""
        return self._scope

    def collect_params(self, select=None):
        """The parameters of this block and all inside it."""
        found = ParameterDict(self._params.prefix)
        pattern = re.compile(select) if select else None
        found.update({k: v for k, v in self._params.items() if not pattern or pattern.match(k)})
        for child in self._children.values():
            found.update(child.collect_params(select))
        return found

    def _collect_params_with_prefix(self, prefix=""):
        """Parameters by structural names: 0.weight, features.1.gamma."""
        prefix = prefix + "." if prefix else ""
        found = {prefix + k: p for k, p in self._reg_params.items()}
        for name, child in self._children.items():
            found.update(child._collect_params_with_prefix(prefix + name))
        return found

    def save_parameters(self, filename, deduplicate=False):
        params = self._collect_params_with_prefix()
        if deduplicate:
            first = {}
            for k, p in params.items():
                first.setdefault(p, k)
            params = {k: p for p, k in first.items()}
        nd_save(filename, {k: p.data() for k, p in params.items()})

    def load_parameters(self, filename, ctx=None, allow_missing=False, ignore_extra=False, cast_dtype=False, dtype_source="current"):
        loaded = nd_load(filename)
        if not isinstance(loaded, dict):
            loaded = {}
        params = self._collect_params_with_prefix()
        if loaded and not any("." in k for k in loaded) and any("." in k for k in params):
            # full names: what ParameterDict.save and export wrote
            self.collect_params().load(filename, ctx, allow_missing, ignore_extra, self.prefix, cast_dtype, dtype_source)
            return
        if not allow_missing:
            same = {}
            for k, p in params.items():
                same.setdefault(p, []).append(k)
            for p, names in same.items():
                if not any(n in loaded for n in names):
                    raise ValueError("parameter %s is not in %s, which has %s; allow_missing=True leaves it" % (names[0], filename, ", ".join(sorted(loaded))))
        for k, value in loaded.items():
            if k in params:
                params[k]._load_init(value, ctx, cast_dtype, dtype_source)
            elif not ignore_extra:
                raise ValueError("%s of %s is no parameter of this block; ignore_extra=True passes over it" % (k, filename))

    def save_params(self, filename):
        self.collect_params().save(filename, strip_prefix=self.prefix)

    def load_params(self, filename, ctx=None, allow_missing=False, ignore_extra=False):
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    def register_child(self, block, name=None):
        self._children[str(len(self._children)) if name is None else name] = block

    def register_forward_pre_hook(self, hook):
        return HookHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook):
        return HookHandle(self._forward_hooks, hook)

    def apply(self, fn):
        for child in self._children.values():
            child.apply(fn)
        fn(self)
        return self

    def initialize(self, init=None, ctx=None, verbose=False, force_reinit=False):
        self.collect_params().initialize(init if init is not None else initializer.Uniform(), ctx, verbose, force_reinit)

    def hybridize(self, active=True, **kwargs):
        for child in self._children.values():
            child.hybridize(active, **kwargs)

    def cast(self, dtype):
        for child in self._children.values():
            child.cast(dtype)
        for p in self._reg_params.values():
            p.cast(dtype)

    def zero_grad(self):
        self.collect_params().zero_grad()

    def __call__(self, *args, **kwargs):
        for hook in list(self._forward_pre_hooks):
            hook(self, args)
        out = self.forward(*args, **kwargs)
        for hook in list(self._forward_hooks):
            hook(self, args, out)
        return out

    def forward(self, *args):
        raise NotImplementedError("a block must have forward")

    def summary(self, *inputs):
        """Prints each block with its output's shape and parameters, found by running it on `inputs`."""
        rows, handles = [], []

        def watch(block):
            def hook(b, _, out):
                shapes = [o.shape for o in (out if isinstance(out, (list, tuple)) else [out]) if isinstance(o, NDArray)]
                own = {p: p.data().size for p in b.params.values() if p._data is not None}
                rows.append((b.name, type(b).__name__, shapes[0] if len(shapes) == 1 else shapes, own))
            if not block._container:
                handles.append(block.register_forward_hook(hook))
        active = getattr(self, "_active", False)
        self.hybridize(False)
        self.apply(watch)
        try:
            self(*inputs)
        finally:
            for h in handles:
                h.detach()
            if active:
                self.hybridize()
        seen = {}
        for row in rows:
            seen.update(row[3])
        seen.update({p: p.data().size for p in self.collect_params().values()})
        line = "-" * 80
        print(line + "\n%-40s %-24s %12s\n" % ("Layer (type)", "Output Shape", "Param #") + line)
        for name, kind, shape, own in rows:
            print("%-40s %-24s %12d" % ("%s (%s)" % (name, kind), shape, sum(own.values())))
        trained = sum(n for p, n in seen.items() if p.grad_req != "null")
        print("%s\nParameters in total: %d\nTrainable params: %d\nNon-trainable params: %d\n%s" % (line, sum(seen.values()), trained, sum(seen.values()) - trained, line))


__all__ = ["Block", "DeferredInitializationError", "HookHandle"]

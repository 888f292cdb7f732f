# SPDX-License-Identifier: Apache-2.0
"""mx.init: first values of parameters. The classes and their settings are the registry's; a user's own is a subclass of Initializer."""
import json
import re

from . import random as _random
from .base import Registry, entries, f, texts
from .ndarray import load

_registry = Registry("initializer")
register = _registry.register
alias = _registry.alias


class InitDesc(str):
    """A parameter's name with its attributes."""

    def __new__(cls, name, attrs=None, global_init=None):
        made = super().__new__(cls, name)
        made.attrs, made.global_init = attrs or {}, global_init
        return made


class Initializer:
    """init(desc, array) fills the array, by what its name says it is: weight, bias, gamma, beta, moving_mean, moving_var ..."""

    def __init__(self, **kwargs):
        self._kwargs, self._verbose, self._print_func = kwargs, False, None

    def set_verbosity(self, verbose=False, print_func=None):
        self._verbose, self._print_func = verbose, print_func
        return self

    def dumps(self):
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __eq__(self, other):
        return type(self) is type(other) and self._kwargs == other._kwargs

    def __hash__(self):
        return hash(self.dumps())

    def __repr__(self):
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % i for i in self._kwargs.items()))

    def __call__(self, desc, arr):
        if not isinstance(desc, InitDesc):
            desc = InitDesc(desc)
        if desc.global_init is None:
            desc.global_init = self
        own = desc.attrs.get("__init__", "")
        if own:
            create(own)._init_weight(desc, arr)
        else:
            for ends, method in _BY_NAME:
                if desc.endswith(ends):
                    getattr(self, method)(desc, arr)
                    break
            else:
                self._init_default(desc, arr)
        if self._verbose and self._print_func:
            self._print_func(desc, arr)

    def _init_zero(self, _, arr):
        arr[:] = 0

    def _init_one(self, _, arr):
        arr[:] = 1

    _init_bias = _init_beta = _init_zero
    _init_gamma = _init_one

    def _init_bilinear(self, name, arr):
        create("bilinear")._init_weight(name, arr)

    def _init_weight(self, name, arr):
        raise NotImplementedError("an initializer must have _init_weight(name, arr)")

    def _init_default(self, name, arr):
        raise ValueError("how %r begins is not said by its name, which should end in weight, bias, gamma or beta; use mx.sym.Variable(init=...) to say it" % str(name))


_BY_NAME = (("weight", "_init_weight"), ("bias", "_init_bias"), ("gamma", "_init_gamma"), ("beta", "_init_beta"), ("moving_mean", "_init_zero"), ("running_mean", "_init_zero"),
            ("moving_var", "_init_one"), ("running_var", "_init_one"), ("moving_inv_var", "_init_zero"), ("moving_avg", "_init_zero"), ("min", "_init_zero"), ("max", "_init_one"))


class _Registered(Initializer):
    """An initializer of the registry."""
    _name, _settings = "", ()

    def __init__(self, *args, **kwargs):
        names = [n for n, _ in self._settings]
        if len(args) > len(names):
            raise TypeError("%s takes %s" % (self._name, ", ".join(names) or "nothing"))
        kwargs.update(zip(names, args))
        self._handle = f.flx_initializer_create(self._name, texts(kwargs))
        super().__init__(**kwargs)

    def _init_weight(self, name, arr):
        f.flx_initializer_fill(self._handle, str(name), _random.next_seed(), arr)


class Constant(Initializer):
    """One value, or an array, for all elements."""

    def __init__(self, value=0.0):
        super().__init__(value=value if isinstance(value, (int, float)) else getattr(value, "tolist", lambda: value)())
        self.value = value

    def _init_weight(self, name, arr):
        arr[:] = self.value


def _classes():
    made = {"Constant": Constant}
    register(Constant, "constant")
    for name, aliases, settings, doc in entries("initializer"):
        if name not in made:
            made[name] = type(name, (_Registered,), {"_name": name, "_settings": settings, "__doc__": doc, "__module__": __name__})
            register(made[name], name, *aliases)
    return made


globals().update(_classes())


class Mixed:
    """The first initializer whose pattern fits a parameter's name."""

    def __init__(self, patterns, initializers):
        if len(patterns) != len(initializers):
            raise ValueError("expected as many patterns as initializers")
        self._pairs = [(re.compile(p), i) for p, i in zip(patterns, initializers)]

    def __call__(self, name, arr):
        for pattern, init in self._pairs:
            if pattern.match(name):
                init(name, arr)
                return
        raise ValueError("no pattern fits the parameter %s; add '.*' at the end" % name)


class Load:
    """Values from a file or dict; `default_init` makes those that it lacks."""

    def __init__(self, param, default_init=None, verbose=False):
        param = load(param) if isinstance(param, str) else param
        self.param = {k[4:] if k.startswith(("arg:", "aux:")) else k: v for k, v in param.items()}
        self.default_init = default_init

    def __call__(self, name, arr):
        if name in self.param:
            if self.param[name].shape != arr.shape:
                raise ValueError("parameter %s has shape %s, the loaded one %s" % (name, arr.shape, self.param[name].shape))
            arr[:] = self.param[name]
        elif self.default_init is None:
            raise ValueError("parameter %s was not loaded, and there is no default_init" % name)
        else:
            self.default_init(name, arr)


def create(init, **kwargs):
    """An initializer from its name, what dumps() gave, or itself."""
    if not isinstance(init, str):
        return init
    if init.startswith("["):
        name, settings = json.loads(init)
        return _registry.create(name, **settings)
    return _registry.create(init, **kwargs)


__all__ = ["Initializer", "InitDesc", "Mixed", "Load", "Constant", "create", "register", "alias"]

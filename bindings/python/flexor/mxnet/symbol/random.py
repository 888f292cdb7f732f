# SPDX-License-Identifier: Apache-2.0
"""mx.sym.random: distributions by numbers, or by symbols of their parameters."""
import numpy as np

from .symbol import Symbol, function


def _make(name, parameters):
    names = [n for n, _ in parameters]

    def draw(*args, shape=None, dtype=None, **kwargs):
        values = dict(parameters)
        args = list(args)
        for n in names:
            if args:
                values[n] = args.pop(0)
            if n in kwargs:
                values[n] = kwargs.pop(n)
        if args:
            shape = args.pop(0)
        if name == "exponential":
            values = {"lam": 1.0 / values["scale"]}
        options = {} if dtype is None else {"dtype": np.dtype(dtype).name}
        options.update(kwargs)
        if any(isinstance(v, Symbol) for v in values.values()):
            return function("_sample_" + name)(*values.values(), shape=() if shape is None else shape, **options)
        return function("_random_" + name)(shape=(1,) if shape is None else shape if isinstance(shape, (tuple, list)) else (shape,), **values, **options)
    draw.__name__ = draw.__qualname__ = name
    draw.__doc__ = "%s(%s, shape=None, dtype=None)" % (name, ", ".join("%s=%s" % p for p in parameters))
    return draw


uniform = _make("uniform", [("low", 0), ("high", 1)])
normal = _make("normal", [("loc", 0), ("scale", 1)])
gamma = _make("gamma", [("alpha", 1), ("beta", 1)])
exponential = _make("exponential", [("scale", 1)])
poisson = _make("poisson", [("lam", 1)])
negative_binomial = _make("negative_binomial", [("k", 1), ("p", 1)])
generalized_negative_binomial = _make("generalized_negative_binomial", [("mu", 1), ("alpha", 1)])
randint = _make("randint", [("low", 0), ("high", 1)])


def multinomial(data, shape=None, get_prob=False, dtype="int32", **kwargs):
    return function("_sample_multinomial")(data, shape=() if shape is None else shape, get_prob=get_prob, dtype=np.dtype(dtype).name, **kwargs)


def shuffle(data, **kwargs):
    return function("_shuffle")(data, **kwargs)

# SPDX-License-Identifier: Apache-2.0
"""mx.nd.random: distributions by numbers, or by arrays of their parameters."""
import numpy as np

from .ndarray import NDArray, call, on_device
from ..base import texts


def _draw(numbers, arrays, parameters, shape, dtype, ctx, out, extra=None):
    """`parameters` {name of the operator on numbers: value}: numbers draw by `_random_x`, arrays by `_sample_x`."""
    values = list(parameters.values())
    if any(isinstance(v, NDArray) for v in values):
        from . import full
        like = next(v for v in values if isinstance(v, NDArray))
        given = [v if isinstance(v, NDArray) else full(like.shape, v, like.context, like.dtype) for v in values]
        options = {"shape": shape if isinstance(shape, (tuple, list)) else () if shape is None else (shape,)}
        if dtype is not None:
            options["dtype"] = np.dtype(dtype).name
        return call(arrays, given, texts(options), out)
    options = dict(parameters)
    options["shape"] = out.shape if out is not None and shape is None else shape if isinstance(shape, (tuple, list)) else (1,) if shape is None else (shape,)
    if dtype is not None:
        options["dtype"] = np.dtype(dtype).name
    return on_device(numbers, options, ctx, out)


def uniform(low=0, high=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_uniform", "_sample_uniform", {"low": low, "high": high}, shape, dtype, ctx, out)


def normal(loc=0, scale=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_normal", "_sample_normal", {"loc": loc, "scale": scale}, shape, dtype, ctx, out)


def randn(*shape, **kwargs):
    return normal(kwargs.pop("loc", 0), kwargs.pop("scale", 1), shape or None, **kwargs)


def gamma(alpha=1, beta=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_gamma", "_sample_gamma", {"alpha": alpha, "beta": beta}, shape, dtype, ctx, out)


def exponential(scale=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_exponential", "_sample_exponential", {"lam": 1.0 / scale}, shape, dtype, ctx, out)


def poisson(lam=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_poisson", "_sample_poisson", {"lam": lam}, shape, dtype, ctx, out)


def negative_binomial(k=1, p=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_negative_binomial", "_sample_negative_binomial", {"k": k, "p": p}, shape, dtype, ctx, out)


def generalized_negative_binomial(mu=1, alpha=1, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_generalized_negative_binomial", "_sample_generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, ctx, out)


def randint(low, high, shape=None, dtype=None, ctx=None, out=None, **kwargs):
    return _draw("_random_randint", None, {"low": int(low), "high": int(high)}, shape, dtype, ctx, out)


def multinomial(data, shape=None, get_prob=False, out=None, dtype="int32", **kwargs):
    options = {"get_prob": get_prob, "dtype": np.dtype(dtype).name, "shape": () if shape is None else shape if isinstance(shape, (tuple, list)) else (shape,)}
    return call("_sample_multinomial", (data,), texts(options), out)


def shuffle(data, **kwargs):
    return call("_shuffle", (data,), {}, kwargs.get("out"))


def _like(draw):
    def run(*args, data=None, **kwargs):
        """As %s, in the shape, dtype and place of the array `data`."""
        args = list(args)
        data = args.pop() if data is None else data
        return draw(*args, shape=data.shape, dtype=data.dtype, ctx=data.context, **kwargs)
    run.__name__ = run.__qualname__ = draw.__name__ + "_like"
    run.__doc__ = run.__doc__ % draw.__name__
    return run


_names = ["uniform", "normal", "gamma", "exponential", "poisson", "negative_binomial", "generalized_negative_binomial"]
for _name in _names:
    globals()[_name + "_like"] = _like(globals()[_name])
__all__ = _names + [n + "_like" for n in _names] + ["randn", "randint", "multinomial", "shuffle"]

# SPDX-License-Identifier: Apache-2.0
"""Convolutions and poolings of one to three dimensions: one class each, and what a dimension decides."""
from ..hybrid import HybridBlock
from .activations import Activation

_LAYOUT = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


def _tuple(value, ndim):
    return (value,) * ndim if isinstance(value, int) else tuple(value)


class _Conv(HybridBlock):
    """`_ndim` is set by the class of a dimension."""
    _ndim, _op = 2, "Convolution"

    def __init__(self, channels, kernel_size, strides=1, padding=0, dilation=1, groups=1, layout=None, activation=None, use_bias=True, weight_initializer=None,
                 bias_initializer="zeros", in_channels=0, output_padding=None, **kwargs):
        super().__init__(**kwargs)
        n = self._ndim
        kernel, layout = _tuple(kernel_size, n), layout or _LAYOUT[n]
        self._channels, self._in_channels = channels, in_channels
        self._kwargs = {"kernel": kernel, "stride": _tuple(strides, n), "dilate": _tuple(dilation, n), "pad": _tuple(padding, n), "num_filter": channels,
                        "num_group": groups, "no_bias": not use_bias, "layout": layout}
        inner, outer = in_channels // groups if in_channels else 0, channels
        if self._op == "Deconvolution":
            self._kwargs["adj"] = _tuple(output_padding or 0, n)
            inner, outer = channels // groups, in_channels
        shape = (outer, inner) + kernel if layout[1] == "C" else (outer,) + kernel + (inner,)
        self.weight = self.params.get("weight", shape=shape, init=weight_initializer, allow_deferred_init=True)
        self.bias = self.params.get("bias", shape=(channels,), init=bias_initializer, allow_deferred_init=True) if use_bias else None
        with self.name_scope():
            self.act = Activation(activation, prefix=activation + "_") if activation is not None else None

    def _alias(self):
        return "conv"

    def hybrid_forward(self, F, x, weight, bias=None):
        out = getattr(F, self._op)(x, weight, bias, name="fwd", **self._kwargs)
        return self.act(out) if self.act is not None else out

    def __repr__(self):
        k = self._kwargs
        shown = ["kernel_size=%s" % (k["kernel"],), "stride=%s" % (k["stride"],)] + ["padding=%s" % (k["pad"],)] * any(k["pad"]) + ["groups=%d" % k["num_group"]] * (k["num_group"] != 1)
        return "%s(%s -> %d, %s)" % (type(self).__name__, self._in_channels or None, self._channels, ", ".join(shown))


class _ConvTranspose(_Conv):
    _op = "Deconvolution"

    def __init__(self, channels, kernel_size, strides=1, padding=0, output_padding=0, dilation=1, groups=1, layout=None, activation=None, use_bias=True,
                 weight_initializer=None, bias_initializer="zeros", in_channels=0, **kwargs):
        super().__init__(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias, weight_initializer, bias_initializer, in_channels,
                         output_padding, **kwargs)


class _Pool(HybridBlock):
    _ndim, _type, _global = 2, "max", False

    def __init__(self, pool_size=2, strides=None, padding=0, ceil_mode=False, layout=None, count_include_pad=None, **kwargs):
        super().__init__(**kwargs)
        n = self._ndim
        size = _tuple(pool_size, n)
        self._kwargs = {"kernel": size, "stride": size if strides is None else _tuple(strides, n), "pad": _tuple(padding, n), "global_pool": self._global,
                        "pool_type": self._type, "pooling_convention": "full" if ceil_mode else "valid", "layout": layout or _LAYOUT[n]}
        if count_include_pad is not None:
            self._kwargs["count_include_pad"] = count_include_pad

    def _alias(self):
        return "pool"

    def hybrid_forward(self, F, x):
        return F.Pooling(x, name="fwd", **self._kwargs)

    def __repr__(self):
        k = self._kwargs
        return "%s(size=%s, stride=%s, padding=%s, ceil_mode=%s, global_pool=%s, pool_type=%s, layout=%s)" % (
            type(self).__name__, k["kernel"], k["stride"], k["pad"], k["pooling_convention"] == "full", k["global_pool"], k["pool_type"], k["layout"])


class _MaxPool(_Pool):
    def __init__(self, pool_size=2, strides=None, padding=0, layout=None, ceil_mode=False, **kwargs):
        super().__init__(pool_size, strides, padding, ceil_mode, layout, **kwargs)


class _AvgPool(_Pool):
    _type = "avg"

    def __init__(self, pool_size=2, strides=None, padding=0, ceil_mode=False, layout=None, count_include_pad=True, **kwargs):
        super().__init__(pool_size, strides, padding, ceil_mode, layout, count_include_pad, **kwargs)


class _GlobalPool(_Pool):
    _global = True

    def __init__(self, layout=None, **kwargs):
        super().__init__(1, layout=layout, **kwargs)


class _GlobalAvgPool(_GlobalPool):
    _type = "avg"


__all__ = []
for _n in (1, 2, 3):
    for _pattern, _base in (("Conv%dD", _Conv), ("Conv%dDTranspose", _ConvTranspose), ("MaxPool%dD", _MaxPool), ("AvgPool%dD", _AvgPool),
                            ("GlobalMaxPool%dD", _GlobalPool), ("GlobalAvgPool%dD", _GlobalAvgPool)):
        _name = _pattern % _n
        globals()[_name] = type(_name, (_base,), {"_ndim": _n, "__module__": __name__, "__doc__": "%s over %d spatial axes, in the layout %s." % (
            {"C": "A convolution", "M": "The largest value", "A": "The mean", "G": "One value for each channel"}[_name[0]], _n, _LAYOUT[_n])})
        __all__.append(_name)

# SPDX-License-Identifier: Apache-2.0
"""Containers, dense layers, normalizations, lookups."""
import numpy as np

from ... import ndarray, symbol
from ..block import Block
from ..hybrid import HybridBlock
from .activations import Activation


class _Container:
    _container = True

    def add(self, *blocks):
        """Appends blocks."""
        for block in blocks:
            self.register_child(block)

    def __getitem__(self, key):
        blocks = list(self._children.values())[key]
        if not isinstance(blocks, list):
            return blocks
        part = type(self)(prefix=self._prefix)
        with part.name_scope():
            part.add(*blocks)
        return part

    def __len__(self):
        return len(self._children)

    def __iter__(self):
        return iter(self._children.values())

    def _chain(self, x, args):
        for block in self._children.values():
            x = block(x, *args)
            args = ()
            if isinstance(x, (tuple, list)):
                x, args = x[0], tuple(x[1:])
        return (x,) + args if args else x


class Sequential(_Container, Block):
    """Blocks one after the other."""

    def forward(self, x, *args):
        return self._chain(x, args)


class HybridSequential(_Container, HybridBlock):
    """HybridBlocks one after the other."""

    def hybrid_forward(self, F, x, *args):
        return self._chain(x, args)


class Dense(HybridBlock):
    """activation(x W' + b)."""

    def __init__(self, units, activation=None, use_bias=True, flatten=True, dtype="float32", weight_initializer=None, bias_initializer="zeros", in_units=0, **kwargs):
        super().__init__(**kwargs)
        self._flatten, self._units, self._in_units = flatten, units, in_units
        with self.name_scope():
            self.weight = self.params.get("weight", shape=(units, in_units), init=weight_initializer, dtype=dtype, allow_deferred_init=True)
            self.bias = self.params.get("bias", shape=(units,), init=bias_initializer, dtype=dtype, allow_deferred_init=True) if use_bias else None
            self.act = Activation(activation, prefix=activation + "_") if activation is not None else None

    def hybrid_forward(self, F, x, weight, bias=None):
        out = F.FullyConnected(x, weight, bias, no_bias=bias is None, num_hidden=self._units, flatten=self._flatten, name="fwd")
        return self.act(out) if self.act is not None else out

    def __repr__(self):
        return "%s(%s -> %d, %s)" % (type(self).__name__, self.weight.shape[1] or None, self._units, self.act if self.act else "linear")


class Dropout(HybridBlock):
    """Sets elements to 0 with probability `rate`, in training."""

    def __init__(self, rate, axes=(), **kwargs):
        super().__init__(**kwargs)
        self._rate, self._axes = rate, axes

    def hybrid_forward(self, F, x):
        return F.Dropout(x, p=self._rate, axes=self._axes, name="fwd", cudnn_off=False) if self._rate > 0 else F.identity(x)

    def __repr__(self):
        return "%s(p = %s, axes=%s)" % (type(self).__name__, self._rate, self._axes)


class BatchNorm(HybridBlock):
    """Normalizes each channel over the batch."""

    _relu = False

    def __init__(self, axis=1, momentum=0.9, epsilon=1e-5, center=True, scale=True, use_global_stats=False, beta_initializer="zeros", gamma_initializer="ones",
                 running_mean_initializer="zeros", running_variance_initializer="ones", in_channels=0, **kwargs):
        super().__init__(**kwargs)
        self._kwargs = {"axis": axis, "eps": epsilon, "momentum": momentum, "fix_gamma": not scale, "use_global_stats": use_global_stats}
        shape = (in_channels,)
        self.gamma = self.params.get("gamma", grad_req="write" if scale else "null", shape=shape, init=gamma_initializer, allow_deferred_init=True, differentiable=scale)
        self.beta = self.params.get("beta", grad_req="write" if center else "null", shape=shape, init=beta_initializer, allow_deferred_init=True, differentiable=center)
        self.running_mean = self.params.get("running_mean", grad_req="null", shape=shape, init=running_mean_initializer, allow_deferred_init=True, differentiable=False)
        self.running_var = self.params.get("running_var", grad_req="null", shape=shape, init=running_variance_initializer, allow_deferred_init=True, differentiable=False)

    def cast(self, dtype):
        super().cast("float32" if np.dtype(dtype) == np.float16 else dtype)

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        out = F.BatchNorm(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)
        return F.relu(out) if self._relu else out

    def __repr__(self):
        return "%s(%s, in_channels=%s)" % (type(self).__name__, ", ".join("%s=%r" % i for i in self._kwargs.items()), self.gamma.shape[0] or None)


class BatchNormReLU(BatchNorm):
    _relu = True


class _Norm(HybridBlock):
    """Normalizations with a scale and a shift."""

    def __init__(self, center, scale, beta_initializer, gamma_initializer, in_channels, **kwargs):
        super().__init__(**kwargs)
        self.gamma = self.params.get("gamma", grad_req="write" if scale else "null", shape=(in_channels,), init=gamma_initializer, allow_deferred_init=True)
        self.beta = self.params.get("beta", grad_req="write" if center else "null", shape=(in_channels,), init=beta_initializer, allow_deferred_init=True)


class InstanceNorm(_Norm):
    def __init__(self, axis=1, epsilon=1e-5, center=True, scale=False, beta_initializer="zeros", gamma_initializer="ones", in_channels=0, **kwargs):
        super().__init__(center, scale, beta_initializer, gamma_initializer, in_channels, **kwargs)
        self._axis, self._epsilon = axis, epsilon

    def hybrid_forward(self, F, x, gamma, beta):
        if self._axis == 1:
            return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        x = F.swapaxes(x, dim1=1, dim2=self._axis)
        return F.swapaxes(F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon), dim1=1, dim2=self._axis)


class LayerNorm(_Norm):
    def __init__(self, axis=-1, epsilon=1e-5, center=True, scale=True, beta_initializer="zeros", gamma_initializer="ones", in_channels=0, prefix=None, params=None):
        super().__init__(center, scale, beta_initializer, gamma_initializer, in_channels, prefix=prefix, params=params)
        self._axis, self._epsilon = axis, epsilon

    def hybrid_forward(self, F, x, gamma, beta):
        return F.LayerNorm(x, gamma=gamma, beta=beta, axis=self._axis, eps=self._epsilon)


class GroupNorm(_Norm):
    def __init__(self, num_groups=1, epsilon=1e-5, center=True, scale=True, beta_initializer="zeros", gamma_initializer="ones", prefix=None, params=None):
        super().__init__(center, scale, beta_initializer, gamma_initializer, num_groups, prefix=prefix, params=params)
        self._num_groups, self._epsilon = num_groups, epsilon

    def hybrid_forward(self, F, x, gamma, beta):
        return F.GroupNorm(x, gamma=gamma, beta=beta, num_groups=self._num_groups, eps=self._epsilon)


class Embedding(HybridBlock):
    """Row i of a table for index i."""

    def __init__(self, input_dim, output_dim, dtype="float32", weight_initializer=None, sparse_grad=False, **kwargs):
        super().__init__(**kwargs)
        self._kwargs = {"input_dim": input_dim, "output_dim": output_dim, "dtype": dtype}
        self.weight = self.params.get("weight", shape=(input_dim, output_dim), init=weight_initializer, dtype=dtype, allow_deferred_init=True)

    def hybrid_forward(self, F, x, weight):
        return F.Embedding(x, weight, name="fwd", **self._kwargs)

    def __repr__(self):
        return "%s(%d -> %d, %s)" % ((type(self).__name__,) + tuple(self._kwargs.values()))


class Flatten(HybridBlock):
    """All axes after the first as one."""

    def hybrid_forward(self, F, x):
        return F.Flatten(x)


class ReflectionPad2D(HybridBlock):
    """Pads height and width with what lies inside, mirrored."""

    def __init__(self, padding=0, **kwargs):
        super().__init__(**kwargs)
        self._padding = (0, 0, 0, 0) + (padding,) * 4 if isinstance(padding, int) else tuple(padding)

    def hybrid_forward(self, F, x):
        return F.pad(x, mode="reflect", pad_width=self._padding)


class Lambda(Block):
    """A function, or an operator's name, as a block."""

    def __init__(self, function, prefix=None):
        super().__init__(prefix=prefix)
        self._func = getattr(ndarray, function) if isinstance(function, str) else function
        self._func_name = function if isinstance(function, str) else function.__name__

    def forward(self, *args):
        return self._func(*args)

    def __repr__(self):
        return "%s(%s)" % (type(self).__name__, self._func_name)


class HybridLambda(HybridBlock):
    """function(F, x, ...), or an operator's name, as a block."""

    def __init__(self, function, prefix=None):
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            getattr(ndarray, function), getattr(symbol, function)  # it must be there
            self._func, self._func_name = (lambda F, *args: getattr(F, function)(*args)), function
        else:
            self._func, self._func_name = function, function.__name__

    def hybrid_forward(self, F, x, *args):
        return self._func(F, x, *args)

    def __repr__(self):
        return "%s(%s)" % (type(self).__name__, self._func_name)

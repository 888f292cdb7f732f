# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells: one step, and sequences step by step."""
from ... import ndarray, symbol
from ...symbol import Symbol
from ..block import Block
from ..hybrid import HybridBlock


def module_of(x):
    """mx.sym or mx.nd, whichever an input is of."""
    while isinstance(x, (list, tuple)):
        x = x[0]
    return symbol if isinstance(x, Symbol) else ndarray


def zero_state(F, x, shape):
    """Zeros of a state's shape, whose batch (written 0) is that of `x` (batch, features ...), known or not."""
    if F is ndarray:
        return ndarray.zeros(tuple(x.shape[0] if s == 0 else s for s in shape), x.context, x.dtype)
    one = F.zeros_like(F.sum(F.Flatten(x), axis=1, keepdims=True))
    return F.broadcast_axis(one, axis=1, size=shape[1]) if len(shape) == 2 else F.broadcast_axis(F.reshape(one, shape=(0, 1) + (1,) * (len(shape) - 2)), axis=tuple(
        range(1, len(shape))), size=tuple(shape[1:]))


def as_steps(inputs, length, layout):
    """A list of the steps of a sequence, which may be one already: (steps, axis of time, axis of the batch)."""
    axis = layout.find("T")
    if isinstance(inputs, (list, tuple)):
        if length is not None and len(inputs) != length:
            raise ValueError("unroll: expected %d steps, given %d" % (length, len(inputs)))
        return list(inputs), axis, layout.find("N")
    F = module_of(inputs)
    if length is None:
        length = inputs.shape[axis]
    if F is ndarray and inputs.shape[axis] != length:
        raise ValueError("unroll: expected %d steps, given %d" % (length, inputs.shape[axis]))
    steps = F.SliceChannel(inputs, axis=axis, num_outputs=length, squeeze_axis=True)
    return [steps] if length == 1 and F is ndarray else list(steps), axis, layout.find("N")


def together(F, outputs, axis, valid_length=None):
    """Steps as one sequence, with zeros behind `valid_length` steps of each sample."""
    merged = F.stack(*outputs, axis=axis)
    if valid_length is not None:
        merged = F.SequenceMask(merged, sequence_length=valid_length, use_sequence_length=True, axis=axis)
    return merged


class _Cell:
    """What cells of both kinds share."""

    _modified = False
    _counter = -1

    def reset(self):
        """Begins to count steps anew."""
        self._counter = -1
        for cell in self._children.values():
            if isinstance(cell, _Cell):
                cell.reset()

    def state_info(self, batch_size=0):
        raise NotImplementedError

    def begin_state(self, batch_size=0, func=None, **kwargs):
        """First states: zeros."""
        if self._modified:
            raise RuntimeError("after a cell was modified its modifier has the states")
        func = func or ndarray.zeros
        states = []
        for info in self.state_info(batch_size):
            states.append(func(shape=info["shape"], **kwargs))
        return states

    def _zeros(self, F, x):
        return [zero_state(F, x, info["shape"]) for info in self.state_info(0)]

    def unroll(self, length, inputs, begin_state=None, layout="NTC", merge_outputs=None, valid_length=None):
        """(outputs, states) of a sequence: outputs as a list of steps, with merge_outputs=True as one array in `layout`."""
        self.reset()
        F = module_of(inputs)
        steps, axis, _ = as_steps(inputs, length, layout)
        states = begin_state if begin_state is not None else self._zeros(F, steps[0])
        outputs, all_states = [], []
        for x in steps:
            out, states = self(x, states)
            outputs.append(out)
            all_states.append(states)
        if valid_length is not None:
            # the states after the last valid step of each sample
            states = [F.SequenceLast(F.stack(*column, axis=0), sequence_length=valid_length, use_sequence_length=True, axis=0) for column in zip(*all_states)]
            merged = together(F, outputs, axis, valid_length)
            return (list(as_steps(merged, len(outputs), layout)[0]) if merge_outputs is False else merged), states
        return together(F, outputs, axis) if merge_outputs else outputs, states


class RecurrentCell(_Cell, Block):
    """A cell: cell(x, states) -> (output, states)."""

    def __call__(self, inputs, states, **kwargs):
        self._counter += 1
        return super().__call__(inputs, states, **kwargs)


class HybridRecurrentCell(_Cell, HybridBlock):
    """A cell that can be traced."""

    def __call__(self, inputs, states, **kwargs):
        self._counter += 1
        return super().__call__(inputs, states, **kwargs)

    def hybrid_forward(self, F, x, *args, **kwargs):
        raise NotImplementedError


class _Gates(HybridRecurrentCell):
    """Cells with weights i2h and h2h of `_gates` parts."""

    _gates = 1

    def __init__(self, hidden_size, i2h_weight_initializer=None, h2h_weight_initializer=None, i2h_bias_initializer="zeros", h2h_bias_initializer="zeros", input_size=0,
                 prefix=None, params=None):
        super().__init__(prefix=prefix, params=params)
        self._hidden_size, self._input_size = hidden_size, input_size
        n = self._gates * hidden_size
        self.i2h_weight = self.params.get("i2h_weight", shape=(n, input_size), init=i2h_weight_initializer, allow_deferred_init=True)
        self.h2h_weight = self.params.get("h2h_weight", shape=(n, hidden_size), init=h2h_weight_initializer, allow_deferred_init=True)
        self.i2h_bias = self.params.get("i2h_bias", shape=(n,), init=i2h_bias_initializer, allow_deferred_init=True)
        self.h2h_bias = self.params.get("h2h_bias", shape=(n,), init=h2h_bias_initializer, allow_deferred_init=True)

    _states = 1

    def state_info(self, batch_size=0):
        return [{"shape": (batch_size, self._hidden_size), "__layout__": "NC"} for _ in range(self._states)]

    def _parts(self, F, x, h, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        step, n = "t%d_" % self._counter, self._gates * self._hidden_size
        return (F.FullyConnected(x, i2h_weight, i2h_bias, num_hidden=n, name=step + "i2h"),
                F.FullyConnected(h, h2h_weight, h2h_bias, num_hidden=n, name=step + "h2h"), step)

    def __repr__(self):
        return "%s(%s -> %d)" % (type(self).__name__, self.i2h_weight.shape[1] or None, self.i2h_weight.shape[0])


def _activate(F, x, activation, **kwargs):
    return F.Activation(x, act_type=activation, **kwargs) if isinstance(activation, str) else activation(x)


class RNNCell(_Gates):
    """f(W x + b + R h + c)."""

    def __init__(self, hidden_size, activation="tanh", i2h_weight_initializer=None, h2h_weight_initializer=None, i2h_bias_initializer="zeros",
                 h2h_bias_initializer="zeros", input_size=0, prefix=None, params=None):
        super().__init__(hidden_size, i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer, input_size, prefix, params)
        self._activation = activation

    def _alias(self):
        return "rnn"

    def hybrid_forward(self, F, inputs, states, **weights):
        i2h, h2h, step = self._parts(F, inputs, states[0], **weights)
        out = _activate(F, i2h + h2h, self._activation, name=step + "out")
        return out, [out]


class LSTMCell(_Gates):
    """Gates in the order in, forget, change, out."""

    _gates, _states = 4, 2

    def __init__(self, hidden_size, i2h_weight_initializer=None, h2h_weight_initializer=None, i2h_bias_initializer="zeros", h2h_bias_initializer="zeros", input_size=0,
                 prefix=None, params=None, activation="tanh", recurrent_activation="sigmoid"):
        super().__init__(hidden_size, i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer, input_size, prefix, params)
        self._activation, self._recurrent = activation, recurrent_activation

    def _alias(self):
        return "lstm"

    def hybrid_forward(self, F, inputs, states, **weights):
        i2h, h2h, step = self._parts(F, inputs, states[0], **weights)
        parts = F.SliceChannel(i2h + h2h, num_outputs=4, name=step + "slice")
        put, forget, show = (_activate(F, parts[i], self._recurrent) for i in (0, 1, 3))
        cell = forget * states[1] + put * _activate(F, parts[2], self._activation)
        out = show * F.Activation(cell, act_type=self._activation)
        return out, [out, cell]


class GRUCell(_Gates):
    """Gates in the order reset, update, new."""

    _gates = 3

    def _alias(self):
        return "gru"

    def hybrid_forward(self, F, inputs, states, **weights):
        i2h, h2h, step = self._parts(F, inputs, states[0], **weights)
        ir, iz, inew = F.SliceChannel(i2h, num_outputs=3, name=step + "i2h_slice")
        hr, hz, hnew = F.SliceChannel(h2h, num_outputs=3, name=step + "h2h_slice")
        reset, update = F.Activation(ir + hr, act_type="sigmoid"), F.Activation(iz + hz, act_type="sigmoid")
        new = F.Activation(inew + reset * hnew, act_type="tanh")
        out = (1.0 - update) * new + update * states[0]
        return out, [out]

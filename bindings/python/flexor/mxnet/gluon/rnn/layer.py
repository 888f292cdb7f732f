# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers over whole sequences, on the operator RNN."""
from ... import ndarray
from ..hybrid import HybridBlock

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}


class _Layer(HybridBlock):
    """Parameters are l0_i2h_weight, r0_h2h_bias ...: direction, layer, what."""

    def __init__(self, mode, hidden_size, num_layers, layout, dropout, bidirectional, input_size, i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer,
                 h2h_bias_initializer, projection_size=None, h2r_weight_initializer=None, options=None, dtype="float32", **kwargs):
        super().__init__(**kwargs)
        if layout not in ("TNC", "NTC"):
            raise ValueError("layout must be TNC or NTC, given %r" % (layout,))
        self._mode, self._hidden_size, self._num_layers, self._layout, self._dropout = mode, hidden_size, num_layers, layout, dropout
        self._dirs, self._input_size, self._projection, self._dtype = ["l", "r"][:bidirectional + 1], input_size, projection_size, dtype
        self._more = {k: v for k, v in (options or {}).items() if v is not None and v is not False}
        n, out = _GATES[mode] * hidden_size, projection_size or hidden_size
        size = input_size
        for layer in range(num_layers):
            for d in self._dirs:
                self._register("%s%d_i2h_weight" % (d, layer), (n, size), i2h_weight_initializer)
                self._register("%s%d_h2h_weight" % (d, layer), (n, out), h2h_weight_initializer)
                if projection_size:
                    self._register("%s%d_h2r_weight" % (d, layer), (projection_size, hidden_size), h2r_weight_initializer)
                self._register("%s%d_i2h_bias" % (d, layer), (n,), i2h_bias_initializer)
                self._register("%s%d_h2h_bias" % (d, layer), (n,), h2h_bias_initializer)
            size = out * len(self._dirs)

    def _register(self, name, shape, init):
        setattr(self, name, self.params.get(name, shape=shape, init=init, dtype=self._dtype, allow_deferred_init=True))

    def __repr__(self):
        return "%s(%s -> %d, %s%s)" % (type(self).__name__, self._input_size or None, self._hidden_size, self._layout,
                                       "".join(", %s" % t for t in (["num_layers=%d" % self._num_layers] if self._num_layers > 1 else []) +
                                               (["bidirectional"] if len(self._dirs) == 2 else [])))

    def state_info(self, batch_size=0):
        """h; an LSTM has its cell, too."""
        depth = self._num_layers * len(self._dirs)
        sizes = [self._projection or self._hidden_size] + ([self._hidden_size] if self._mode == "lstm" else [])
        return [{"shape": (depth, batch_size, s), "__layout__": "LNC", "dtype": self._dtype} for s in sizes]

    def begin_state(self, batch_size=0, func=None, **kwargs):
        func = func or ndarray.zeros
        return [func(shape=info["shape"], dtype=info["dtype"], **kwargs) for info in self.state_info(batch_size)]

    def infer_shape(self, inputs, *args):
        for d in self._dirs:
            p = getattr(self, "%s0_i2h_weight" % d)
            p.shape = (p.shape[0], inputs.shape[2])

    def __call__(self, inputs, states=None, sequence_length=None, **kwargs):
        """The outputs; with states (outputs, new states)."""
        if sequence_length is not None:
            return super().__call__(inputs, states, sequence_length, **kwargs)
        return super().__call__(inputs, *([] if states is None else [states if isinstance(states, (list, tuple)) else [states]]), **kwargs)

    def _zeros(self, F, inputs):
        """First states for inputs (steps, batch, features), whose batch may be unknown."""
        if F is ndarray:
            return self.begin_state(inputs.shape[1], ctx=inputs.context)
        one = F.zeros_like(F.sum(F.slice_axis(inputs, axis=0, begin=0, end=1), axis=2, keepdims=True))  # (1, batch, 1)
        return [F.broadcast_axis(one, axis=(0, 2), size=(info["shape"][0], info["shape"][2])) for info in self.state_info()]

    def hybrid_forward(self, F, inputs, states=None, sequence_length=None, **params):
        if self._layout == "NTC":
            inputs = F.swapaxes(inputs, dim1=0, dim2=1)
        given = states is not None
        states = list(states) if given else self._zeros(F, inputs)
        kinds = ("i2h", "h2h", "h2r") if self._projection else ("i2h", "h2h")
        vector = F._internal._rnn_param_concat(*[F.reshape(params["%s%d_%s_%s" % (d, layer, g, t)], shape=(-1,)) for t in ("weight", "bias") for layer in range(self._num_layers)
                                                 for d in self._dirs for g in kinds if (g, t) != ("h2r", "bias")], dim=0)
        more = dict(self._more)
        if self._projection:
            more["projection_size"] = self._projection
        if sequence_length is not None:
            more.update(use_sequence_length=True, sequence_length=sequence_length)
        if self._mode == "lstm":
            more["state_cell"] = states[1]
        found = F.RNN(inputs, vector, states[0], state_size=self._hidden_size, num_layers=self._num_layers, bidirectional=len(self._dirs) == 2, p=self._dropout,
                      state_outputs=True, mode=self._mode, **more)
        out, new = found[0], [found[i] for i in range(1, 3 if self._mode == "lstm" else 2)]
        if self._layout == "NTC":
            out = F.swapaxes(out, dim1=0, dim2=1)
        return (out, new) if given else out


class RNN(_Layer):
    """Elman's layer, of relu or tanh."""

    def __init__(self, hidden_size, num_layers=1, activation="relu", layout="TNC", dropout=0, bidirectional=False, i2h_weight_initializer=None,
                 h2h_weight_initializer=None, i2h_bias_initializer="zeros", h2h_bias_initializer="zeros", input_size=0, dtype="float32", **kwargs):
        super().__init__("rnn_" + activation, hidden_size, num_layers, layout, dropout, bidirectional, input_size, i2h_weight_initializer, h2h_weight_initializer,
                         i2h_bias_initializer, h2h_bias_initializer, dtype=dtype, **kwargs)


class LSTM(_Layer):
    def __init__(self, hidden_size, num_layers=1, layout="TNC", dropout=0, bidirectional=False, input_size=0, i2h_weight_initializer=None, h2h_weight_initializer=None,
                 i2h_bias_initializer="zeros", h2h_bias_initializer="zeros", projection_size=None, h2r_weight_initializer=None, state_clip_min=None, state_clip_max=None,
                 state_clip_nan=False, dtype="float32", **kwargs):
        super().__init__("lstm", hidden_size, num_layers, layout, dropout, bidirectional, input_size, i2h_weight_initializer, h2h_weight_initializer,
                         i2h_bias_initializer, h2h_bias_initializer, projection_size, h2r_weight_initializer,
                         {"lstm_state_clip_min": state_clip_min, "lstm_state_clip_max": state_clip_max, "lstm_state_clip_nan": state_clip_nan}, dtype, **kwargs)


class GRU(_Layer):
    def __init__(self, hidden_size, num_layers=1, layout="TNC", dropout=0, bidirectional=False, input_size=0, i2h_weight_initializer=None, h2h_weight_initializer=None,
                 i2h_bias_initializer="zeros", h2h_bias_initializer="zeros", dtype="float32", **kwargs):
        super().__init__("gru", hidden_size, num_layers, layout, dropout, bidirectional, input_size, i2h_weight_initializer, h2h_weight_initializer,
                         i2h_bias_initializer, h2h_bias_initializer, dtype=dtype, **kwargs)

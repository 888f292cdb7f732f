# SPDX-License-Identifier: Apache-2.0
"""Cells made of cells: stacked, both ways, with dropout, zoneout, residuals."""
from ... import ndarray
from .cell import HybridRecurrentCell, RecurrentCell, as_steps, module_of, together


class _Stack:
    """Cells one above the other."""

    def add(self, cell):
        self.register_child(cell)

    def __len__(self):
        return len(self._children)

    def __getitem__(self, i):
        return list(self._children.values())[i]

    def state_info(self, batch_size=0):
        return [info for c in self._children.values() for info in c.state_info(batch_size)]

    def begin_state(self, **kwargs):
        return [s for c in self._children.values() for s in c.begin_state(**kwargs)]

    def _step(self, inputs, states):
        new, at = [], 0
        for cell in self._children.values():
            n = len(cell.state_info())
            inputs, own = cell(inputs, states[at:at + n])
            at += n
            new += own
        return inputs, new

    def unroll(self, length, inputs, begin_state=None, layout="NTC", merge_outputs=None, valid_length=None):
        self.reset()
        cells, at, new = list(self._children.values()), 0, []
        for i, cell in enumerate(cells):
            n = len(cell.state_info())
            own = begin_state[at:at + n] if begin_state is not None else None
            at += n
            inputs, states = cell.unroll(length, inputs, own, layout, merge_outputs if i == len(cells) - 1 else None, valid_length)
            new += states
        return inputs, new


class SequentialRNNCell(_Stack, RecurrentCell):
    """Cells one above the other."""

    def forward(self, inputs, states):
        return self._step(inputs, states)


class HybridSequentialRNNCell(_Stack, HybridRecurrentCell):
    """Cells one above the other, traceable."""

    def hybrid_forward(self, F, inputs, states):
        return self._step(inputs, states)


class DropoutCell(HybridRecurrentCell):
    """Dropout of what goes through."""

    def __init__(self, rate, axes=(), prefix=None, params=None):
        super().__init__(prefix, params)
        self._rate, self._axes = rate, axes

    def _alias(self):
        return "dropout"

    def state_info(self, batch_size=0):
        return []

    def hybrid_forward(self, F, inputs, states):
        return (F.Dropout(inputs, p=self._rate, axes=self._axes) if self._rate > 0 else inputs), states

    def unroll(self, length, inputs, begin_state=None, layout="NTC", merge_outputs=None, valid_length=None):
        self.reset()
        F = module_of(inputs)
        if isinstance(inputs, (list, tuple)):
            return super().unroll(length, inputs, begin_state if begin_state is not None else [], layout, merge_outputs, None)
        out = F.Dropout(inputs, p=self._rate, axes=self._axes) if self._rate > 0 else inputs
        return (as_steps(out, length, layout)[0] if merge_outputs is False else out), []


class ModifierCell(HybridRecurrentCell):
    """A cell that changes what another one does; the parameters are the other one's."""

    def __init__(self, base_cell):
        if base_cell._modified:
            raise ValueError("cell %s is modified already" % base_cell.name)
        base_cell._modified = True
        super().__init__(prefix=base_cell.prefix + self._alias(), params=None)
        self.base_cell = base_cell

    @property
    def params(self):
        return self.base_cell.params

    def state_info(self, batch_size=0):
        return self.base_cell.state_info(batch_size)

    def begin_state(self, func=None, **kwargs):
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=func or ndarray.zeros, **kwargs)
        finally:
            self.base_cell._modified = True


class ZoneoutCell(ModifierCell):
    """With some probability outputs and states stay as they were (Krueger and others, 2016)."""

    def __init__(self, base_cell, zoneout_outputs=0.0, zoneout_states=0.0):
        super().__init__(base_cell)
        self._outputs, self._kept, self._before = zoneout_outputs, zoneout_states, None

    def _alias(self):
        return "zoneout"

    def reset(self):
        super().reset()
        self._before = None

    def hybrid_forward(self, F, inputs, states):
        out, new = self.base_cell(inputs, states)

        def mix(p, fresh, old):
            return F.where(F.Dropout(F.ones_like(fresh), p=p), fresh, old) if p > 0 else fresh
        before = self._before if self._before is not None else F.zeros_like(out)
        mixed = mix(self._outputs, out, before)
        self._before = mixed
        return mixed, [mix(self._kept, n, o) for n, o in zip(new, states)] if self._kept > 0 else new


class ResidualCell(ModifierCell):
    """Adds its input to the output."""

    def _alias(self):
        return "residual"

    def hybrid_forward(self, F, inputs, states):
        out, states = self.base_cell(inputs, states)
        return out + inputs, states

    def unroll(self, length, inputs, begin_state=None, layout="NTC", merge_outputs=None, valid_length=None):
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(length, inputs, begin_state, layout, merge_outputs, valid_length)
        finally:
            self.base_cell._modified = True
        F = module_of(inputs)
        if isinstance(outputs, (list, tuple)):
            return [o + x for o, x in zip(outputs, as_steps(inputs, length, layout)[0])], states
        merged = F.stack(*inputs, axis=layout.find("T")) if isinstance(inputs, (list, tuple)) else inputs
        if valid_length is not None:
            merged = F.SequenceMask(merged, sequence_length=valid_length, use_sequence_length=True, axis=layout.find("T"))
        return outputs + merged, states


class BidirectionalCell(HybridRecurrentCell):
    """One cell forwards, one backwards; outputs side by side. It runs whole sequences only."""

    def __init__(self, l_cell, r_cell, output_prefix="bi_"):
        super().__init__(prefix="", params=None)
        self.register_child(l_cell, "l_cell")
        self.register_child(r_cell, "r_cell")
        self._output_prefix = output_prefix

    def __call__(self, inputs, states):
        raise NotImplementedError("a BidirectionalCell cannot be stepped; use unroll")

    def state_info(self, batch_size=0):
        return [info for c in self._children.values() for info in c.state_info(batch_size)]

    def begin_state(self, **kwargs):
        return [s for c in self._children.values() for s in c.begin_state(**kwargs)]

    def unroll(self, length, inputs, begin_state=None, layout="NTC", merge_outputs=None, valid_length=None):
        self.reset()
        F = module_of(inputs)
        steps, axis, _ = as_steps(inputs, length, layout)
        left, right = self._children.values()
        n = len(left.state_info())
        states = (begin_state[:n], begin_state[n:]) if begin_state is not None else (None, None)

        def turned(sequence):
            if valid_length is None:
                return list(reversed(sequence))
            whole = F.SequenceReverse(F.stack(*sequence, axis=0), sequence_length=valid_length, use_sequence_length=True)
            return as_steps(whole, len(sequence), "TNC")[0]
        forward, left_states = left.unroll(len(steps), steps, states[0], layout, False, valid_length)
        backward, right_states = right.unroll(len(steps), turned(steps), states[1], layout, False, valid_length)
        outputs = [F.concat(a, b, dim=1) for a, b in zip(forward, turned(list(backward)))]
        return together(F, outputs, axis, valid_length) if merge_outputs else outputs, list(left_states) + list(right_states)


__all__ = ["BidirectionalCell", "DropoutCell", "HybridSequentialRNNCell", "ModifierCell", "ResidualCell", "SequentialRNNCell", "ZoneoutCell"]

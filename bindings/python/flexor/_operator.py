# SPDX-License-Identifier: Apache-2.0
"""What the generated functions call: an operator with the names of its attributes, and its prepared calls by their values."""
from typing import Any, Dict, Optional, Sequence, Tuple

from . import _convert, _core
from . import _flexor as f
from .ndarray import NDArray

unary, _run, _find = f.flx_call_unary, f.flx_call_run, f.find
_KEPT = 512  # prepared calls of one operator


def flat(arrays: tuple) -> tuple:
    """The arrays of `concat(a, b)` and of `concat([a, b])`."""
    return tuple(arrays[0]) if len(arrays) == 1 and isinstance(arrays[0], (list, tuple)) else arrays


class Operator:
    """An operator of the registry, on arrays. Attribute values are checked by the core."""
    __slots__ = ("name", "keys", "runtime", "defaults", "single", "calls", "plain")

    def __init__(self, name: str, keys: Tuple[str, ...] = (), runtime: Tuple[str, ...] = (), defaults: tuple = (), single: bool = False) -> None:
        self.name, self.keys, self.runtime, self.defaults, self.single = name, keys, runtime, defaults, single
        self.calls: Dict[tuple, tuple] = {}
        self.plain = f.flx_call_create(name, {}) if single and not keys and not runtime else None  # the call without any attribute

    def prepared(self, values: tuple, scalars: tuple) -> Any:
        """The call for these values, kept for the next time."""
        options = dict(zip(self.keys, map(_core.text, values)))
        for key, value in zip(self.runtime, scalars):  # a first value; the run brings its own
            options[key] = _core.text(value)
        call = f.flx_call_create(self.name, options)
        # Equal tuples may hold other types inside (1, 1.0), which `find` does not see, and 0.0 is -0.0: such are not kept.
        if all(type(v) is not float or v for v in values) and all(type(w) is int for v in values if type(v) is tuple for w in v):
            try:
                if len(self.calls) >= _KEPT:
                    self.calls.clear()
                self.calls[values] = values, call
            except TypeError:  # a list, an array
                pass
        return call

    def __call__(self, inputs: tuple, values: tuple = (), scalars: tuple = (), out: Any = None) -> Any:
        while inputs and inputs[-1] is None:  # optional ones that are left out
            inputs = inputs[:-1]
        for x in inputs:
            if type(x) is not NDArray:
                return self._other(inputs, values, scalars, out)
        if out is None:
            if not scalars:
                call = _find(self.calls, values) or self.prepared(values, ())
                if self.single and len(inputs) == 1:
                    return unary(call, None, inputs[0])
                results = _run(call, None, inputs, ())
                return results[0] if len(results) == 1 else results
        return self._arrays(inputs, values, scalars, out)

    def _arrays(self, inputs: Sequence[Any], values: tuple, scalars: tuple, out: Any) -> Any:
        if scalars:
            if any(type(s) is not float and not (type(s) is int and -2**53 <= s <= 2**53) for s in scalars):
                options = dict(zip(self.keys + self.runtime, values + scalars))
                return _core.invoke(self.name, inputs, options, out)
        call = _find(self.calls, values) or self.prepared(values, scalars)
        if out is None:
            results = _run(call, None, inputs, scalars)
            return results[0] if len(results) == 1 else results
        f.flx_call_run_into(call, None, inputs, scalars, out if isinstance(out, (tuple, list)) else (out,))
        return out

    def _other(self, inputs: tuple, values: tuple, scalars: tuple, out: Any) -> Any:
        """Inputs that are left out (None), symbols, and what can be made an array."""
        flat = [x for x in inputs if x is not None]
        symbol = f.classes.get("symbol")
        if symbol is not None and any(isinstance(x, symbol) for x in flat):
            from .symbol import compose
            return compose(self.name, flat, _given(self.keys + self.runtime, values + scalars, self.defaults))
        near = _convert.place(*flat)
        return self._arrays([x if isinstance(x, NDArray) else _convert.as_array(x, None, near) for x in flat], values, scalars, out)


def _given(keys: tuple, values: tuple, defaults: tuple) -> Dict[str, Any]:
    """What differs from its default: a graph's document holds only that."""
    return {k: v for k, v, d in zip(keys, values, defaults) if type(v) is not type(d) or v != d}


class SymbolOperator:
    """An operator of the registry, on symbols."""
    __slots__ = ("name", "keys", "defaults")

    def __init__(self, name: str, keys: Tuple[str, ...] = (), runtime: Tuple[str, ...] = (), defaults: tuple = (), single: bool = False) -> None:
        self.name, self.keys, self.defaults = name, keys + runtime, defaults

    def compose(self, inputs: Dict[str, Any], many: Sequence[Any], values: tuple, scalars: tuple, name: Optional[str], attr: Optional[Dict[str, str]]) -> Any:
        from .symbol import compose
        given = {k: v for k, v in inputs.items() if v is not None}
        rest = list(many)
        options = _given(self.keys, values + scalars, self.defaults)
        return compose(self.name, list(given.values()) + rest, options, name, list(given) + [""] * len(rest) if given else (), attr)

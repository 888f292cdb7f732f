# SPDX-License-Identifier: Apache-2.0
"""What the generated functions call: an operator with the names of its attributes, and its prepared calls by their values."""
from typing import Any, Dict, Optional, Sequence, Tuple

from . import _convert, _core
from . import _flexor as f
from .ndarray import NDArray

unary, _binary, _run = f.flx_call_unary, f.flx_call_binary, f.flx_call_run
_KEPT = 512  # prepared calls of one operator


class Operator:
    """An operator of the registry, on arrays. Attribute values are checked by the core."""
    __slots__ = ("name", "keys", "runtime", "defaults", "calls", "_plain")

    def __init__(self, name: str, keys: Tuple[str, ...] = (), runtime: Tuple[str, ...] = (), defaults: tuple = ()) -> None:
        self.name, self.keys, self.runtime, self.defaults = name, keys, runtime, defaults
        self.calls: Dict[tuple, tuple] = {}
        self._plain: Any = None

    @property
    def plain(self) -> Any:
        """The call without any attribute."""
        if self._plain is None:
            self._plain = f.flx_call_create(self.name, {})
        return self._plain

    def prepared(self, values: tuple, scalars: tuple) -> Any:
        """The call for these values. Equal values of other types (1, True, 1.0) are other texts, so that types count, too."""
        try:
            found = self.calls.get(values)
        except TypeError:  # a list, an array
            found, values = None, tuple(_core.text(v) for v in values)
        types = tuple(map(type, values))
        if found is not None and found[0] == types:
            return found[1]
        options = dict(zip(self.keys, map(_core.text, values)))
        for key, value in zip(self.runtime, scalars):  # a first value; the run brings its own
            options[key] = _core.text(value)
        call = f.flx_call_create(self.name, options)
        if len(self.calls) >= _KEPT:
            self.calls.clear()
        if not any(type(v) is tuple or v == 0 and type(v) is float for v in values) or all(type(w) is int for v in values if type(v) is tuple for w in v):
            self.calls[values] = types, call
        return call

    def __call__(self, inputs: tuple, values: tuple = (), scalars: tuple = (), out: Any = None) -> Any:
        for x in inputs:
            if type(x) is not NDArray:
                return self._other(inputs, values, scalars, out)
        return self._arrays(inputs, values, scalars, out)

    def _arrays(self, inputs: Sequence[Any], values: tuple, scalars: tuple, out: Any) -> Any:
        if scalars:
            if any(type(s) is not float and not (type(s) is int and -2**53 <= s <= 2**53) for s in scalars):
                options = dict(zip(self.keys + self.runtime, values + scalars))
                return _core.invoke(self.name, inputs, options, out)
        call = self.prepared(values, scalars)
        if out is None:
            results = _run(call, None, inputs, scalars)
            return results[0] if len(results) == 1 else results
        f.flx_call_run_into(call, None, inputs, scalars, out if isinstance(out, (tuple, list)) else (out,))
        return out

    def _other(self, inputs: tuple, values: tuple, scalars: tuple, out: Any) -> Any:
        """Inputs that are left out (None), lists of arrays, symbols, and what can be made an array."""
        flat: list = []
        for x in inputs:
            if isinstance(x, (list, tuple)) and x and all(isinstance(y, f.Handle) for y in x):
                flat.extend(x)
            elif x is not None:
                flat.append(x)
        symbol = f.classes.get("symbol")
        if symbol is not None and any(isinstance(x, symbol) for x in flat):
            from .symbol import compose
            return compose(self.name, flat, _given(self.keys + self.runtime, values + scalars, self.defaults))
        return self._arrays([x if isinstance(x, NDArray) else _convert.as_array(x) for x in flat], values, scalars, out)


def _given(keys: tuple, values: tuple, defaults: tuple) -> Dict[str, Any]:
    """What differs from its default: a graph's document holds only that."""
    return {k: v for k, v, d in zip(keys, values, defaults) if type(v) is not type(d) or v != d}


class SymbolOperator:
    """An operator of the registry, on symbols."""
    __slots__ = ("name", "keys", "defaults")

    def __init__(self, name: str, keys: Tuple[str, ...] = (), runtime: Tuple[str, ...] = (), defaults: tuple = ()) -> None:
        self.name, self.keys, self.defaults = name, keys + runtime, defaults

    def compose(self, inputs: Dict[str, Any], many: Sequence[Any], values: tuple, scalars: tuple, name: Optional[str], attr: Optional[Dict[str, str]]) -> Any:
        from .symbol import compose
        given = {k: v for k, v in inputs.items() if v is not None}
        rest = [y for x in many for y in (x if isinstance(x, (list, tuple)) else (x,))]
        options = _given(self.keys, values + scalars, self.defaults)
        return compose(self.name, list(given.values()) + rest, options, name, list(given) + [""] * len(rest) if given else (), attr)

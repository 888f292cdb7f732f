# SPDX-License-Identifier: Apache-2.0
"""mx.attribute: attributes that all symbols made in a scope get."""
import threading

_current = threading.local()


class AttrScope:
    """with mx.AttrScope(ctx_group="stage1"): every symbol made here has that attribute."""

    def __init__(self, **kwargs):
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError("attribute %r must be a text, given %r" % (key, value))
        self._attr, self._before = {"__%s__" % k.strip("_"): v for k, v in kwargs.items()}, None

    def get(self, attr):
        """`attr` with the scope's attributes where it has none of its own."""
        if not self._attr:
            return attr or {}
        merged = dict(self._attr)
        merged.update(attr or {})
        return merged

    def __enter__(self):
        self._before = current()
        merged = dict(self._before._attr)
        merged.update(self._attr)
        scope = AttrScope()
        scope._attr = merged
        _current.value = scope
        return self

    def __exit__(self, *error):
        _current.value = self._before


def current():
    if not hasattr(_current, "value"):
        _current.value = AttrScope()
    return _current.value

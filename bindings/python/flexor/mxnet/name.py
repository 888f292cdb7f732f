# SPDX-License-Identifier: Apache-2.0
"""mx.name: how symbols without a name are called."""
import threading

_current = threading.local()


class NameManager:
    """Numbers names by their hint: convolution0, convolution1 ..."""

    def __init__(self):
        self._counter, self._before = {}, None

    def get(self, name, hint):
        if name:
            return name
        n = self._counter.get(hint, 0)
        self._counter[hint] = n + 1
        return "%s%d" % (hint, n)

    def __enter__(self):
        self._before = current()
        _current.value = self
        return self

    def __exit__(self, *error):
        _current.value = self._before


class Prefix(NameManager):
    """A NameManager that puts `prefix` before every name."""

    def __init__(self, prefix):
        super().__init__()
        self._prefix = prefix

    def get(self, name, hint):
        return self._prefix + super().get(name, hint)


def current():
    if not hasattr(_current, "value"):
        _current.value = NameManager()
    return _current.value

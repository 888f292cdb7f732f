# SPDX-License-Identifier: Apache-2.0
"""The library's options (docs/options.md; environment variables FLEXOR_...), and its log."""
from contextlib import contextmanager
from typing import Any, Iterator, List, Tuple

from . import _core
from . import _flexor as f


def get(key: str) -> str:
    """The value of option `key`, as FLEXOR_ENGINE."""
    return f.flx_config_get(_full(key))


def set(key: str, value: Any) -> None:
    """Sets option `key`."""
    f.flx_config_set(_full(key), _core.text(value))
    _core.follow_options()


def list() -> str:
    """The table of options: name, type, value, default, meaning."""
    return f.flx_config_list()


@contextmanager
def override(**options: Any) -> Iterator[None]:
    """Options for a `with` block: override(FLEXOR_LOG_LEVEL="debug")."""
    before = {key: get(key) for key in options}
    try:
        for key, value in options.items():
            set(key, value)
        yield
    finally:
        for key, value in before.items():
            set(key, value)


def _full(key: str) -> str:
    return key if key.startswith("FLEXOR_") else "FLEXOR_" + key.upper()


def log(**options: Any) -> None:
    """Configures the log: level = debug, info, warning, error or none; sink = stderr, buffer, none or a file's path."""
    f.flx_log_configure(_core.texts(**options))


def log_records() -> List[Tuple[int, str]]:
    """Takes the buffered records (sink = buffer), oldest first: (level from 0, debug, to 3, error; text)."""
    out = []
    level, text = f.flx_log_next()
    while level >= 0:
        out.append((level, text))
        level, text = f.flx_log_next()
    return out

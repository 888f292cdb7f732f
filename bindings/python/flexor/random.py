# SPDX-License-Identifier: Apache-2.0
"""Random numbers from the core's stream, which is the process's: the same seed gives the same numbers in every language, on any number of threads.

Every operator called random_NAME is a function NAME here: random.normal(loc=0, scale=1, shape=(2, 3)), uniform, randint, gamma ...; random.shuffle, too."""
from typing import Any

from . import _flexor as f
from ._generated import op as _op


def seed(value: int) -> None:
    """Begins the stream anew at `value`."""
    f.flx_random_seed(int(value), None)


def get_state() -> bytes:
    """Where the stream stands, for set_state."""
    return f.flx_random_save()


def set_state(state: bytes) -> None:
    """Sets the stream to what get_state gave."""
    f.flx_random_load(state)


def _found(name: str) -> Any:
    return None if name.startswith("_") else next((getattr(_op, prefix + name) for prefix in ("random_", "sample_") if hasattr(_op, prefix + name)), None)


shuffle = _op.shuffle


def __getattr__(name: str) -> Any:
    found = _found(name)
    if found is None:
        raise AttributeError(f"module 'flexor.random' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__() -> list:
    return sorted({*globals(), *(n[len("random_"):] for n in _op.__all__ if n.startswith("random_"))})

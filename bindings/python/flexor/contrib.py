# SPDX-License-Identifier: Apache-2.0
"""Operators that MXNet calls _contrib_: contrib.box_nms is nd.contrib_box_nms."""
from typing import Any

from ._generated import op as _op


def __getattr__(name: str) -> Any:
    found = None if name.startswith("_") else getattr(_op, "contrib_" + name, None)
    if found is None:
        raise AttributeError(f"module 'flexor.contrib' has no attribute '{name}'")
    return found


def __dir__() -> list:
    return sorted(n[len("contrib_"):] for n in _op.__all__ if n.startswith("contrib_"))

# SPDX-License-Identifier: Apache-2.0
"""Optimizers: `flexor.optimizer.Adam(0.001)`, also `flexor.Adam`. One class for each that is registered; an object says which rule with which settings."""
from typing import Union

from ._generated import optimizers as _made
from ._generated.optimizers import *  # noqa: F401,F403
from ._settings import Optimizer, find, public

__all__ = [*_made.__all__, "Optimizer", "get"]


def get(optimizer: Union[str, Optimizer]) -> Optimizer:
    """`optimizer` itself, or the one of that name ("adam", "SGD") with default settings."""
    found = find("optimizer", public(_made, _made.__all__), optimizer, "the optimizer")
    if not isinstance(found, Optimizer):
        raise TypeError(f"optimizer: expected an optimizer or its name, as flexor.Adam(0.001) or 'adam', given {type(found).__name__}")
    return found

# SPDX-License-Identifier: Apache-2.0
"""mx.random: the seed, and random arrays."""
from .base import f
from .ndarray.random import *  # noqa: F401,F403
from .ndarray.random import __all__ as _names

__all__ = ["seed"] + list(_names)
_state = {"seed": 0, "draws": 0}


def seed(seed_state, ctx="all"):
    """Seeds all random numbers of arrays, and of initial values that are drawn from now on."""
    f.flx_random_seed(int(seed_state), None)
    _state.update(seed=int(seed_state), draws=0)


def next_seed():
    """A seed for the next initial values: what is drawn after mx.random.seed(s) depends on s and on how much was drawn."""
    _state["draws"] += 1
    return (_state["seed"] * 1000003 + _state["draws"]) & 0x7FFFFFFFFFFFFFFF

# SPDX-License-Identifier: Apache-2.0
"""mx.sym.linalg: operators called _linalg_X, as X."""
from . import __getattr__ as _by_name


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _by_name("_linalg_" + name)

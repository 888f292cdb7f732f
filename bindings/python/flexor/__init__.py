# SPDX-License-Identifier: Apache-2.0
"""Flexor: a deep-learning framework. One C++ core does the work; this package makes it feel like Python.

    import flexor as fx
    from flexor import autograd, nd, nn

Arrays are `flexor.NDArray` (made by `flexor.nd`), layers are in `flexor.nn`, estimators are `flexor.Classifier` and `flexor.Regressor`.
Modules are loaded when they are first used."""
import importlib
from typing import Any

from . import _core
from .errors import (ArgumentError, DeviceError, DTypeError, Error, FileError, FormatError, HandleError, HostError, InternalError, NameError_, NetworkError,
                     IndexError_, OutOfMemoryError, OutOfRangeError, ShapeError, StateError, UnknownNameError, UnsupportedError)
from .ndarray import NDArray, bfloat16

__version__ = _core.f.flx_version()

# What is loaded when it is first asked for: name -> the module that has it. A name that is a module itself stands for it.
_MODULES = ("autograd", "config", "contrib", "data", "datasets", "device", "estimator", "history", "init", "metric", "model", "mxnet", "nd", "nn", "op", "optimizer",
            "profiler", "random", "schedule", "sym", "trainer")
_NAMES = {
    "Symbol": "sym", "Trainer": "trainer", "Model": "model", "load": "model", "save": "model", "Classifier": "estimator", "Regressor": "estimator",
    "History": "history", "split": "data", "DataLoader": "data", "waitall": "device", "seed": "random", "cpu": "device", "num_gpus": "device"}
# Modules all of whose names are the package's too (fx.Adam, fx.SGD ...), in this order, if they have them in __all__.
_OPEN = ("optimizer", "schedule")


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'flexor' has no attribute '{name}'")
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    if name in _NAMES:
        value = getattr(importlib.import_module("." + _NAMES[name], __name__), name)
    else:
        for module in _OPEN:
            module = importlib.import_module("." + module, __name__)
            if name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                break
        else:
            raise AttributeError(f"module 'flexor' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list:
    return sorted({*globals(), *_MODULES, *_NAMES})

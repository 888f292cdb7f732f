# SPDX-License-Identifier: Apache-2.0
"""Flexor: a deep-learning framework. One C++ core does the work; this package makes it feel like Python.

    import flexor as fx
    from flexor import autograd, nd, nn

Arrays are `flexor.NDArray` (made by `flexor.nd`), layers are in `flexor.nn`, estimators are `flexor.Classifier` and `flexor.Regressor`.
Modules are loaded when they are first used."""
import importlib
from typing import TYPE_CHECKING, Any, List

try:
    from . import _flexor
except ImportError as e:
    if "libflexor" not in str(e):
        raise
    raise ImportError(f"flexor: its library was not found beside the package, nor by the loader ({e}). Install the package again (pip install --force-reinstall flexor), or "
                      "set LD_LIBRARY_PATH to the folder of libflexor.so.0.") from None
from . import _core
from ._dtypes import bfloat16 as bfloat16
from .errors import *  # noqa: F401,F403
from .errors import IndexError_ as IndexError_, NameError_ as NameError_
from .ndarray import NDArray as NDArray

__version__ = _core.f.flx_version()

# What is loaded when it is first asked for: name -> the module that has it. A name that is a module itself stands for it.
_MODULES = ("autograd", "config", "contrib", "data", "datasets", "device", "estimator", "history", "init", "metric", "model", "mxnet", "nd", "nn", "op", "optimizer",
            "profiler", "random", "schedule", "store", "sym", "trainer")
_NAMES = {
    "Store": "store", "Symbol": "sym", "Trainer": "trainer", "load": "model", "save": "model", "Classifier": "estimator", "Regressor": "estimator",
    "History": "history", "split": "data", "DataLoader": "data", "waitall": "device", "seed": "random", "cpu": "device", "gpu": "device", "num_gpus": "device"}
# Modules all of whose names are the package's too (fx.Adam, fx.SGD ...), in this order, if they have them in __all__.
_OPEN = ("optimizer", "schedule")

if TYPE_CHECKING:  # what __getattr__ finds, for those who read types
    from . import (autograd as autograd, config as config, contrib as contrib, data as data, datasets as datasets, device as device, init as init, metric as metric,
                   nd as nd, nn as nn, op as op, optimizer as optimizer, profiler as profiler, random as random, schedule as schedule, store as store, sym as sym)
    from .data import DataLoader as DataLoader, split as split
    from .device import cpu as cpu, gpu as gpu, num_gpus as num_gpus, waitall as waitall
    from .estimator import Classifier as Classifier, Regressor as Regressor
    from .history import History as History
    from .model import load as load, save as save
    from .optimizer import *  # noqa: F401,F403
    from .random import seed as seed
    from .schedule import *  # noqa: F401,F403
    from .store import Store as Store
    from .symbol import Symbol as Symbol
    from .trainer import Trainer as Trainer


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'flexor' has no attribute '{name}'")
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    if name in _NAMES:
        value = getattr(importlib.import_module("." + _NAMES[name], __name__), name)
    else:
        for other in _OPEN:
            module = importlib.import_module("." + other, __name__)
            if name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                break
        else:
            raise AttributeError(f"module 'flexor' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})

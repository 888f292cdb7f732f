# SPDX-License-Identifier: Apache-2.0
"""MXNet 1.9's Python names over Flexor: `import flexor.mxnet as mx` in the place of `import mxnet as mx`. docs/mxnet.md says what differs and what is missing.

Modules are loaded when they are first used; what is registered (operators, optimizers, metrics, initializers, iterators) is found by MXNet's names in the library's
registry, so that a new one appears here by itself."""
import importlib

from . import base
from .attribute import AttrScope
from .base import MXNetError
from .context import Context, cpu, cpu_pinned, current_context, gpu, gpu_memory_info, num_gpus

__version__ = "1.9.1"  # the version whose names these are
# short names of modules, and the modules
_MODULES = {"nd": "ndarray", "sym": "symbol", "init": "initializer", "mod": "module", "viz": "visualization", "kv": "kvstore", "mon": "monitor", "rnd": "random"}
_MODULES.update({m: m for m in ("attribute", "autograd", "callback", "context", "engine", "executor", "gluon", "initializer", "io", "kvstore", "lr_scheduler", "metric",
                                "model", "module", "monitor", "name", "ndarray", "operator", "optimizer", "profiler", "random", "recordio", "symbol", "test_utils", "util",
                                "visualization")})


def __getattr__(name):
    if name not in _MODULES:
        raise base.missing("mx", name) if not name.startswith("__") else AttributeError(name)
    module = importlib.import_module("." + _MODULES[name], __name__)
    globals()[name] = module
    return module


def __dir__():
    return sorted(set(globals()) | set(_MODULES))


def install():
    """From now on `import mxnet` finds this package, in this process: for programs and libraries that are not to be touched."""
    from ._install import install as put
    put()

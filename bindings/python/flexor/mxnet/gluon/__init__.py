# SPDX-License-Identifier: Apache-2.0
"""mx.gluon: blocks, parameters, trainers, losses, data."""
import importlib

from .block import Block
from .hybrid import HybridBlock, SymbolBlock
from .parameter import Constant, DeferredInitializationError, Parameter, ParameterDict

_MODULES = ("nn", "rnn", "loss", "data", "utils", "block", "parameter", "trainer", "model_zoo")


def __getattr__(name):
    if name == "Trainer":
        from .trainer import Trainer
        return Trainer
    if name in _MODULES:
        return importlib.import_module("." + name, __name__)
    from ..base import missing
    raise missing("gluon", name) if not name.startswith("__") else AttributeError(name)

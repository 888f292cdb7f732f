# SPDX-License-Identifier: Apache-2.0
"""mx.model: checkpoints of symbols and parameters."""
from . import ndarray, symbol as symbol_module
from .base import missing
from .module.base_module import BatchEndParam

__all__ = ["BatchEndParam", "load_checkpoint", "load_params", "save_checkpoint"]


def save_checkpoint(prefix, epoch, symbol, arg_params, aux_params, remove_amp_cast=True):
    """Writes prefix-symbol.json and prefix-0000.params."""
    if symbol is not None:
        symbol.save("%s-symbol.json" % prefix)
    arrays = {"arg:%s" % k: v for k, v in arg_params.items()}
    arrays.update({"aux:%s" % k: v for k, v in aux_params.items()})
    ndarray.save("%s-%04d.params" % (prefix, epoch), arrays)


def load_params(prefix, epoch):
    """(arguments, auxiliary states) of a checkpoint."""
    parts = {"arg": {}, "aux": {}}
    for k, v in ndarray.load("%s-%04d.params" % (prefix, epoch)).items():
        kind, _, name = k.partition(":")
        if kind in parts:
            parts[kind][name] = v
    return parts["arg"], parts["aux"]


def load_checkpoint(prefix, epoch):
    """(symbol, arguments, auxiliary states) of a checkpoint."""
    return (symbol_module.load("%s-symbol.json" % prefix),) + load_params(prefix, epoch)


def __getattr__(name):
    raise missing("model", name, "use mx.mod.Module" if name == "FeedForward" else None) if not name.startswith("__") else AttributeError(name)

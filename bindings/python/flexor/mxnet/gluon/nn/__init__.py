# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.nn: layers."""
from ..block import Block
from ..hybrid import HybridBlock, SymbolBlock
from .activations import ELU, GELU, SELU, Activation, LeakyReLU, PReLU, Swish
from .basic import (BatchNorm, BatchNormReLU, Dense, Dropout, Embedding, Flatten, GroupNorm, HybridLambda, HybridSequential, InstanceNorm, Lambda, LayerNorm,
                    ReflectionPad2D, Sequential)
from .conv import *  # noqa: F401,F403

__all__ = ["Block", "HybridBlock", "SymbolBlock", "ELU", "GELU", "SELU", "Activation", "LeakyReLU", "PReLU", "Swish", "BatchNorm", "BatchNormReLU", "Dense", "Dropout",
           "Embedding", "Flatten", "GroupNorm", "HybridLambda", "HybridSequential", "InstanceNorm", "Lambda", "LayerNorm", "ReflectionPad2D", "Sequential"]
from .conv import __all__ as _conv  # noqa: E402

__all__ += _conv

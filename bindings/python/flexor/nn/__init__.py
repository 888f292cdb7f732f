# SPDX-License-Identifier: Apache-2.0
"""Layers, losses, and what networks are made of. One class for each layer that is registered; `Layer` is the base of your own.

    net = nn.Sequential(nn.Dense(64, activation="relu"), nn.Dense(10))
    net.initialize(input_shape=(None, 784), seed=1)
    scores = net(images)
"""
from .._generated import layers as _made
from .._generated.layers import *  # noqa: F401,F403
from .layer import Layer
from .parameters import Param, Parameters

__all__ = [*_made.__all__, "Layer", "Param", "Parameters"]

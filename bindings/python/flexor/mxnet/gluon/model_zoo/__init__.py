# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.model_zoo: networks for images, without their trained weights."""
from . import vision
from .vision import get_model

__all__ = ["get_model", "vision"]

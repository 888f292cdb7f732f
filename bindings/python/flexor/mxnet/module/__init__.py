# SPDX-License-Identifier: Apache-2.0
"""mx.mod: symbols with their parameters, fitted, scored and saved."""
from .base_module import BaseModule
from .bucketing_module import BucketingModule
from .module import Module

__all__ = ["BaseModule", "BucketingModule", "Module"]


def __getattr__(name):
    from ..base import missing
    raise missing("mod", name) if not name.startswith("__") else AttributeError(name)

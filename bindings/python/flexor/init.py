# SPDX-License-Identifier: Apache-2.0
"""First values of parameters: `flexor.init.Xavier()`. One class for each initializer that is registered, and MXNet's short names."""
from typing import Union

from ._generated import initializers as _made
from ._generated.initializers import *  # noqa: F401,F403
from ._settings import Initializer, find, public

__all__ = [*_made.__all__, "Initializer", "get"]


def get(initializer: Union[str, Initializer]) -> Initializer:
    """`initializer` itself, or the one of that name ("xavier") with default settings."""
    return find("initializer", public(_made, _made.__all__), initializer, "the initializer")

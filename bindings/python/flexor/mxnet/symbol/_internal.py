# SPDX-License-Identifier: Apache-2.0
"""mx.sym._internal: operators whose names begin with an underscore."""
from . import __getattr__  # noqa: F401  the same rule: by name from the registry

# SPDX-License-Identifier: Apache-2.0
"""mx.nd.op: operators by name."""
from . import __getattr__  # noqa: F401  the same rule: by name from the registry

# SPDX-License-Identifier: Apache-2.0
"""Every operator of the core, and nothing else; `flexor.nd` has them, too, beside what makes arrays."""
from ._generated.op import *  # noqa: F401,F403
from ._generated.op import __all__  # noqa: F401

# SPDX-License-Identifier: Apache-2.0
"""Learning rates by step: `flexor.Adam(0.001, schedule=flexor.schedule.Cosine())`. One class for each schedule that is registered."""
from ._generated import schedules as _made
from ._generated.schedules import *  # noqa: F401,F403
from ._settings import Schedule

__all__ = [*_made.__all__, "Schedule"]

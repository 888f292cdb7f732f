# SPDX-License-Identifier: Apache-2.0
"""What runs in a loader's worker processes. Needs NumPy alone: a worker never loads the core unless the dataset does."""
import random
import signal
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

_dataset: Any = None
_collate: Optional[Callable[[Sequence[Any]], Any]] = None


def begin(dataset: Any, collate_function: Optional[Callable[[Sequence[Any]], Any]]) -> None:
    """Once in each worker: keeps the dataset. Ctrl-C is the parent's to handle."""
    global _dataset, _collate
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _dataset, _collate = dataset, collate_function


def batch(indices: Sequence[int], seed: Tuple[int, ...]) -> List[np.ndarray]:
    """The arrays of a batch. `random` and NumPy's old generator are seeded by the batch, so that what comes does not depend on how many workers there are."""
    state = np.random.SeedSequence(seed).generate_state(1)[0]
    random.seed(int(state))
    np.random.seed(state)
    return collate([_dataset[int(i)] for i in indices], _collate)


def collate(samples: Sequence[Any], function: Optional[Callable[[Sequence[Any]], Any]] = None) -> List[np.ndarray]:
    """Samples as the arrays of a batch: their parts stacked. Python's numbers become float32 (whole ones int64), float64 arrays float32."""
    made = function(samples) if function is not None else [stack(part) for part in zip(*samples)] if isinstance(samples[0], (tuple, list)) else [stack(samples)]
    return [np.asarray(a) for a in made] if isinstance(made, (tuple, list)) else [np.asarray(made)]


def stack(parts: Sequence[Any]) -> np.ndarray:
    """One part of all samples as one array."""
    arrays = [np.asarray(p.asnumpy() if hasattr(p, "asnumpy") else p) for p in parts]
    shapes = {a.shape for a in arrays}
    if len(shapes) > 1:
        raise ValueError(f"DataLoader: expected samples of one shape, given {' and '.join(map(str, sorted(shapes)))}. A `collate` function may pad them.")
    made = np.stack(arrays)
    return made.astype(np.float32) if made.dtype == np.float64 else made

# SPDX-License-Identifier: Apache-2.0
"""An operation of one's own: NumPy in, NumPy out, with its own gradient, run on the thread that called."""
import numpy as np

import flexor as fx
from flexor import autograd, nd


@autograd.operator
def clip01(x: np.ndarray) -> np.ndarray:
    return x.clip(0, 1)


@clip01.gradient
def _(dy, x, y):
    return dy * ((x > 0) & (x < 1))


x = nd.array([-0.5, 0.25, 0.75, 1.5])
x.attach_grad()
with autograd.record():
    y = clip01(x) * nd.array([1, 2, 3, 4])
    total = y.sum()
total.backward()
print("clipped ", y.asnumpy())
print("gradient", x.grad.asnumpy())
np.testing.assert_allclose(x.grad.asnumpy(), [0, 2, 3, 0])

w = nd.array([1.0, -1.0, 0.5])  # and in a loop: which w brings clip01 nearest to a target?
w.attach_grad()
trainer = fx.Trainer([w], fx.SGD(0.5))
for _ in range(60):
    with autograd.record():
        loss = ((clip01(w / 4 + 0.5) - nd.array([0.9, 0.1, 0.4])) ** 2).sum()
    loss.backward()
    trainer.step()
print("found   ", w.asnumpy().round(3), f"loss {loss.item():.6f}")

# SPDX-License-Identifier: Apache-2.0
"""Optimizers of MXNet that the registry has no entry for, as rules on arrays. They are part of mx.optimizer."""
import math

from . import ndarray as nd
from .ndarray import zeros
from .optimizer import SGD, Optimizer


def _zeros(weight):
    return zeros(weight.shape, weight.context, weight.dtype)


class _Rule(Optimizer):
    """rule(weight, g, state, lr, wd, t) with g = clip(rescale_grad * grad)."""

    def update(self, index, weight, grad, state):
        self._update_count(index)
        g = grad * self.rescale_grad
        if self.clip_gradient is not None:
            g = nd.clip(g, -self.clip_gradient, self.clip_gradient)
        self.rule(weight, g, state, self._get_lr(index), self._get_wd(index), self._index_update_count[index])

    def rule(self, weight, g, state, lr, wd, t):
        raise NotImplementedError


@Optimizer.register
class Nadam(_Rule):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, schedule_decay=0.004, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1, self.beta2, self.epsilon, self.schedule_decay, self.m_schedule = beta1, beta2, epsilon, schedule_decay, 1.0

    def create_state(self, index, weight):
        return _zeros(weight), _zeros(weight)

    def update(self, index, weight, grad, state):
        # weight decay stands before the clipping here
        self._update_count(index)
        t, lr = self._index_update_count[index], self._get_lr(index)
        g = grad * self.rescale_grad + self._get_wd(index) * weight
        if self.clip_gradient is not None:
            g = nd.clip(g, -self.clip_gradient, self.clip_gradient)
        now, then = (self.beta1 * (1 - 0.5 * 0.96 ** (k * self.schedule_decay)) for k in (t, t + 1))
        self.m_schedule *= now
        m, v = state
        m[:] = self.beta1 * m + (1 - self.beta1) * g
        v[:] = self.beta2 * v + (1 - self.beta2) * g * g
        g_hat, m_hat = g / (1 - self.m_schedule), m / (1 - self.m_schedule * then)
        weight[:] -= lr * ((1 - now) * g_hat + then * m_hat) / (nd.sqrt(v / (1 - self.beta2 ** t)) + self.epsilon)


@Optimizer.register
class SGLD(_Rule):
    """Stochastic gradient Langevin dynamics: SGD with noise of deviation sqrt(lr) (Welling and Teh, 2011)."""

    def rule(self, weight, g, state, lr, wd, t):
        weight[:] += -lr / 2 * (g + wd * weight) + nd.random.normal(0, math.sqrt(lr), shape=weight.shape, dtype=weight.dtype)


@Optimizer.register
class DCASGD(_Rule):
    """SGD that makes up for late gradients (Zheng and others, 2017)."""

    def __init__(self, momentum=0.0, lamda=0.04, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.lamda = momentum, lamda

    def create_state(self, index, weight):
        return _zeros(weight) if self.momentum else None, weight.copy()

    def rule(self, weight, g, state, lr, wd, t):
        momentum, before = state
        step = -lr * (g + wd * weight + self.lamda * g * g * (weight - before))
        if momentum is not None:
            momentum[:] = self.momentum * momentum + step
            step = momentum
        before[:] = weight
        weight[:] += step


@Optimizer.register
class LAMB(Optimizer):
    """Adam whose step is scaled layer by layer to the weight's length (You and others, 2020)."""

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-6, lower_bound=None, upper_bound=None, bias_correction=True, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self._rule = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "bias_correction": bias_correction}
        self._bounds = {k: v for k, v in (("lower_bound", lower_bound), ("upper_bound", upper_bound)) if v is not None}

    def create_state(self, index, weight):
        return _zeros(weight), _zeros(weight)

    def update(self, index, weight, grad, state):
        self._update_count(index)
        more = {} if self.clip_gradient is None else {"clip_gradient": self.clip_gradient}
        g = nd.lamb_update_phase1(weight, grad, *state, t=self._index_update_count[index], wd=self._get_wd(index), rescale_grad=self.rescale_grad, **self._rule, **more)
        nd.lamb_update_phase2(weight, g, weight.norm(), g.norm(), lr=self._get_lr(index), out=weight, **self._bounds)


@Optimizer.register
class Test(Optimizer):
    """weight += rescale_grad * grad, which tests use."""

    def create_state(self, index, weight):
        return _zeros(weight)

    def update(self, index, weight, grad, state):
        weight[:] += grad * self.rescale_grad
        state[:] = weight


class ccSGD(SGD):
    """SGD's old name."""


Optimizer.register(ccSGD)
__all__ = ["DCASGD", "LAMB", "Nadam", "SGLD", "Test", "ccSGD"]

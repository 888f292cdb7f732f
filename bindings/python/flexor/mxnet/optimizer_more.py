# SPDX-License-Identifier: Apache-2.0
"""Optimizers of MXNet that the registry has no entry for, as rules on arrays. They are part of mx.optimizer."""
import math

import numpy as np

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


class _Sgd(Optimizer):
    """SGD with a rate of the rule's own for each weight; float16 weights may have a master copy."""

    def __init__(self, momentum=0.0, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum

    def create_state(self, index, weight):
        return _zeros(weight) if self.momentum else None

    def create_state_multi_precision(self, index, weight):
        if self.multi_precision and weight.dtype == np.float16:
            master = weight.astype(np.float32)
            return self.create_state(index, master), master
        return self.create_state(index, weight)

    def update_multi_precision(self, index, weight, grad, state):
        self.update(index, weight, grad, state)

    def _apply(self, weight, grad, state, lr, wd, momentum):
        more = {"lr": lr, "wd": wd, "rescale_grad": self.rescale_grad, "out": weight}
        if self.clip_gradient:
            more["clip_gradient"] = self.clip_gradient
        momentum_state, *master = state if isinstance(state, tuple) else (state,)
        if momentum_state is None:
            (nd.mp_sgd_update if master else nd.sgd_update)(weight, grad, *master, **more)
        else:
            (nd.mp_sgd_mom_update if master else nd.sgd_mom_update)(weight, grad, momentum_state, *master, momentum=momentum, **more)


@Optimizer.register
class LARS(_Sgd):
    """SGD whose rate is scaled, weight by weight, to the lengths of weight and gradient (You and others, 2017); biases, gammas and betas are not."""

    def __init__(self, momentum=0.0, lazy_update=True, eta=0.001, eps=0, momentum_correction=True, **kwargs):
        super().__init__(momentum, **kwargs)
        self.eta, self.eps, self.momentum_correction, self._rate, self._last = eta, eps, momentum_correction, None, None

    def set_wd_mult(self, args_wd_mult):
        """Of parameters with names only weights decay."""
        super().set_wd_mult({**{n: 0.0 for n in self.idx2name.values() if n.endswith("_gamma")}, **args_wd_mult})

    def update(self, index, weight, grad, state):
        self._update_count(index)
        now = self.lr_scheduler(self.num_update) if self.lr_scheduler is not None else self.lr
        self._last, self._rate = now if self._rate is None else self._rate, now
        lr, wd = self._get_lr(index), self._get_wd(index)
        if not self.idx2name.get(index, str(index)).endswith(("gamma", "beta", "bias")):
            w, g = weight.astype("float32").norm().asscalar(), (grad.astype("float32") * self.rescale_grad).norm().asscalar()
            if w > 0 and g > 0:
                lr *= self.eta * w / (g + wd * w + self.eps)
        corrected = self.momentum * (self._rate / self._last) if self.momentum_correction and self._last else self.momentum
        self._apply(weight, grad, state, lr, wd, corrected)


@Optimizer.register
class LBSGD(_Sgd):
    """SGD for large batches: `batch_scale` gradients are added up before each step, and the rate grows to so many times itself while it warms up."""

    def __init__(self, momentum=0.0, multi_precision=False, warmup_strategy="linear", warmup_epochs=5, batch_scale=1, updates_per_epoch=32, begin_epoch=0,
                 num_epochs=60, **kwargs):
        super().__init__(momentum, multi_precision=multi_precision, **kwargs)
        self.warmup_strategy, self.batch_scale, self.num_epochs = warmup_strategy, batch_scale, num_epochs
        self._warmup, self._begin, self._sums = warmup_epochs * updates_per_epoch, begin_epoch * updates_per_epoch, {}

    def _growth(self, count, weight, grad, wd):
        if self.warmup_strategy == "lars":
            w, g = float((weight * weight).sum().asscalar()), float((grad * grad).sum().asscalar())
            return min(max(math.sqrt(w / (g + wd * w + 1e-18)), 0.01), 100)
        if count >= self._warmup:
            return float(self.batch_scale)
        if self._warmup <= 1:
            return 1.0
        share = count / self._warmup
        return 1 + (self.batch_scale - 1) * {"linear": share, "power2": share * share, "sqrt": math.sqrt(share)}.get(self.warmup_strategy, 0)

    def update(self, index, weight, grad, state):
        lr, wd = self._get_lr(index), self._get_wd(index)  # before this update counts, as in MXNet
        self._update_count(index)
        total, count = self._sums.get(index, (None, self._begin))
        total, count = grad.copy() if total is None else total + grad, count + 1
        if count % self.batch_scale == 0:
            mean = total / self.batch_scale
            self._apply(weight, mean, state, lr * self._growth(count, weight, mean, wd), wd, self.momentum)
            total = None
        self._sums[index] = total, count


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
__all__ = ["DCASGD", "LAMB", "LARS", "LBSGD", "Nadam", "SGLD", "Test", "ccSGD"]

# SPDX-License-Identifier: Apache-2.0
"""Trainer: applies an optimizer to parameters, in a training loop of one's own."""
from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Union

from . import optimizer as optimizers
from ._core import f
from ._settings import Optimizer
from .nn.parameters import Parameters


class Trainer:
    """Applies an optimizer to parameters.

        trainer = flexor.Trainer(net.parameters(), flexor.SGD(0.05, momentum=0.9))
        with autograd.record():
            loss = loss_fn(net(data), label).mean()
        loss.backward()
        trainer.step()

    Parameters
    ----------
    parameters : nn.Parameters, dict of NDArray, or list of NDArray
        What is trained: every array that has a gradient attached (if none has, gradients are attached to all parameters).
    optimizer : flexor.optimizer object or its name
        Says the rule; the state is the trainer's own.
    """

    def __init__(self, parameters: Union[Parameters, Mapping[str, Any], Sequence[Any]], optimizer: Union[str, Optimizer] = "sgd") -> None:
        if not isinstance(parameters, Parameters):
            parameters = Parameters(parameters if isinstance(parameters, Mapping) else {str(i): a for i, a in enumerate(parameters)})
        if not parameters.has_grad():
            parameters.attach_grad()
        self.parameters = parameters
        self.optimizer = optimizers.get(optimizer)
        self._handle = self.optimizer.create()

    def step(self, batch_size: Union[int, float, None] = None) -> None:
        """Updates every parameter from its gradient, which must have been renewed since the last step. `batch_size`: divides the gradients by it first, for a loss that was
        summed over the batch; a loss that is a mean needs none."""
        if batch_size is not None:
            if not batch_size > 0:
                raise ValueError(f"batch_size: expected a positive number, given {batch_size}")
            self.set("rescale_grad", 1.0 / batch_size)
        f.flx_optimizer_step(self._handle, self.parameters.handle)

    def set(self, setting: str, value: Any) -> None:
        """Changes a setting from now on: "learning_rate", "wd" ..., or "<parameter>.lr_mult", "<parameter>.wd_mult"."""
        from ._core import text
        f.flx_optimizer_set(self._handle, setting, text(value))

    def get(self, setting: str) -> float:
        """The number that a setting has now; "rate" is what the next step uses, "step" the updates so far."""
        return f.flx_optimizer_get(self._handle, setting)

    @property
    def learning_rate(self) -> float:
        """What the next step uses; the schedule's value where there is a schedule."""
        return self.get("rate")

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.set("learning_rate", float(value))

    def state(self) -> bytes:
        """The optimizer's state, to go on from exactly."""
        return f.flx_optimizer_to_bytes(self._handle, -1)[-1]

    def load_state(self, data: bytes) -> None:
        """Goes on from what `state` gave."""
        self._handle = f.flx_optimizer_from_bytes(data)

    def save_states(self, path: str) -> None:
        """Writes the optimizer's state to a file."""
        with open(path, "wb") as file:
            file.write(self.state())

    def load_states(self, path: str) -> None:
        """Goes on from what save_states wrote."""
        with open(path, "rb") as file:
            self.load_state(file.read())

    def __getstate__(self) -> Dict[str, Any]:
        return {"parameters": self.parameters, "optimizer": self.optimizer, "state": self.state(), "grads": [n for n, a in self.parameters.items() if f.flx_autograd_grad(a) is not None]}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.parameters, self.optimizer = state["parameters"], state["optimizer"]
        for name in state["grads"]:
            f.flx_autograd_attach(self.parameters[name], "write", None)
        self.load_state(state["state"])

    def __repr__(self) -> str:
        return f"Trainer({self.optimizer!r}, {len(self.parameters)} arrays)"

# SPDX-License-Identifier: Apache-2.0
"""mx.lr_scheduler: learning rates by the number of updates. The formulas are those of the registry's schedules."""
from .base import entries, f, texts


class LRScheduler:
    """scheduler(num_update) -> learning rate; `base_lr` is the rate before any decay."""

    def __init__(self, base_lr=0.01, warmup_steps=0, warmup_begin_lr=0, warmup_mode="linear"):
        self.base_lr, self.warmup_steps, self.warmup_begin_lr, self.warmup_mode = base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        self.warmup_final_lr = base_lr

    def get_warmup_lr(self, num_update):
        if self.warmup_mode == "constant":
            return self.warmup_begin_lr
        # as in MXNet: a base_lr that is set later, by an optimizer, does not change where the warm-up goes
        return self.warmup_begin_lr + (self.warmup_final_lr - self.warmup_begin_lr) * float(num_update) / float(self.warmup_steps)

    def __call__(self, num_update):
        raise NotImplementedError("a schedule must have __call__(num_update)")


_COMMON = {"base_lr": 0.01, "warmup_steps": 0, "warmup_begin_lr": 0, "warmup_mode": "linear"}
# where MXNet's positional order is not the settings of its own, then the common ones
_ORDER = {"Poly": ("max_update", "base_lr", "pwr", "final_lr"), "Cosine": ("max_update", "base_lr", "final_lr")}


class _Registered(LRScheduler):
    """A schedule of the registry."""
    _name, _settings = "", ()

    def __init__(self, *args, **kwargs):
        own = [n for n, _ in self._settings if n not in _COMMON]
        order = list(_ORDER.get(self._name, own))
        order += [n for n in _COMMON if n not in order]
        if len(args) > len(order):
            raise TypeError("%sScheduler takes at most %d arguments: %s" % (self._name, len(order), ", ".join(order)))
        values = dict(_COMMON)
        values.update(zip(order, args))
        values.update(kwargs)
        super().__init__(**{k: values.pop(k) for k in _COMMON})
        self._own, self._made = values, None
        self._schedule()
        for k, v in values.items():
            setattr(self, k, v)

    def _schedule(self):
        now = dict({k: getattr(self, k) for k in _COMMON}, **self._own)
        if self._name in _ORDER:
            now["base_lr"] = self.warmup_final_lr  # MXNet's Poly and Cosine keep the rate that they were made with
        if self._made is None or self._made[0] != now:
            self._made = (now, f.flx_schedule_create(self._name, texts(now)))
        return self._made[1]

    def __call__(self, num_update):
        return self.get_warmup_lr(num_update) if num_update < self.warmup_steps else f.flx_schedule_value(self._schedule(), num_update)

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "_made"}

    def __setstate__(self, state):
        self.__dict__.update(state, _made=None)


for _name, _aliases, _settings, _doc in entries("schedule"):
    globals()[_name + "Scheduler"] = type(_name + "Scheduler", (_Registered,), {"_name": _name, "_settings": _settings, "__doc__": _doc, "__module__": __name__})

# SPDX-License-Identifier: Apache-2.0
"""The base of all layers: those of the core (classes made from the registry) and those of one's own.

A layer of the core is a description that the core reads; a network of such layers alone is one layer of the core and runs as one call. A layer of one's own says which
parameters it wants (`parameters_for`) and what it computes (`forward`). It runs as Python does, operation by operation; to be fitted, saved or hybridized it is traced into a
graph once (nn/tracing.py), so that the core has it whole and every language can run it. Parameters have structural names, "0.weight", "features.1.gamma"."""
from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .. import _convert, _core
from .._core import f
from .._settings import Initializer, setting_text
from ..errors import ArgumentError, StateError, UnsupportedError
from ..ndarray import NDArray
from .parameters import Param, Parameters

Shape = Tuple[Optional[int], ...]


class Layer:
    """What networks are made of; the base class for layers of your own.

        class ScaleShift(nn.Layer):
            def parameters_for(self, input_shape):                  # input_shape[0] is the batch, None where unknown
                return {"scale": nn.Param(input_shape[1:], "ones"), "shift": nn.Param(input_shape[1:], "zeros")}

            def forward(self, x, scale, shift):                     # NDArrays, or Symbols when it is traced
                return x * scale + shift

    Layers that are assigned to attributes are its children, and their parameters its own, as "body.weight". `forward` must do the same with Symbols as with NDArrays: no
    NumPy, no decision by values (`flexor.autograd.operator` makes a NumPy function an operation). The batch may have any size: write -1 or 0 where a reshape needs it.
    """
    kind: Optional[str] = None  # the registry's name; None for layers of one's own
    _loss = False
    _container = False
    _needed = 1
    # What each object has; made in __new__, so that a layer of one's own need not call __init__ here.
    _name: Optional[str]
    _texts: Dict[str, str]                  # settings
    _layers: Dict[str, "Layer"]             # children
    _values: Optional[Parameters]
    _handle: Any                            # the layer of the core, if this is one
    _inputs: Optional[List[Shape]]      # shapes of the inputs it was made for
    _hybrid: Optional[Dict[str, str]]       # options of hybridize
    _traced: Dict[Tuple[Shape, ...], Any]   # layers of the core it became, by input shapes
    _own: Optional[Tuple[str, ...]]         # names of the parameters that forward takes

    def __new__(cls, *args: Any, **kwargs: Any) -> "Layer":
        self = object.__new__(cls)
        self.__dict__.update(_name=None, _texts={}, _layers={}, _values=None, _handle=None, _inputs=None, _hybrid=None, _traced={}, _own=None)
        return self

    def __init__(self, name: Optional[str] = None) -> None:
        self._name = name

    def _setup(self, settings: Dict[str, Any], children: Sequence[Any], name: Optional[str]) -> None:
        """What the constructor of a layer of the core does."""
        self.__dict__.update(_name=name, _texts={k: setting_text(v) for k, v in settings.items()})
        if self._container:
            f.flx_layer_create(self.kind, name, self._texts)  # a wrong setting is told here
            self.add(*children)
        else:
            self._core()

    # ---- children -------------------------------------------------------------------------------------------------------------------------
    def add(self, *layers: Any) -> "Layer":
        """Appends layers (or lists of layers) to a container, before it is used; returns it."""
        if not self._container:
            raise UnsupportedError(f"[{self._label()}] takes no children. Put it and the others into a Sequential.")
        for layer in layers:
            if isinstance(layer, (list, tuple)):
                self.add(*layer)
                continue
            if not isinstance(layer, Layer):
                raise ArgumentError(f"[{self._label()}] expected layers, given {type(layer).__name__}" + (f" {layer.__name__}: give an object of it" if isinstance(layer, type) else ""))
            if layer._loss:
                raise ArgumentError(f"[{self._label()}] a loss ({layer.kind}) cannot be a child; it is given to the fit.")
            if self._handle is not None or self._traced:
                raise StateError(f"[{self._label()}] was used already and takes no more children. Add them before.")
            self._layers[str(len(self._layers))] = layer
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if self.kind is None and not name.startswith("_"):
            if isinstance(value, Layer):
                self._layers[name] = value
                self._traced.clear()
            else:
                self._layers.pop(name, None)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        self._layers.pop(name, None)
        object.__delattr__(self, name)

    def children(self) -> Dict[str, "Layer"]:
        """The children by name: "0", "1" ... in a container, attributes' names in a layer of one's own."""
        return dict(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator["Layer"]:
        return iter(self._layers.values())

    def __getitem__(self, index: Any) -> Any:
        layers = list(self._layers.values())
        if isinstance(index, slice):
            return layers[index]
        return self._layers[index] if isinstance(index, str) else layers[index]

    def _walk(self, prefix: str = "") -> Iterator[Tuple[str, "Layer"]]:
        yield prefix, self
        for name, child in self._layers.items():
            yield from child._walk(f"{prefix}{name}.")

    # ---- what a layer of one's own writes -----------------------------------------------------------------------------------------------------
    def parameters_for(self, input_shape: Any) -> Mapping[str, Param]:
        """The parameters for an input of this shape (a list of shapes if there are several inputs); input_shape[0] is the batch. None by default."""
        return {}

    def forward(self, *inputs: Any, **params: Any) -> Any:
        """What the layer computes from its inputs and, by keyword, its parameters."""
        if self.kind is None:
            raise NotImplementedError(f"{type(self).__name__} has no `forward`")
        from .tracing import chain
        return chain(self, inputs)

    # ---- running ------------------------------------------------------------------------------------------------------------------------------
    def __call__(self, *inputs: Any) -> Any:
        """Runs the layer on NDArrays (NumPy arrays are copied into some), or applies it to Symbols. Records and trains as flexor.autograd says."""
        handle = self._handle
        for x in inputs:
            if type(x) is not NDArray:
                break
        else:
            if handle is not None and inputs:  # the short way: a layer of the core
                values = self._values
                results = f.flx_layer_run(handle, None if values is None else values._handle or values.handle, None, inputs)
                return results[0] if len(results) == 1 else tuple(results)
        return self._run(inputs)

    def _run(self, inputs: Sequence[Any]) -> Any:
        """The long way: inputs of other kinds, a layer that is run for the first time or is not the core's."""
        if not inputs:
            raise ArgumentError(f"[{self._label()}] expected an input, given none.")
        if not isinstance(inputs[0], NDArray):
            from ..symbol import Symbol
            from .tracing import apply
            if isinstance(inputs[0], Symbol):
                return apply(self, inputs)
        inputs = tuple(x if isinstance(x, NDArray) else _array(x, self, inputs) for x in inputs)
        handle = self._handle
        if handle is None:
            if self._is_core():
                handle = self._core()
            elif self._hybrid is not None:
                handle = self._core([x.shape for x in inputs])
            else:
                return self._forward(inputs)
        results = f.flx_layer_run(handle, None if self._values is None else self._values.handle, None, inputs)
        return results[0] if len(results) == 1 else tuple(results)

    def _forward(self, inputs: Sequence[Any]) -> Any:
        """In Python: a layer of one's own, or a container that holds one."""
        if self._own is None:
            self.__dict__["_own"] = tuple(self._declared([x.shape for x in inputs])) if type(self).forward is not Layer.forward else ()
        if not self._own:
            return self.forward(*inputs)
        if self._values is None:
            raise StateError(f"[{self._label()}] parameter `{self._own[0]}` is missing. Call initialize(input_shape=...), or fit.")
        return self.forward(*inputs, **{n: self._values[n] for n in self._own})

    def _declared(self, shapes: Sequence[Shape]) -> Mapping[str, Param]:
        declared = self.parameters_for(shapes[0] if len(shapes) == 1 else list(shapes))
        for name, p in declared.items():
            if not isinstance(p, Param):
                raise TypeError(f"{type(self).__name__}.parameters_for: expected nn.Param for `{name}`, given {type(p).__name__}")
            if name in self._layers:
                raise ArgumentError(f"[{self._label()}] `{name}` is a child and a parameter.")
        return declared

    def _is_core(self) -> bool:
        return self.kind is not None and type(self).forward is Layer.forward and all(c._is_core() for c in self._layers.values())

    def _core(self, shapes: Optional[Sequence[Shape]] = None) -> Any:
        """The layer of the core that this is, for inputs of these shapes where it has to be traced."""
        if self._handle is not None:
            return self._handle
        if self._is_core():
            handle = f.flx_layer_create(self.kind, self._name, self._texts)
            for child in self._layers.values():
                f.flx_layer_add(handle, child._core())
            self.__dict__["_handle"] = handle
        else:
            from .tracing import build
            shapes = shapes or self._inputs
            if not shapes:
                raise StateError(f"[{self._label()}] holds a layer of your own, so the input's shape must be known. Give input_shape.")
            key = tuple((None, *s[1:]) for s in shapes)
            self.__dict__["_inputs"] = list(key)
            if key in self._traced:
                return self._traced[key]
            if len(self._traced) >= 8:
                self._traced.clear()
            handle = self._traced[key] = build(self, key)
        if self._hybrid is not None:
            f.flx_layer_hybridize(handle, self._hybrid)
        return handle

    def hybridize(self, active: bool = True, **options: Any) -> "Layer":
        """From now on runs go through plans, one operation each, made at the first run of each signature: the same numbers, faster.

        Options are the registry's (options, hybridize): passes, memory, plans, fallback, print. Returns the layer."""
        self.__dict__["_hybrid"] = {"active": "True", **_core.texts(**options)} if active else None
        self._traced.clear()
        if self._is_core():
            f.flx_layer_hybridize(self._core(), self._hybrid or {"active": "False"})
        return self

    def plan(self, field: str = "plan") -> str:
        """A text about the plan of a hybridized layer: graph, plan, passes, print, memory, signatures or prologue."""
        return f.flx_layer_plan(self._core(), field)

    # ---- parameters -----------------------------------------------------------------------------------------------------------------------------
    def initialize(self, init: Any = None, input_shape: Any = None, seed: int = 0, dtype: Any = "float32", device: Optional[str] = None) -> "Layer":
        """Makes first values for all parameters, and attaches gradients; what was there is forgotten.

        Parameters
        ----------
        init : flexor.init object or its name
            For parameters whose layer says nothing; None: Xavier.
        input_shape : tuple
            Of the input, None for the batch: (None, 1, 28, 28). A list of shapes for several inputs.
        seed : int
            A value depends on the seed, the parameter's name and its shape only, in every language.
        dtype
            Of the input and the parameters.
        device : str, optional
            Where they lie, as "gpu(0)"; None: on the CPU.
        """
        shapes = input_shapes(input_shape) if input_shape is not None else self._inputs
        if not shapes:
            raise ArgumentError(f"[{self._label()}] initialize needs the input's shape, as in initialize(input_shape=(None, 1, 28, 28), seed=1).")
        if isinstance(init, str):
            from .. import init as initializers
            init = initializers.get(init)
        if init is not None and not isinstance(init, Initializer):
            raise TypeError(f"init: expected a flexor.init object or its name, given {type(init).__name__}")
        options = shape_options(shapes, dtype)
        if device is not None:
            options["device"] = str(device)
        made = f.flx_params_init(self._core(shapes), options, None if init is None else init._create_handle(), int(seed))
        self._set_values(Parameters(handle=made).attach_grad(), shapes)
        return self

    def to(self, device: str) -> "Layer":
        """Moves the parameters to `device`, as "gpu(0)" or "cpu"; attached gradients are attached there anew. Data must be there, too. Returns the network."""
        values = self.parameters()
        f.flx_params_move(values.handle, str(device))
        self._set_values(values, self._inputs)
        return self

    def _set_values(self, values: Optional[Parameters], shapes: Optional[Sequence[Shape]] = None) -> None:
        """Takes `values` as the parameters of this layer and, by their names, of those inside it."""
        seen: Dict[int, str] = {}
        for prefix, layer in self._walk():
            if id(layer) in seen and values is not None and any(n.startswith(prefix) for n in values):
                raise ArgumentError(f"[{self._label()}] one layer object stands at {seen[id(layer)]} and at {prefix[:-1]}; they would not share parameters. Make two, or copy.deepcopy it.")
            seen[id(layer)] = prefix[:-1] or "the top"
            layer.__dict__["_values"] = values if layer is self or values is None else values.below(prefix)
        if shapes is not None:
            self.__dict__["_inputs"] = [tuple(s) for s in shapes]

    def parameters(self) -> Parameters:
        """The parameters and states by name: the arrays themselves, whose `.grad` is their gradient."""
        if self._values is None:
            raise StateError(f"[{self._label()}] has no parameters yet. Call initialize(input_shape=...), or fit.")
        return self._values

    def save_parameters(self, path: str) -> None:
        """Writes the parameters alone: .safetensors, or MXNet's .params, by the extension."""
        self.parameters().save(path)

    def load_parameters(self, path: str, strict: bool = True) -> "Layer":
        """Overwrites the parameters with those of a file that save_parameters, or MXNet, wrote. strict: the names must be the same."""
        self.parameters().copy_from(Parameters.load(path), strict)
        return self

    # ---- looking at it ----------------------------------------------------------------------------------------------------------------------------
    def summary(self, input_shape: Any = None, columns: int = 100) -> str:
        """A table: each layer with its output shape, parameters, bytes and multiply-adds, and totals. `input_shape` as initialize has it."""
        shapes = self._shapes(input_shape, "summary")
        return f.flx_layer_summary(self._core(shapes), shape_options(shapes), columns)

    def draw(self, input_shape: Any = None, format: str = "svg") -> "Drawing":
        """A picture of the network as a graph: shown in a notebook, `.save(path)` writes it. `format` is svg or dot."""
        shapes = [tuple(1 if n is None else n for n in s) for s in self._shapes(input_shape, "draw")]
        return Drawing(f.flx_layer_draw(self._core(shapes), shape_options(shapes), format))

    def _shapes(self, input_shape: Any, what: str) -> List[Shape]:
        shapes = input_shapes(input_shape) if input_shape is not None else self._inputs
        if not shapes:
            raise ArgumentError(f"[{self._label()}] {what} needs the input's shape, as in {what}((None, 1, 28, 28)).")
        return shapes

    def _label(self) -> str:
        return self._name or type(self).__name__

    def _settings(self) -> Dict[str, str]:
        """Settings that are not defaults."""
        if self.kind is None:
            return {}
        return json.loads(f.flx_layer_to_json(f.flx_layer_create(self.kind, None, self._texts))).get("settings", {})

    def __repr__(self) -> str:
        head = f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self._settings().items() if k != 'symbol')}"
        if not self._layers:
            return head + ")"
        lines = [f"  ({n}): " + repr(c).replace("\n", "\n  ") for n, c in self._layers.items()]
        return head + "\n" + "\n".join(lines) + "\n)"

    # ---- files and copies -----------------------------------------------------------------------------------------------------------------------------
    def _model(self) -> Any:
        """A model handle of this layer with its parameters (none, if there are none yet)."""
        return f.flx_model_create(self._core(), None if self._values is None else self._values.handle)

    def save(self, path: str) -> None:
        """Writes layer and parameters to one file (.flx) that every language reads; flexor.load reads it."""
        self.parameters()
        f.flx_model_save(self._model(), str(path), -1)

    def _skeleton(self) -> Tuple[Any, ...]:
        """What the layer is, without handles and parameters: class, attributes, children."""
        private = {"_layers", "_values", "_handle", "_traced"}
        plain = {k: v for k, v in self.__dict__.items() if k not in private and self._layers.get(k) is not v}
        return type(self), plain, [(n, c._skeleton()) for n, c in self._layers.items()]

    def __reduce__(self) -> Any:
        if self._values is None or not len(self._values):
            return _rebuild, (self._skeleton(), None)
        return _rebuild, (self._skeleton(), f.flx_model_to_bytes(self._model(), -1)[-1])


def _rebuild(skeleton: Tuple[Any, ...], data: Optional[bytes]) -> Layer:
    """The layer of a skeleton, with the parameters of a model's bytes: what pickle and copy call."""
    cls, plain, children = skeleton
    layer = cls.__new__(cls)
    layer.__dict__.update(plain)
    for name, child in children:
        made = _rebuild(child, None)
        layer._layers[name] = made
        if layer.kind is None:
            layer.__dict__[name] = made
    if data is not None:
        model = f.flx_model_from_bytes(data, None)
        layer._set_values(Parameters(handle=f.flx_model_params(model)))
        layer._values.attach_grad()
    return layer


def from_core(handle: Any, params: Any = None) -> Layer:
    """The Python object for a layer of the core, its children included, with the parameters of a handle."""
    layer = _from_json(json.loads(f.flx_layer_to_json(handle)))
    if params is not None:
        layer._set_values(Parameters(handle=params))
    return layer


def _from_json(node: Dict[str, Any]) -> Layer:
    from .._generated import layers
    cls = getattr(layers, node["kind"])
    layer = cls.__new__(cls)
    layer._setup(node.get("settings", {}), [_from_json(c) for c in node.get("children", ())], node.get("name"))
    return layer


def _array(x: Any, layer: Layer, inputs: Sequence[Any]) -> NDArray:
    """A host's value as an array, where the arrays beside it are, or the layer's parameters."""
    if x is None:
        raise ArgumentError(f"[{layer._label()}] expected arrays, given None.")
    values = () if layer._values is None else layer._values.values()
    return _convert.as_array(x, None, _convert.place(*inputs, *values))


def input_shapes(given: Any) -> List[Shape]:
    """A shape, or several, as a list of tuples; sizes are ints, None where unknown."""
    if isinstance(given, (int, np.integer)):
        given = (None, int(given))
    given = list(given)
    several = given and all(isinstance(s, (list, tuple)) for s in given)
    return [tuple(None if n is None or n == -1 else int(n) for n in s) for s in (given if several else [given])]


def shape_options(shapes: Sequence[Shape], dtype: Any = None) -> Dict[str, str]:
    """Input shapes as the options that the core's functions take."""
    made = {("data" if i == 0 else f"data{i}"): _core.text(s) for i, s in enumerate(shapes)}
    if dtype is not None and _core.text(dtype) != "float32":
        made["dtype"] = _core.text(dtype)
    return made


class Drawing(str):
    """A picture as text, shown by notebooks."""

    def _repr_svg_(self) -> Optional[str]:
        return str(self) if self.lstrip().startswith("<svg") else None

    def save(self, path: str) -> None:
        """Writes the picture to a file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self)

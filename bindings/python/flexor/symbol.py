# SPDX-License-Identifier: Apache-2.0
"""Symbol: a graph of operators, composed before there is data. `flexor.sym` makes them."""
import json
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _core, _dtypes
from . import _flexor as f
from .errors import ArgumentError, ShapeError, UnknownNameError, UnsupportedError
from .ndarray import NDArray

ARGUMENT, AUXILIARY, OUTPUT, INTERNAL, INPUT = f.FLX_ARGUMENT, f.FLX_AUXILIARY, f.FLX_OUTPUT, f.FLX_INTERNAL, f.FLX_INPUT
Shape = Tuple[int, ...]


class _Names(threading.local):
    """Names of nodes that are given none: conv2d0, conv2d1 ... counted for each thread; a scope has a prefix, and counts afresh."""

    def __init__(self) -> None:
        self.scopes: List[Tuple[str, Dict[str, int]]] = [("", {})]

    def make(self, given: Optional[str], op: str) -> str:
        if not given:
            word, counts = op.lower().strip("_"), self.scopes[-1][1]
            number = counts.get(word, 0)
            counts[word] = number + 1
            given = f"{word}{number}"
        return "".join(prefix for prefix, _ in self.scopes) + given


_names = _Names()


class NameScope:
    """A scope whose nodes' names begin with `prefix`; numbers begin at 0 in it."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __enter__(self) -> "NameScope":
        _names.scopes.append((self.prefix, {}))
        return self

    def __exit__(self, *_: Any) -> None:
        _names.scopes.pop()


def compose(op: str, inputs: Sequence[Any], options: Optional[Dict[str, Any]] = None, name: Optional[str] = None, input_names: Sequence[str] = (),
            attr: Optional[Dict[str, str]] = None) -> "Symbol":
    """Operator `op` on symbols as a node. `input_names` say which input each is (none: in order); inputs that are left out become variables."""
    singles: List[Symbol] = []
    for x in inputs:
        if not isinstance(x, Symbol):
            raise ArgumentError(f"[{op}] expected symbols, given {type(x).__name__}. Make it a variable or compute it with arrays.")
        singles.extend([x] if f.flx_symbol_count(x, OUTPUT) == 1 else list(x))
    names = list(input_names) if len(input_names) == len(singles) else []
    out = f.flx_symbol_compose(op, _names.make(name, op), singles, names, {k: _core.text(v) for k, v in (options or {}).items()})
    for key, value in (attr or {}).items():
        f.flx_symbol_attr_set(out, key, _core.text(value))
    return out


def _operator(name: str, scalar: str, reflected: Optional[str] = None) -> Tuple[Callable, Callable]:
    def run(x: "Symbol", y: Any, swapped: bool) -> Any:
        if isinstance(y, Symbol):
            return compose(name, [y, x] if swapped else [x, y])
        if isinstance(y, (bool, int, float, np.number, np.bool_)):
            return compose(reflected or scalar if swapped else scalar, [x], {"scalar": y})
        return NotImplemented

    def forward(self: "Symbol", other: Any) -> Any:
        return run(self, other, False)

    def backward(self: "Symbol", other: Any) -> Any:
        return run(self, other, True)
    return forward, backward


class Symbol(f.Handle):
    """One or more outputs of a graph of operators. Symbols are immutable but for the attributes of their nodes; they share nodes.

    Operators on symbols broadcast. Every operator of flexor.sym whose first input is the data is a method, too."""
    __slots__ = ()

    # ---- parts ----
    def _list(self, part: int) -> List[str]:
        return [f.flx_symbol_name(self, part, i) for i in range(f.flx_symbol_count(self, part))]

    def list_arguments(self) -> List[str]:
        """The names of the variables that are no auxiliary states, in the graph's order."""
        return self._list(ARGUMENT)

    def list_auxiliary_states(self) -> List[str]:
        """The names of the states that training changes (running means)."""
        return self._list(AUXILIARY)

    def list_outputs(self) -> List[str]:
        """The names of the outputs: "fc1_output"."""
        return self._list(OUTPUT)

    def list_inputs(self) -> List[str]:
        """Arguments and auxiliary states in the graph's order: what a Graph wants."""
        return self._list(INPUT)

    @property
    def name(self) -> str:
        """The name of its node; of a group, of the first output's."""
        name = f.flx_symbol_name(self, OUTPUT, 0)
        return name[:-len("_output")] if name.endswith("_output") else name

    def get_internals(self) -> "Symbol":
        """All outputs of all nodes as one symbol."""
        return group([f.flx_symbol_at(self, INTERNAL, i) for i in range(f.flx_symbol_count(self, INTERNAL))])

    def __len__(self) -> int:
        return f.flx_symbol_count(self, OUTPUT)

    def __iter__(self) -> Iterator["Symbol"]:
        return (f.flx_symbol_at(self, OUTPUT, i) for i in range(len(self)))

    def __getitem__(self, key: Any) -> "Symbol":
        """Output number `key` of several, or the output called `key`; of one output, elements: integers, slices, None and ... as NumPy has them."""
        if isinstance(key, str):
            names = self.list_outputs()
            if key not in names:
                raise UnknownNameError(f"[symbol] has no output called `{key}`; there are {', '.join(names)}")
            return f.flx_symbol_at(self, OUTPUT, names.index(key))
        if isinstance(key, int) and (len(self) > 1 or self.shape is None):
            return f.flx_symbol_at(self, OUTPUT, key + len(self) if key < 0 else key)
        return _elements(self, key if isinstance(key, tuple) else (key,))

    def __repr__(self) -> str:
        if not f.flx_handle_kind(self):
            return "<Symbol: freed>"
        names = self.list_outputs()
        return f"<Symbol {names[0] if len(names) == 1 else 'group [' + ', '.join(names) + ']'}>"

    def __copy__(self) -> "Symbol":
        return self

    def __deepcopy__(self, memo: dict) -> "Symbol":
        return f.flx_symbol_from_json(f.flx_symbol_to_json(self))

    def __reduce__(self) -> tuple:
        return loads, (self.tojson(),)

    # ---- operators ----
    __add__, __radd__ = _operator("broadcast_add", "_plus_scalar")
    __sub__, __rsub__ = _operator("broadcast_sub", "_minus_scalar", "_rminus_scalar")
    __mul__, __rmul__ = _operator("broadcast_mul", "_mul_scalar")
    __truediv__, __rtruediv__ = _operator("broadcast_div", "_div_scalar", "_rdiv_scalar")
    __mod__, __rmod__ = _operator("broadcast_mod", "_mod_scalar", "_rmod_scalar")
    __pow__, __rpow__ = _operator("broadcast_power", "_power_scalar", "_rpower_scalar")
    __eq__ = _operator("broadcast_equal", "_equal_scalar")[0]  # type: ignore[assignment]
    __ne__ = _operator("broadcast_not_equal", "_not_equal_scalar")[0]  # type: ignore[assignment]
    __lt__ = _operator("broadcast_lesser", "_lesser_scalar")[0]
    __le__ = _operator("broadcast_lesser_equal", "_lesser_equal_scalar")[0]
    __gt__ = _operator("broadcast_greater", "_greater_scalar")[0]
    __ge__ = _operator("broadcast_greater_equal", "_greater_equal_scalar")[0]
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("a Symbol has no truth: it has no values yet. Use sym.cond for a choice, `is` to compare objects")

    def __neg__(self) -> "Symbol":
        return compose("negative", [self])

    def __abs__(self) -> "Symbol":
        return compose("abs", [self])

    def __matmul__(self, other: Any) -> "Symbol":
        if not isinstance(other, Symbol):
            return NotImplemented
        return compose("batch_dot" if (self.shape is not None and len(self.shape) > 2) else "dot", [self, other])

    def reshape(self, *shape: Any) -> "Symbol":
        """With another shape; one size may be -1: what is left."""
        return compose("Reshape", [self], {"shape": tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape})

    def transpose(self, *axes: Any) -> "Symbol":
        """With the axes in the order `axes`; none: reversed."""
        return compose("transpose", [self], {"axes": tuple(axes[0]) if len(axes) == 1 and not isinstance(axes[0], int) else axes})

    @property
    def T(self) -> "Symbol":
        """With the axes in reverse order."""
        return self.transpose()

    def astype(self, dtype: Any) -> "Symbol":
        """Cast to `dtype`."""
        return compose("Cast", [self], {"dtype": dtype})

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            from ._generated import op, symbols
            if name in op.METHODS:
                setattr(Symbol, name, getattr(symbols, name))
                return getattr(self, name)
        raise AttributeError(f"'Symbol' object has no attribute '{name}'")

    # ---- shapes and dtypes ----
    def infer(self, partial: bool = False, **known: Any) -> "Symbol":
        """A symbol that knows its shapes and dtypes: `known` gives them by the variables' names, a shape (None: an unknown size) or a dtype. With `partial`
        what cannot be found is left unknown, else it is an error that names the node."""
        pairs = {}
        for name, value in known.items():
            if isinstance(value, (tuple, list)):
                pairs[name] = _core.text(tuple(value))
            else:
                pairs[name + ".dtype"] = _core.text(value)
        return f.flx_symbol_infer(self, pairs, int(partial))

    def _known(self, part: int) -> List[Tuple[Optional[Any], Optional[Shape]]]:
        """(dtype, shape) of each; None where unknown, -1 for an unknown size."""
        out: List[Tuple[Optional[Any], Optional[Shape]]] = []
        for i in range(f.flx_symbol_count(self, part)):
            number, known, dims = f.flx_symbol_shape(self, part, i)
            out.append((_dtypes.DTYPES.get(number), tuple(dims) if known else None))
        return out

    def infer_shape(self, **shapes: Any) -> Tuple[List[Shape], List[Shape], List[Shape]]:
        """The shapes of the arguments, outputs and auxiliary states (in the order of list_arguments and so on), from those given by name."""
        known = self.infer(**shapes)
        return tuple([shape for _, shape in known._known(part)] for part in (ARGUMENT, OUTPUT, AUXILIARY))  # type: ignore[return-value]

    def infer_shape_partial(self, **shapes: Any) -> Tuple[List[Optional[Shape]], ...]:
        """infer_shape, where what cannot be found is None, and an unknown size -1."""
        known = self.infer(True, **shapes)
        return tuple([shape for _, shape in known._known(part)] for part in (ARGUMENT, OUTPUT, AUXILIARY))

    def infer_type(self, **dtypes: Any) -> Tuple[List[Any], List[Any], List[Any]]:
        """The dtypes of the arguments, outputs and auxiliary states, from those given by name; what nothing tells is None."""
        known = self.infer(True, **dtypes)
        return tuple([dtype for dtype, _ in known._known(part)] for part in (ARGUMENT, OUTPUT, AUXILIARY))  # type: ignore[return-value]

    def _first(self) -> Tuple[Optional[Any], Optional[Shape]]:
        try:
            return self._known(OUTPUT)[0]
        except Exception:  # it was not inferred
            return f.flx_symbol_infer(self, {}, 1)._known(OUTPUT)[0]

    @property
    def shape(self) -> Optional[Shape]:
        """The shape of the (first) output where it is known from the variables' shapes or by infer, unknown sizes -1; None if not even their number is."""
        return self._first()[1]

    @property
    def dtype(self) -> Any:
        """The dtype of the (first) output; None if it is not known."""
        return self._first()[0]

    @property
    def ndim(self) -> int:
        """The number of axes, where it is known."""
        shape = self.shape
        if shape is None:
            raise ShapeError("[symbol] its shape is not known yet. Give the variables' shapes")
        return len(shape)

    # ---- attributes ----
    def attr(self, key: str) -> Optional[str]:
        """Attribute `key` of its node; None if it is not set."""
        return f.flx_symbol_attr_get(self, key)

    def set_attr(self, **attributes: Any) -> None:
        """Sets attributes of its node, for all symbols that share it."""
        for key, value in attributes.items():
            f.flx_symbol_attr_set(self, key, _core.text(value))

    def attr_dict(self) -> Dict[str, Dict[str, str]]:
        """All attributes: node -> key -> value."""
        out: Dict[str, Dict[str, str]] = {}
        for i in range(f.flx_symbol_attr_count(self)):
            node, key, value = f.flx_symbol_attr_at(self, i)
            out.setdefault(node, {})[key] = value
        return out

    def list_attr(self) -> Dict[str, str]:
        """The attributes of its own node."""
        return self.attr_dict().get(self.name, {})

    # ---- other symbols ----
    def substitute(self, **symbols: "Symbol") -> "Symbol":
        """With the variables of these names replaced."""
        return f.flx_symbol_substitute(self, list(symbols.values()), list(symbols))

    def __call__(self, **symbols: "Symbol") -> "Symbol":
        return self.substitute(**symbols)

    def gradient(self, names: Union[str, Sequence[str]]) -> "Symbol":
        """The gradients of the variables `names` as a graph, one output each, over this graph's variables and <output>_head, the head gradients. The shapes must be
        known: infer first."""
        return f.flx_symbol_gradient(self, [names] if isinstance(names, str) else list(names))

    def transform(self, name: str, **options: Any) -> "Symbol":
        """After the pass `name` of the core (fuse, fold ...), to be read, drawn or run; shapes must be known."""
        return f.flx_symbol_transform(self, name, _core.texts(**options))

    # ---- files and people ----
    def tojson(self) -> str:
        """MXNet's JSON document of the graph."""
        return f.flx_symbol_to_json(self)

    def save(self, path: Any) -> None:
        """Writes the file `path` as tojson gives it."""
        f.flx_symbol_save(self, path)

    def summary(self, columns: int = 0, **shapes: Any) -> str:
        """A table: each operator with output shapes, parameters and multiply-adds; `shapes` as infer takes them."""
        return f.flx_symbol_summary(self.infer(True, **shapes) if shapes else self, columns)

    def table(self, **shapes: Any) -> Any:
        """The table of summary as Python lists and dicts."""
        return json.loads(f.flx_symbol_table(self.infer(True, **shapes) if shapes else self))

    def draw(self, format: str = "svg", **shapes: Any) -> "Drawing":
        """A picture, shown by notebooks; `format` is svg or dot."""
        return Drawing(f.flx_symbol_draw(self.infer(True, **shapes) if shapes else self, format))

    # ---- running ----
    def graph(self, **options: Any) -> "Graph":
        """Ready to run. Options: monitor, plan, passes, memory, plans, print, fallback (docs/hybrid.md)."""
        return f.flx_graph_create(self, _core.texts(**options))

    def eval(self, **arrays: NDArray) -> List[NDArray]:
        """The outputs for the variables' values `arrays`."""
        out = self.graph()(**arrays)
        return [out] if isinstance(out, NDArray) else list(out)


def _elements(x: Symbol, key: tuple) -> Symbol:
    begin: List[Optional[int]] = []
    end: List[Optional[int]] = []
    step: List[int] = []
    drop, new = [], []
    for at, part in enumerate(key):
        if part is Ellipsis:
            missing = x.ndim - sum(p is not None and p is not Ellipsis for p in key)
            return _elements(x, key[:at] + (slice(None),) * missing + key[at + 1:])
    place = 0
    for part in key:
        if part is None:
            new.append(place)
        elif isinstance(part, slice):
            begin.append(part.start)
            end.append(part.stop)
            step.append(1 if part.step is None else part.step)
        elif hasattr(part, "__index__"):
            i = int(part)
            drop.append(len(begin))
            begin.append(i)
            end.append(i + 1 if i != -1 else None)
            step.append(1)
            place -= 1
        else:
            raise ArgumentError(f"[symbol] expected integers, slices, None or ..., given {type(part).__name__}. Use take, pick or gather_nd for arrays of indices.")
        place += 1
    if begin:
        x = compose("slice", [x], {"begin": tuple(begin), "end": tuple(end), "step": tuple(step)})
    if drop:  # (squeeze leaves one axis, as MXNet had no arrays without)
        everything = x.shape is not None and len(drop) == len(x.shape)
        x = compose("_np_sum" if everything else "squeeze", [x], {"axis": tuple(drop)})
    for axis in new:
        x = compose("expand_dims", [x], {"axis": axis})
    return x


class Drawing(str):
    """SVG or dot text that a notebook shows as a picture; `save(path)` writes it."""

    def _repr_svg_(self) -> Optional[str]:
        return str(self) if self.lstrip().startswith("<") else None

    def save(self, path: Any) -> None:
        """Writes it to the file `path`."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self)


class Graph(f.Handle):
    """A symbol ready to run: graph(data=x, fc_weight=w), or graph(x, w) in the order of `inputs`. Runs by plans, made at the first run of each signature; differentiable
    while recording; in training mode auxiliary states change."""
    __slots__ = ()

    @property
    def symbol(self) -> Symbol:
        """What it runs."""
        return f.flx_graph_symbol(self)

    @property
    def inputs(self) -> List[str]:
        """The names of the arrays that a run takes."""
        return self.symbol.list_inputs()

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """The output, or a tuple of the outputs."""
        if named:
            names = self.inputs
            unknown, missing = [n for n in named if n not in names], [n for n in names[len(arrays):] if n not in named]
            if unknown or missing or len(arrays) + len(named) != len(names):
                raise ArgumentError(f"[graph] expected arrays for {', '.join(names)}; " + (f"missing {', '.join(missing)}" if missing else f"unknown or given twice: {', '.join(unknown or named)}"))
            arrays = (*arrays, *(named[n] for n in names[len(arrays):]))
        try:
            out = f.flx_graph_run(self, None, arrays)
        except UnsupportedError:  # it reads a condition on its way, or holds functions of the host: work for a task
            task = f.flx_graph_start(self, None, arrays)
            _core.run_task(task)
            out = f.flx_task_arrays(task)
        return out[0] if len(out) == 1 else out

    def text(self, field: str) -> str:
        """What is known of it: waits, planned, program, graph, plan, passes, print, memory, signatures, prologue, svg or dot."""
        return f.flx_graph_text(self, field)


def group(symbols: Sequence[Symbol]) -> Symbol:
    """One symbol with the outputs of all."""
    return f.flx_symbol_group(list(symbols))


def loads(text: str) -> Symbol:
    """The symbol of a JSON document; those of older MXNet versions are upgraded."""
    return f.flx_symbol_from_json(text)


f.classes["symbol"] = Symbol
f.classes["graph"] = Graph

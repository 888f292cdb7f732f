# SPDX-License-Identifier: Apache-2.0
"""The class Symbol: the package's own symbol, with the methods that MXNet's programs expect."""
import numpy as np

from ... import Symbol as Native
from .. import attribute, name as name_module
from ..base import DTYPES, f, integer_types, numeric_types, op, op_names, text
from ..ndarray.ndarray import BINARY, COMPARISONS, OPERATORS, add_methods

ARGUMENT, AUXILIARY, OUTPUT, INTERNAL, INPUT = f.FLX_ARGUMENT, f.FLX_AUXILIARY, f.FLX_OUTPUT, f.FLX_INTERNAL, f.FLX_INPUT


def own(symbol):
    symbol.__class__ = Symbol
    return symbol


def outputs_of(symbols):
    """Symbols of one output each, as compose wants its inputs."""
    flat = []
    for s in symbols:
        count = f.flx_symbol_count(s, OUTPUT)
        flat += [s] if count == 1 else [f.flx_symbol_at(s, OUTPUT, i) for i in range(count)]
    return flat


def compose(op_name, inputs, names, options, name=None, attr=None, hint=None):
    """A node: its name by the NameManager where none is given, attributes by the AttrScope."""
    name = name_module.current().get(name, hint or op_name.lower())
    extra = {"__%s__" % k.strip("_"): str(v) for k, v in attribute.current().get(attr).items()}
    flat = outputs_of(inputs)
    # inputs of several outputs (Concat(*split)) have no names of their own
    return own(f.flx_symbol_compose(op_name, name, flat, names if len(names) == len(flat) else (), dict(options, **extra)))


def function(op_name):
    """mx.sym's function of an operator."""
    o = op(op_name)

    def run(*args, name=None, attr=None, out=None, **kwargs):
        kwargs.pop("ctx", None)
        attr = dict(attr or {})
        for k in [k for k in kwargs if k.startswith("__") and k.endswith("__") or k in ("lr_mult", "wd_mult", "ctx_group")]:
            attr[k] = kwargs.pop(k)
        inputs, names, options = o.sort_out(args, kwargs, Native)
        return compose(o.asked, inputs, names, options, name, attr)
    run.__name__ = run.__qualname__ = op_name
    run.__doc__ = o.documentation()
    return run


def _shape_text(shape):
    """A shape for the library, where MXNet's unknown size, 0, is None."""
    return text(tuple(None if s in (0, -1, None) else int(s) for s in shape))


def var(name, attr=None, shape=None, lr_mult=None, wd_mult=None, dtype=None, init=None, stype=None, profiler_scope=None, **kwargs):
    """A variable; sizes of 0 in `shape` are unknown."""
    if not isinstance(name, str):
        raise TypeError("the name of a variable must be a text, given %r" % (name,))
    attrs = dict(attribute.current().get(attr))
    options = {k: str(v) for k, v in attrs.items()}
    if shape is not None:
        options["shape"] = _shape_text(shape)
    if dtype is not None:
        options["dtype"] = text(np.dtype(dtype)) if not isinstance(dtype, str) else dtype
    if init is not None:
        options["init"] = init if isinstance(init, str) else init.dumps()
    for k, v in (("lr_mult", lr_mult), ("wd_mult", wd_mult)):
        if v is not None:
            options[k] = str(v)
    for k, v in kwargs.items():
        if not (k.startswith("__") and k.endswith("__")):
            raise ValueError("attribute %r: names of attributes begin and end with two underscores" % k)
        options[k] = str(v)
    return own(f.flx_symbol_variable(name, options))


Variable = var


def Group(symbols):
    """One symbol with the outputs of all."""
    symbols = list(symbols)
    if not symbols or not all(isinstance(s, Symbol) for s in symbols):
        raise TypeError("Group takes symbols")
    return own(f.flx_symbol_group(symbols))


def load(fname):
    return own(f.flx_symbol_load(fname))


def load_json(json_str):
    return own(f.flx_symbol_from_json(json_str))


_NAMES = {"broadcast_add": ("elemwise_add", "_plus"), "broadcast_sub": ("elemwise_sub", "_minus"), "broadcast_mul": ("elemwise_mul", "_mul"), "broadcast_div": ("elemwise_div", "_div")}


def binary(kind, lhs, rhs):
    """MXNet's arithmetic: symbols of equal shapes, or a symbol and a number. Nodes are named as MXNet names them: _plus0, _mulscalar0."""
    arrays, right, left = BINARY[kind]

    def hinted(name):
        # MXNet's nodes are called by the names that its Python code uses: _mulscalar0, but _equal_scalar0
        return name if kind in COMPARISONS.values() or kind.startswith("logical") else "_" + name.replace("_", "")
    if isinstance(lhs, Native) and isinstance(rhs, Native):
        named, hint = _NAMES.get(arrays, (arrays.replace("broadcast", ""),) * 2)
        return compose(named if named in op_names() else arrays, (lhs, rhs), ("lhs", "rhs"), {}, hint=hint)
    if isinstance(lhs, Native) and isinstance(rhs, numeric_types):
        return compose(right, (lhs,), (), {"scalar": text(rhs)}, hint=hinted(right))
    if isinstance(rhs, Native) and isinstance(lhs, numeric_types):
        return compose(left, (rhs,), (), {"scalar": text(lhs)}, hint=hinted(left))
    raise TypeError("[%s] expected symbols or numbers, given %s and %s" % (kind, type(lhs).__name__, type(rhs).__name__))


def _mxnet_text(key, value):
    """An attribute of a variable as MXNet writes it: unknown sizes are 0, dtypes numbers."""
    if value is not None and key == "__shape__":
        return value.replace("None", "0")
    if key == "__dtype__" and value in _DTYPE_NUMBERS:
        return _DTYPE_NUMBERS[value]
    return value


_DTYPE_NUMBERS = {str(getattr(t, "name", t)): str(number) for number, t in DTYPES.items()}


class Symbol(Native):
    """Outputs of a graph of operators."""

    __slots__ = ()

    def _names(self, part):
        return [f.flx_symbol_name(self, part, i) for i in range(f.flx_symbol_count(self, part))]

    def list_arguments(self):
        return self._names(ARGUMENT)

    def list_auxiliary_states(self):
        return self._names(AUXILIARY)

    def list_outputs(self):
        return self._names(OUTPUT)

    def list_inputs(self):
        return self._names(INPUT)

    @property
    def num_outputs(self):
        return f.flx_symbol_count(self, OUTPUT)

    @property
    def handle(self):
        return self

    @property
    def name(self):
        """The node's name; None for a group."""
        import json
        if len(self) > 1:
            heads = {h[0] for h in json.loads(self.tojson())["heads"]} if self._has_json() else {0, 1}
            if len(heads) > 1:
                return None
        full = f.flx_symbol_name(self, OUTPUT, 0)
        if full in self.list_inputs():
            return full
        return full[:full.rfind("_")]

    def _has_json(self):
        return True

    def __len__(self):
        return self.num_outputs

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        if isinstance(index, str):
            names = self.list_outputs()
            if names.count(index) != 1:
                raise ValueError("there %s outputs called %r; there are %s" % ("are several" if index in names else "are no", index, ", ".join(names)))
            index = names.index(index)
        if isinstance(index, slice):
            return Group([self[i] for i in range(*index.indices(len(self)))])
        if not isinstance(index, integer_types):
            raise TypeError("outputs are found by number, name or slice, given %r" % (index,))
        if index >= len(self):
            raise IndexError("output %d of %d" % (index, len(self)))
        return own(f.flx_symbol_at(self, OUTPUT, int(index) % len(self)))

    def get_internals(self):
        return own(f.flx_symbol_group([f.flx_symbol_at(self, INTERNAL, i) for i in range(f.flx_symbol_count(self, INTERNAL))]))

    def get_children(self):
        """The inputs of this node, as one symbol; None for a variable."""
        import json
        graph = json.loads(self.tojson())
        node = graph["nodes"][graph["heads"][0][0]]
        if not node["inputs"]:
            return None
        inner, parts = self.get_internals(), []
        names = inner.list_outputs()
        for source, index, *_ in node["inputs"]:
            of = graph["nodes"][source]
            ports = [n for n in names if n == of["name"]] if of["op"] == "null" else [n for n in names if n.startswith(of["name"] + "_output") or n == of["name"] + "_output"]
            parts.append(inner[ports[index] if len(ports) > index else ports[0]])
        return Group(parts)

    def __call__(self, *args, **kwargs):
        """The symbol with its variables replaced: by position in list_arguments(), or by name."""
        kwargs.pop("name", None)
        names = self.list_arguments()
        replaced = dict(zip(names, args))
        replaced.update(kwargs)
        return own(f.flx_symbol_substitute(self, list(replaced.values()), list(replaced)))

    def __copy__(self):
        return own(f.flx_symbol_from_json(f.flx_symbol_to_json(self)))

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        return load_json, (self.tojson(),)

    def __repr__(self):
        name = self.name
        return "<%s group [%s]>" % (type(self).__name__, ", ".join(s.name for s in self)) if name is None else "<%s %s>" % (type(self).__name__, name)

    def __hash__(self):
        return f.value(self)

    def __bool__(self):
        raise NotImplementedError("a symbol has no truth value: its values are known when it runs")

    # ---- attributes
    def attr(self, key):
        if key == "name":
            return self.name
        return _mxnet_text(key, f.flx_symbol_attr_get(self, key))

    def list_attr(self, recursive=False):
        if recursive:
            return {"%s_%s" % (node, k): v for node, own_attrs in self.attr_dict().items() for k, v in own_attrs.items()}
        return dict(self.attr_dict().get(self.name, {}))

    def attr_dict(self):
        found = {}
        for i in range(f.flx_symbol_attr_count(self)):
            node, key, value = f.flx_symbol_attr_at(self, i)
            found.setdefault(node, {})[key] = _mxnet_text(key, value)
        return found

    def _set_attr(self, **kwargs):
        for k, v in kwargs.items():
            f.flx_symbol_attr_set(self, k, v)

    # ---- shapes and dtypes
    def _inferred(self, known, partial):
        s = f.flx_symbol_infer(self, known, 1 if partial else 0)

        def all_of(part, what):
            found = []
            for i in range(f.flx_symbol_count(s, part)):
                dtype, known_sizes, dims = f.flx_symbol_shape(s, part, i)
                if what == "dtype":
                    found.append(None if dtype < 0 else getattr(DTYPES[dtype], "type", DTYPES[dtype]))
                else:
                    found.append(() if known_sizes == 0 else tuple(0 if d < 0 else d for d in dims))
            return found
        return all_of

    def _known(self, args, kwargs):
        known = dict(zip(self.list_arguments(), args))
        known.update(kwargs)
        inputs = set(self.list_inputs())
        return {k: v for k, v in known.items() if v is not None and k in inputs}

    def _infer_shape(self, partial, args, kwargs):
        known = {k: _shape_text(v) for k, v in self._known(args, kwargs).items() if len(v)}
        all_of = self._inferred(known, True)
        found = tuple(all_of(part, "shape") for part in (ARGUMENT, OUTPUT, AUXILIARY))
        if not partial and any(0 in s or not s for part in found for s in part):
            # a size of 0 is not known, as everywhere in MXNet's older shapes
            try:
                self._inferred(known, False)
            except Exception as e:
                import warnings
                warnings.warn("infer_shape: %s" % e)
            return None, None, None
        return found

    def infer_shape(self, *args, **kwargs):
        """(arguments, outputs, auxiliary states): their shapes, or three times None if not all can be found."""
        return self._infer_shape(False, args, kwargs)

    def infer_shape_partial(self, *args, **kwargs):
        return self._infer_shape(True, args, kwargs)

    def _infer_type(self, partial, args, kwargs):
        known = {k + ".dtype": text(np.dtype(v)) for k, v in self._known(args, kwargs).items()}
        all_of = self._inferred(known, True)
        found = tuple(all_of(part, "dtype") for part in (ARGUMENT, OUTPUT, AUXILIARY))
        if partial:
            return found
        # what nothing tells is float32, as it is when the symbol is bound; of one dtype everywhere where one was given
        given = [np.dtype(v).type for v in self._known(args, kwargs).values()]
        default = given[0] if given else np.float32
        return tuple([default if t is None else t for t in part] for part in found)

    def infer_type(self, *args, **kwargs):
        return self._infer_type(False, args, kwargs)

    def infer_type_partial(self, *args, **kwargs):
        return self._infer_type(True, args, kwargs)

    # ---- files
    def tojson(self, remove_amp_cast=True):
        return f.flx_symbol_to_json(self)

    def save(self, fname, remove_amp_cast=True):
        f.flx_symbol_save(self, fname)

    def debug_str(self):
        return f.flx_symbol_summary(self, 120)

    # ---- running it
    def bind(self, ctx=None, args=None, args_grad=None, grad_req="write", aux_states=None, group2ctx=None, shared_exec=None):
        from ..executor import Executor
        return Executor(self, ctx, args, args_grad, grad_req, aux_states)

    def simple_bind(self, ctx=None, grad_req="write", type_dict=None, stype_dict=None, group2ctx=None, shared_arg_names=None, shared_exec=None,
                    shared_buffer=None, **kwargs):
        from ..executor import simple_bind
        return simple_bind(self, ctx, grad_req, type_dict, kwargs)

    def eval(self, ctx=None, **kwargs):
        return self.bind(ctx, kwargs, grad_req="null").forward()

    def gradient(self, wrt):
        return own(f.flx_symbol_gradient(self, list(wrt)))

    # ---- methods that only arrays have
    def asnumpy(self, *args, **kwargs):
        raise NotImplementedError("a symbol has no values; bind it and run it, or eval it")

    asscalar = wait_to_read = backward = asnumpy

    # ---- methods whose words differ from the operators'
    def reshape(self, *shape, **kwargs):
        if not shape:
            shape = kwargs.pop("shape")
        elif len(shape) == 1 and isinstance(shape[0], (tuple, list)):
            shape = shape[0]
        return function("reshape")(self, shape=tuple(shape) if isinstance(shape, (tuple, list)) else (shape,), **kwargs)

    def astype(self, dtype):
        return function("Cast")(self, dtype=np.dtype(dtype).name)

    def transpose(self, *axes, **kwargs):
        axes = kwargs.pop("axes", axes)
        axes = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
        return function("transpose")(self, **({"axes": tuple(axes)} if axes else {}))

    def broadcast_to(self, shape):
        return function("broadcast_to")(self, shape=tuple(shape))


def _install():
    def arithmetic(kind, swapped):
        if swapped:
            return lambda self, other: binary(kind, other, self)
        return lambda self, other: binary(kind, self, other)
    for symbol, kind in OPERATORS.items():
        setattr(Symbol, "__%s__" % symbol, arithmetic(kind, False))
        setattr(Symbol, "__r%s__" % symbol, arithmetic(kind, True))
    for symbol, kind in COMPARISONS.items():
        setattr(Symbol, "__%s__" % symbol, arithmetic(kind, False))
    Symbol.__neg__ = lambda self: binary("multiply", self, -1.0)
    Symbol.__abs__ = lambda self: function("abs")(self)
    add_methods(Symbol, function)


_install()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared cases by the package flexor: run.py errors TABLE | values TABLE | indices TABLE | golden TABLE GOLDEN REGISTRY | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL...
README.md says what each command does."""
import ast
import inspect
import json
import os
import sys
import tempfile

import numpy as np
from cases import Golden, cases, differs, shape

import flexor as fx
from flexor import _core, errors, nd, nn, op
from flexor._generated import op as _generated

f = _core.f
# What is native in Python, by the status of the C ABI.
NATIVE = {"ARGUMENT": (errors.ArgumentError, ValueError), "TYPE": (errors.DTypeError, TypeError), "SHAPE": (errors.ShapeError, ValueError),
          "INDEX": (errors.OutOfRangeError, IndexError), "NAME": (errors.UnknownNameError, KeyError), "HANDLE": (errors.HandleError, ValueError),
          "UNSUPPORTED": (errors.UnsupportedError, NotImplementedError), "MEMORY": (errors.OutOfMemoryError, MemoryError), "FILE": (errors.FileError, OSError),
          "FORMAT": (errors.FormatError, ValueError), "DEVICE": (errors.DeviceError, RuntimeError), "NETWORK": (errors.NetworkError, ConnectionError),
          "HOST": (errors.HostError, RuntimeError), "STATE": (errors.StateError, RuntimeError), "INTERNAL": (errors.InternalError, RuntimeError), "ROLLED_BACK": (errors.RolledBackError, RuntimeError)}


def network(case):
    net = f.flx_layer_create("Sequential", None, {})
    for line in case.all("layer"):
        f.flx_layer_add(net, f.flx_layer_create(line["kind"], None, {k: v for k, v in line.items() if k != "kind"}))
    return net


# ---- errors
def bad_call(case, folder):
    call, arrays = case.find("call"), [nd.zeros(shape(line["shape"]), dtype=line["dtype"]) for line in case.all("in")]
    options = {k: v.replace("{folder}", folder) for line in case.all("attr") for k, v in line.items()}
    path = os.path.join(folder, call.get("file", "none"))
    if "text" in call and "file" in call:
        with open(path, "w", encoding="utf-8") as out:
            out.write(call["text"])
    name = call.get("name")
    calls = {
        "operator": lambda: _core.invoke(name, arrays, options),
        "layer": lambda: f.flx_layer_create(name, None, options),
        "optimizer": lambda: f.flx_optimizer_create(name, options),
        "schedule": lambda: f.flx_schedule_create(name, options),
        "initializer": lambda: f.flx_initializer_create(name, options),
        "metric": lambda: f.flx_metric_create(name, options),
        "iter": lambda: f.flx_iter_create(name, options),
        "batches": lambda: f.flx_iter_from_arrays(arrays, ["data", "label"], {"batch_size": call["batch_size"]}),
        "summary": lambda: f.flx_layer_summary(network(case), {"data": call["input"]}, 80),
        "zeros": lambda: f.flx_ndarray_create(shape(call["shape"]), f.FLX_FLOAT32, call.get("device")),
        "item": lambda: arrays[0].item(),
        "attach": lambda: arrays[0].attach_grad(),
        "backward": lambda: arrays[0].backward(),
        "load_model": lambda: f.flx_model_load(path, None),
        "load_arrays": lambda: f.flx_params_load(path, None),
        "symbol_json": lambda: f.flx_symbol_from_json(call["text"]),
        "config": lambda: f.flx_config_set(call["key"], call["value"]),
    }
    calls[call["what"]]()


def fits(text, want):
    head, gap, tail = want.partition("{any}")
    return text.startswith(head) and text.endswith(tail) and len(text) >= len(head + tail) if gap else text == want


def error_case(case, folder):
    want = case.find("error")
    try:
        bad_call(case, folder)
    except Exception as e:
        if not all(isinstance(e, c) for c in NATIVE[want["status"]]) or type(e) is not NATIVE[want["status"]][0]:
            return f"it is a {type(e).__name__}"
        text = str(e).replace(folder, "{folder}")
        if not fits(text, want["text"]):
            return text
        for field in ("kind", "operator", "node", "hint", "file", "offset"):
            got = getattr(e, field)
            got = "" if got is None else str(got).replace(folder, "{folder}")
            if got != want.get(field, ""):
                return f"{field} is {got!r}"
        return ""
    return "nothing failed"


# ---- values
def value_case(case):
    line = case.find("array")
    dims, raw = shape(line["shape"]), bytes.fromhex(line["bytes"])
    if line["dtype"] == "bfloat16":  # NumPy has none: its values as float32
        x = np.array([float(v) for v in line["values"].split(",") if v], np.float32).reshape(dims)
        a = nd.array(x, dtype="bfloat16")
        same = np.array_equal(a.astype("float32").asnumpy(), x, equal_nan=True)
    else:
        x = np.frombuffer(raw, line["dtype"]).reshape(dims)
        a = nd.array(x, dtype=line["dtype"])
        b = nd.array(np.asfortranarray(x), dtype=line["dtype"])
        same = a.asnumpy().tobytes() == raw and b.asnumpy().tobytes() == raw and np.asarray(a).tobytes() == raw
        same = same and a.asnumpy().dtype == x.dtype and str(a.dtype) == line["dtype"] and a.size == x.size
        if same and x.ndim > 1:  # an array from elsewhere in neither order
            same = nd.array(np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0), dtype=line["dtype"]).asnumpy().tobytes() == raw
    return "" if same and tuple(a.shape) == dims else f"{a!r} instead of {x!r}"


# ---- golden cases
class Operators:
    """The package's public functions where an operator has one, else the call by name."""

    def __init__(self, registry):
        with open(registry, encoding="utf-8") as file:
            self.entries = {name: e for e in json.load(file)["operator"] for name in (e["name"], *e["aliases"])}
        # The function of an operator may have the name of another: flexor.op.sum is _np_sum. The module says which operator each calls.
        made = vars(_generated)
        self.functions = {made[f"_{n}_"].name: getattr(op, n) for n in op.__all__ if f"_{n}_" in made}
        self.public = 0

    def value(self, entry, key, text):
        """What a Python user would write for the text of an attribute."""
        kind = next((a["type"] for a in entry["attrs"] if a["name"] == key), "string")
        if "{" in kind or "string" in kind or "dtype" in kind:
            return None if text == "None" else text
        try:
            return ast.literal_eval(text.replace("true", "True").replace("false", "False"))
        except (ValueError, SyntaxError):
            return text

    def __call__(self, name, names, arrays, options, targets):
        entry = self.entries.get(name)
        function = self.functions.get(entry["name"]) if entry and not targets else None
        if function is None or not all(a.isidentifier() for a in options):
            return _core.invoke(name, arrays, options, out=targets or None)
        self.public += 1
        inputs = [i["name"] for i in entry["inputs"]]
        takes = inspect.signature(function).parameters  # not the number of arrays, which it counts itself
        kwargs = {"device" if k == "ctx" else k: self.value(entry, k, v) for k, v in options.items() if k in takes or v != str(len(arrays))}  # MXNet's word
        if any(i["kind"] == "list" for i in entry["inputs"]) or not set(names) <= set(inputs):
            return function(*arrays, **kwargs)
        return function(**dict(zip(names, arrays)), **kwargs)


def golden_case(case, golden, call):
    head, family = case.find("call"), case[0]["family"]
    ins = {line["name"]: (line, nd.array(golden.load(family, line), dtype=line["dtype"])) for line in case.all("in")}
    arrays = [a for _, a in ins.values()]
    for line, a in ins.values():
        if line.get("grad") == "1":
            a.attach_grad()
    targets = [arrays[int(line["input"])] for line in case.all("writes")]
    options = {k: v for line in case.all("attr") for k, v in line.items()}
    f.flx_random_seed(1, None)
    old = _core.set_mode(int(head["mode"]))
    try:
        if case[0]["kind"] == "error":  # a public function may refuse a call before the operator is asked
            outs = _core.invoke(head["name"], arrays, options)
        else:
            outs = call(head["name"], list(ins), arrays, options, targets)
        outs = outs if isinstance(outs, (tuple, list)) else [outs]
        if case[0]["kind"] == "error":
            [o.asnumpy() for o in outs]
            return "" if head["answer"] == "accepts" else "nothing failed"
        for line in case.all("shape"):
            o = outs[int(line["index"])]
            if str(o.dtype) != line["dtype"] or tuple(o.shape) != shape(line["shape"]):
                return f"output {line['index']} is {o.dtype} {o.shape}"
        heads = [(outs[int(line["index"])], nd.array(golden.load(family, line), dtype=line["dtype"])) for line in case.all("head")]
        if heads:
            f.flx_autograd_backward([o for o, _ in heads], [h for _, h in heads], int(head["mode"]) & f.FLX_TRAIN)
    except fx.Error as e:
        named = case[0]["kind"] == "error" and str(e).startswith((f"[{head['name']}]", f"[{head['operator']}]"))
        return "" if named else f"{type(e).__name__}: {e}"
    finally:
        _core.set_mode(old)
    for line in case:
        if line.word in ("out", "grad", "after"):
            got = outs[int(line["index"])] if line.word == "out" else ins[line["name"]][1].grad if line.word == "grad" else ins[line["name"]][1]
            wrong = "no gradient" if got is None else differs(line, golden.load(family, line), got.asnumpy())
            if wrong:
                return f"{line.word} {line.get('index', line.get('name'))}: {wrong}"
    return ""


# ---- axes and indices count from 0
def literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def index_case(case):
    arrays = [nd.array(np.array([float(v) for v in line["values"].split(",")]).reshape(shape(line["shape"])), dtype=line["dtype"]) for line in case.all("in")]
    options = {k: literal(v) for line in case.all("attr") for k, v in line.items() if k != "counts"}
    got, want = getattr(op, case.find("call")["function"])(*arrays, **options).asnumpy(), case.find("out")
    values = np.array([float(v) for v in want["values"].split(",")], got.dtype).reshape(shape(want["shape"]))
    return differs(want, values, got)


# ---- the same bits, by what a user would write
def fit(table, _, out):
    images, labels = fx.datasets.digits()
    for case in cases(table):
        head, optimizer = case[0], {k: literal(v) for k, v in case.find("optimizer").items()}
        net = nn.Sequential(*(getattr(nn, line["kind"])(**{k: literal(v) for k, v in line.items() if k != "kind"}) for line in case.all("layer")))
        clf = fx.Classifier(net, epochs=int(head["epochs"]), batch_size=int(head["batch_size"]), optimizer=getattr(fx, optimizer.pop("name"))(**optimizer),
                            loss=getattr(nn, case.find("loss")["kind"])(), seed=int(head["seed"]), shuffle=False)
        clf.fit(images[:int(head["samples"])], labels[:int(head["samples"])]).save(os.path.join(out, head["id"] + ".flx"))


def predict(_, out, *models):
    scans = nd.array(fx.datasets.digits()[0][8000:8010])
    for path in models:
        model, base = fx.load(path), os.path.join(out, os.path.basename(path))
        net = model.network_ if isinstance(model, fx.Classifier) else model  # C does not say what its model is for
        with open(base + ".scores", "wb") as file:
            file.write(net(scans).asnumpy().tobytes())
        model.save(base + ".flx")


def check(table, one):
    passed = failed = 0
    for case in cases(table):
        try:
            wrong = one(case)
        except Exception as e:
            wrong = f"{type(e).__name__}: {e}"
        if wrong:
            failed += 1
            print(f"FAILED {case.id}: {wrong}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main(command, *args):
    if command == "errors":
        with tempfile.TemporaryDirectory() as folder:
            return check(args[0], lambda case: error_case(case, folder))
    if command == "values":
        return check(args[0], value_case)
    if command == "indices":
        return check(args[0], index_case)
    if command == "golden":
        golden, call = Golden(args[1]), Operators(args[2])
        result = check(args[0], lambda case: golden_case(case, golden, call))
        return result or (1 if call.public < 1000 and not print("FAILED: few calls by public functions:", call.public) else 0)
    return {"fit": fit, "predict": predict}[command](*args) or 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

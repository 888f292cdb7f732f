# SPDX-License-Identifier: Apache-2.0
"""The golden cases of tests/golden by MXNet's words: operators by mx.nd, optimizers, metrics, losses, schedules, initializers and whole models by theirs."""
import ast
import os
import re
import sys

import pytest

import flexor.mxnet as mx

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "bindings", "shared"))
from cases import Golden, cases, differs, shape  # noqa: E402

FOLDER = os.path.join(ROOT, "tests", "golden")
GOLDEN = Golden(FOLDER)
# the results that differ on purpose, (case, line), stand with their reasons in the core's tests
DIFFERENT = set()
for _file in ("op/differences.cc", "interop/models_test.cc"):
    with open(os.path.join(ROOT, "tests", _file), encoding="utf-8") as _f:
        DIFFERENT |= set(re.findall(r'\{"([^"]+)", "([^"]*)",', _f.read()))
OPERATORS = ["assign", "attention", "broadcast", "cast", "elemwise", "indexing", "init", "loss", "matrix", "nn", "optim", "reduce", "rnn", "scalar", "sequence", "unary", "vision"]


def on_purpose(case, what):
    return any((case.id == name or case.id.startswith(name + "/")) and what.startswith(part) for name, part in DIFFERENT)


def read(family):
    return cases(os.path.join(FOLDER, family + ".cases"))


def array(family, line):
    values = GOLDEN.load(family, line)
    return mx.nd.array(values, dtype=values.dtype)


def value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def run_operator(family, case):
    """"" if the case holds, or what is wrong."""
    call = getattr(mx.nd._internal, case.find("op")["name"])
    ins = {line["name"]: (line, array(family, line)) for line in case.all("in")}
    arrays = [a for _, a in ins.values()]
    for line, a in ins.values():
        if line.get("grad") == "1":
            a.attach_grad()
    kwargs = {k: v for line in case.all("attr") for k, v in line.items()}
    targets = [arrays[int(line["input"])] for line in case.all("writes")]
    if targets:
        kwargs["out"] = targets
    train = case.find("mode").get("train") == "1"
    with mx.autograd.record() if train else mx.autograd.pause():
        outs = call(*arrays, **kwargs)
    outs = outs if isinstance(outs, (list, tuple)) else [outs]
    heads = [(outs[int(line["index"])], array(family, line)) for line in case.all("head")]
    if heads:
        mx.autograd.backward([o for o, _ in heads], [h for _, h in heads])
    for line in case:
        if line.word in ("out", "grad", "after"):
            got = outs[int(line["index"])] if line.word == "out" else ins[line["name"]][1].grad if line.word == "grad" else ins[line["name"]][1]
            what = f"{line.word} {line.get('index', line.get('name'))}"
            wrong = differs(line, GOLDEN.load(family, line), got.asnumpy())
            if wrong and not on_purpose(case, what):
                return f"{what}: {wrong}"
    return ""


@pytest.mark.parametrize("family", OPERATORS)
def test_operators(family):
    faults, seen = [], 0
    for case in read(family):
        # older shapes only: with NumPy's a size of 0 and no axes are legal, which mx.nd.array cannot make; what contradicts MXNet's own documents is not copied
        if case[0]["kind"] != "op" or not mx.base.op_names() & {case.find("op")["name"]} or case.find("mode").get("np_shape") == "1" or case.find("suspect"):
            continue
        if any("stype" in line for line in case) or any(shape(line["shape"]) == () for line in case if "shape" in line and line.word in ("in", "out")):
            continue
        seen += 1
        try:
            wrong = run_operator(family, case)
        except (mx.MXNetError, TypeError, ValueError, IndexError) as e:
            wrong = f"{type(e).__name__}: {e}"
        if wrong:
            faults.append(f"{case.id}: {wrong}")
    assert seen >= 3
    assert not faults, f"{len(faults)} of {seen}:\n" + "\n".join(faults[:10])


def settings(case):
    return {k: value(v) for line in case.all("arg") for k, v in line.items()}


def test_optimizers():
    seen = 0
    for case in read("optimizers"):
        name = case.find("class")["name"]
        kwargs = settings(case)
        if case.find("lr_scheduler"):
            line = dict(case.find("lr_scheduler"))
            kwargs["lr_scheduler"] = getattr(mx.lr_scheduler, line.pop("class", line.pop("name", None)))(**{k: value(v) for k, v in line.items()})
        optimizer = mx.optimizer.create(name, param_idx2name={0: "w_weight"}, **kwargs)
        for line in case.all("mult"):
            for key, v in line.items():
                getattr(optimizer, "set_" + key)({"w_weight": float(v)})
        update, weight = mx.optimizer.get_updater(optimizer), array("optimizers", case.find("weight"))
        for step in range(1, 6):
            grad = next(line for line in case.all("grad") if line["step"] == str(step))
            want = next(line for line in case.all("weight") if line["step"] == str(step))
            update(0, array("optimizers", grad), weight)
            assert differs(want, GOLDEN.load("optimizers", want), weight.asnumpy()) == "", f"{case.id} step {step}"
        seen += 1
    assert seen == 54


def test_metrics():
    seen = 0
    for case in read("metrics"):
        name = case.find("class")["name"]
        metric, done = getattr(mx.metric, name)(**({"metrics": case.find("arg")["metrics"].split(",")} if name.startswith("Composite") else settings(case))), -1
        for line in case.all("value"):
            update = int(line["update"])
            while done < update:
                done += 1
                metric.update(*[[array("metrics", part) for part in case.all(word) if int(part["update"]) == done] for word in ("label", "pred")])
            got = dict(metric.get_name_value())
            assert got[line["name"]] == pytest.approx(float(line["value"]), rel=1e-5, abs=1e-6), case.id
        seen += 1
    assert seen == 25


def test_losses():
    seen = 0
    for case in read("gluon_losses"):
        name = case.find("class")["name"]
        for hybrid in (False, True) if name != "SDMLLoss" else (False,):  # which reads the batch's size
            loss = getattr(mx.gluon.loss, name)(**settings(case))
            loss.hybridize(hybrid)
            ins = {line["name"]: array("gluon_losses", line) for line in case.all("in")}
            for line in case.all("grad"):
                ins[line["name"]].attach_grad()
            with mx.autograd.record():
                out = loss(*ins.values())
            if case.find("head"):
                out.backward(array("gluon_losses", case.find("head")))
            line = case.find("out")
            assert differs(line, GOLDEN.load("gluon_losses", line), out.asnumpy()) == "", case.id
            for line in case.all("grad"):
                assert differs(line, GOLDEN.load("gluon_losses", line), ins[line["name"]].grad.asnumpy()) == "", (case.id, line["name"])
        seen += 1
    assert seen == 43


def test_schedules():
    seen = 0
    for case in read("schedules"):
        schedule = getattr(mx.lr_scheduler, case.find("class")["name"])(**settings(case))
        for line in case.all("lr"):
            assert schedule(int(line["step"])) == pytest.approx(float(line["value"]), rel=1e-9), (case.id, line["step"])
        seen += 1
    assert seen == 16


def test_initializers_without_random_numbers():
    seen = 0
    for case in read("initializers"):
        line = case.find("out")
        if line and hasattr(mx.init, case.find("class")["name"]):
            got = mx.nd.zeros(shape(line["shape"]), dtype=line["dtype"])
            init = getattr(mx.init, case.find("class")["name"])(**settings(case))
            init._init_weight(mx.init.InitDesc(case.find("param")["name"]), got)
            assert differs(line, GOLDEN.load("initializers", line), got.asnumpy()) == "", case.id
            seen += 1
    assert seen >= 8


def test_models():
    """Checkpoints of MXNet, bound, run and gone backward through."""
    seen = 0
    for case in read("models"):
        files = {line["role"]: os.path.join(FOLDER, line["path"]) for line in case.all("file")}
        if "symbol" not in files:
            continue
        symbol = mx.sym.load(files["symbol"])
        assert ",".join(symbol.list_arguments()) == case.find("arguments").get("names", ",".join(symbol.list_arguments()))
        params = {k.split(":", 1)[-1]: v for k, v in mx.nd.load(files["params"]).items()} if "params" in files else {}
        ins = {line["name"]: array("models", line) for line in case.all("in")}
        known = {**params, **ins}
        args = {n: known[n] for n in symbol.list_arguments()}
        aux = {n: known[n].copy() for n in symbol.list_auxiliary_states()}
        wanted = {line["name"]: line for line in case.all("grad")}
        run = symbol.bind(mx.cpu(), args, {n: mx.nd.zeros_like(args[n]) for n in wanted}, "write", aux)
        outs = run.forward()
        for line in case.all("out"):
            if not on_purpose(case, "out " + line["index"]):
                assert differs(line, GOLDEN.load("models", line), outs[int(line["index"])].asnumpy()) == "", case.id
        if wanted:
            outs = run.forward(is_train=True)
            heads = {int(line["index"]): array("models", line) for line in case.all("head")}
            run.backward([heads[i] for i in sorted(heads)] or None)
            for name, line in wanted.items():
                assert on_purpose(case, "grad " + name) or differs(line, GOLDEN.load("models", line), run.grad_dict[name].asnumpy()) == "", (case.id, name)
            for line in case.all("after"):
                assert differs(line, GOLDEN.load("models", line), run.aux_dict[line["name"]].asnumpy()) == "", (case.id, line["name"])
        seen += 1
    assert seen >= 15

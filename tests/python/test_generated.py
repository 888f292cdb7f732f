# SPDX-License-Identifier: Apache-2.0
"""The functions made from the registry: each public operator is there, documented, with the registry's names and defaults; nothing is written by hand."""
import importlib
import importlib.util
import inspect
import os
import sys

import numpy as np
import pytest

import flexor as fx
from flexor import nd, op, sym

BUILD = os.environ.get("FLEXOR_TEST_BUILD") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "release")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings", "generate"))
GENERATOR, RULES = importlib.import_module("python"), importlib.import_module("registry")
del sys.path[0]
REGISTRY = RULES.load(os.path.join(BUILD, "tools", "cpp_api", "registry.json"))
PUBLIC = RULES.operators_by_name(REGISTRY["operator"])


def test_every_public_operator_is_there():
    assert len(PUBLIC) > 150
    for name, others, entry in PUBLIC:
        for n in [name, *others]:
            assert callable(getattr(op, n)) and callable(getattr(sym, n)), n
            assert callable(getattr(nd, n))
    wanted = {e["name"] for e in REGISTRY["operator"] if not e["name"].startswith("_") or any(not a.startswith("_") for a in e["aliases"])}
    native = {e["name"][len("_np_"):] for e in REGISTRY["operator"] if e["name"].startswith("_np_")}
    assert wanted - native <= {e["name"] for _, _, e in PUBLIC}


def test_what_is_made_of_a_host_or_of_arrays_is_not_offered():
    from flexor import data, metric
    assert not hasattr(metric, "Host") and hasattr(metric, "Composite") and "Host" in [e["name"] for e in REGISTRY["metric"]]
    assert "ArrayIter" not in data._made.__all__ and hasattr(data, "MNISTIter")
    assert not {"_host", "_cond"} & {e["name"] for _, e in RULES.operators_by_function(REGISTRY)}


@pytest.mark.parametrize("module", [op, sym])
def test_signatures_and_documents(module):
    for name, _, entry in PUBLIC:
        function = getattr(module, name)
        doc, parameters = inspect.getdoc(function), inspect.signature(function).parameters
        assert doc and doc.splitlines()[0][:20] in entry["doc"] and "Returns" in doc, name
        for i in entry["inputs"]:
            assert i["name"] in parameters and (i["name"] + " :") in doc, (name, i["name"])
        for a in GENERATOR.attributes(entry):
            p = parameters[GENERATOR.python_name(a["name"])]
            assert f"{p.name} :" in doc and a["doc"].split(".")[0].split()[0] in doc, (name, p.name)
            assert (p.default is inspect.Parameter.empty) == a["required"], (name, p.name)
            assert p.annotation is not inspect.Parameter.empty
            if a["range"]:
                assert a["range"] in doc


def test_defaults_are_the_registrys():
    for name, _, entry in PUBLIC:
        parameters = inspect.signature(getattr(op, name)).parameters
        for a in GENERATOR.attributes(entry):
            if not a["required"]:
                default, text = parameters[GENERATOR.python_name(a["name"])].default, a["default"]
                if isinstance(default, float):
                    assert default == float(text)
                elif isinstance(default, tuple):
                    assert list(default) == [float(t) for t in text.strip("()").split(",") if t.strip()]
                else:
                    assert str(default) == text


def test_the_registrys_examples_are_true():
    calls = {e["name"]: RULES.shaped_call(e) for e in REGISTRY["operator"] if e["example"]}
    shown = {name: call for name, call in calls.items() if call}
    assert len(shown) > 40
    for name, (inputs, attributes, outputs) in shown.items():
        entry = next(e for e in REGISTRY["operator"] if e["name"] == name)
        assert {n for n, _ in inputs} <= {i["name"] for i in entry["inputs"]}, name
        results = fx._core.run(fx._core.call(name, attributes), [nd.ones(shape) for _, shape in inputs])
        if outputs:
            assert [y.shape for y in (results if isinstance(results, tuple) else (results,))][:len(outputs)] == outputs, name


def test_calls_by_position_and_by_name():
    x = nd.array(np.random.RandomState(0).rand(1, 2, 4, 4).astype("f"))
    w = nd.ones((3, 2, 3, 3))
    a = nd.convolution(x, w, None, kernel=(3, 3), num_filter=3, no_bias=True)
    b = op.Convolution(data=x, weight=w, kernel=[3, 3], num_filter=3, no_bias=True)
    assert a.tolist() == b.tolist() and a.shape == (1, 3, 2, 2)
    assert nd.concat(x, x, dim=1).shape == nd.concat([x, x], dim=1).shape == (1, 4, 4, 4)
    assert nd.sum(x).shape == () and nd.sum(x, (2, 3), keepdims=True).shape == (1, 2, 1, 1) and x.sum(axis=1).shape == (1, 4, 4)
    out = nd.zeros(x.shape)
    assert nd.relu(x, out=out) is out and out.tolist() == nd.relu(x).tolist()
    assert nd.relu(np.array([-1.0, 2.0])).tolist() == [0, 2] and nd.relu([-1, 2]).tolist() == [0, 2]
    parts = nd.split(x, num_outputs=2, axis=1)
    assert isinstance(parts, tuple) and len(parts) == 2
    assert nd.clip(x, a_min=0.25, a_max=0.5).max().item() <= 0.5 and nd.smooth_l1(x, scalar=2.0).shape == x.shape
    assert nd.leaky_relu(x, act_type="elu", slope=0.1).shape == x.shape


def test_methods():
    x = nd.array([[1, -2], [3, 4]])
    assert x.relu().tolist() == nd.relu(x).tolist() and x.softmax(axis=0).shape == (2, 2) and x.expand_dims(axis=0).shape == (1, 2, 2)
    assert x.clip(0, 2).tolist() == [[1, 0], [2, 2]] and x.tile(reps=(1, 2)).shape == (2, 4) and x.square().exp().log().sqrt().tolist() == [[1, 2], [3, 4]]
    assert sym.var("x").relu().softmax(axis=1).eval(x=x)[0].tolist() == x.relu().softmax(axis=1).tolist()
    with pytest.raises(AttributeError):
        x.adam_update


def test_random_and_contrib_names():
    fx.random.seed(3)
    a = fx.random.normal(0, 1, (3,))
    state = fx.random.get_state()
    b = fx.random.uniform(shape=(4,))
    fx.random.seed(3)
    assert fx.random.normal(0, 1, (3,)).tolist() == a.tolist()
    fx.random.set_state(state)
    assert fx.random.uniform(shape=(4,)).tolist() == b.tolist() and "normal" in dir(fx.random)
    assert fx.contrib.box_iou is nd.contrib_box_iou and "box_nms" in dir(fx.contrib)
    for module, name in ((fx.random, "nothing"), (fx.contrib, "nothing"), (fx, "nothing"), (fx.autograd, "nothing")):
        with pytest.raises(AttributeError):
            getattr(module, name)


def test_a_new_operator_appears_by_itself():
    entry = {"name": "NewThing", "function": "new_thing", "aliases": ["newthing"], "family": "test", "doc": "Does it.", "example": "", "since": "0.2.0", "outputs": 1,
             "traits": {"differentiable": True, "random": False, "variadic": False, "loss": False}, "inputs": [{"name": "data", "doc": "An array.", "kind": "required"}],
             "attrs": [{"name": "lambda", "type": "float", "default": "0.5", "range": "[0, 1]", "doc": "How much.", "required": False, "runtime": False},
                       {"name": "mode", "type": "{'a', 'b'}", "default": "a", "range": "", "doc": "Which \"one\" \\ of them.", "required": False, "runtime": False}]}
    for symbolic in (False, True):
        text = GENERATOR.module(RULES.operators_by_name([entry]), symbolic)
        space = {"__name__": "flexor._generated.probe", "__package__": "flexor._generated"}
        exec(compile(text.replace(", {'data': 'plain'}", ""), "probe.py", "exec"), space) if symbolic else None
        assert "def new_thing(data: " in text and "lambda_: float = 0.5, mode: str = 'a'" in text and "newthing = new_thing" in text and "float in [0, 1], default 0.5" in text


def test_the_top_level():
    for name in fx._MODULES:
        if importlib.util.find_spec("flexor." + name):
            assert inspect.ismodule(getattr(fx, name)) and (getattr(fx, name).__doc__ or name == "mxnet"), name
    assert {"nd", "Classifier", "NDArray", "ShapeError"} <= set(dir(fx)) and fx.__version__ == fx.device.info()["version"]


def test_everything_public_is_documented():
    missing = []
    for module in ("nd", "op", "sym", "symbol", "autograd", "random", "profiler", "config", "device", "errors", "contrib", "ndarray", "nn", "init", "optimizer", "schedule",
                   "metric", "trainer", "estimator", "data", "datasets", "model", "history"):
        space = vars(importlib.import_module("flexor." + module))
        for name, thing in space.items():
            if name.startswith("_") or not callable(thing) or not getattr(thing, "__module__", "").startswith("flexor"):
                continue
            if not inspect.getdoc(thing):
                missing.append(f"{module}.{name}")
            for n, part in vars(thing).items() if inspect.isclass(thing) else ():
                if not n.startswith("_") and (callable(part) or isinstance(part, property)) and not inspect.getdoc(part):
                    missing.append(f"{module}.{name}.{n}")
    assert not missing, missing

# SPDX-License-Identifier: Apache-2.0
"""The library itself from Python: profiler, options, log, devices and their memory, tasks' helpers, texts of options."""
import json
import os

import numpy as np
import pytest

import flexor as fx
from flexor import config, device, nd, profiler


def test_profiler(tmp_path):
    with profiler.profile(tmp_path / "trace.json"):
        assert profiler.running()
        with profiler.span("mine", "stage"):
            nd.relu(nd.ones(100)).wait()

        @profiler.span("decorated")
        def work(n):
            return n + 1
        assert work(1) == 2 and work.__name__ == "work"
        profiler.counter("things", 3)
        profiler.mark("now")
    assert not profiler.running()
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"mine", "decorated", "relu", "now"} <= {e.get("name") for e in events}
    assert "mine" in profiler.summary() and "relu" in profiler.summary(sort="count", columns=120) and "mine" in json.dumps(profiler.table())
    with pytest.raises(fx.UnknownNameError):
        profiler.summary(sort="colour")
    with pytest.raises(fx.Error):
        profiler.start(no_such=True)
    with pytest.raises(KeyError):
        with profiler.profile():
            raise KeyError
    assert not profiler.running()
    profiler.clear()
    assert "mine" not in profiler.summary()


def test_options():
    assert "FLEXOR_ENGINE" in config.list() and config.get("FLEXOR_ENGINE") == config.get("engine")
    before = config.get("FLEXOR_ENGINE")
    with config.override(FLEXOR_ENGINE="naive"):
        assert config.get("FLEXOR_ENGINE") == "naive"
        assert nd.ones(2).sum().item() == 2
    assert config.get("FLEXOR_ENGINE") == before
    with pytest.raises(fx.UnknownNameError, match="FLEXOR_ENGINE"):
        config.get("FLEXOR_ENGIN")
    with pytest.raises(fx.Error):
        config.set("FLEXOR_ENGINE", "fast")


def test_log():
    config.log(level="debug", sink="buffer")
    try:
        assert all(isinstance(level, int) and isinstance(text, str) for level, text in config.log_records()) and config.log_records() == []
    finally:
        config.log(level="warning", sink="stderr")
    with pytest.raises(fx.Error):
        config.log(level="loud")


def test_devices_and_memory():
    assert device.count() >= 1 and device.num_gpus() == 0 and device.cpu() == "cpu(0)" and device.count("toaster") == 0
    before = device.memory()["live"]
    device.reset_peak()
    x = nd.ones((1000, 1000))
    x.wait()
    now = device.memory()
    assert now["live"] - before >= 4_000_000 and now["peak"] >= now["live"] and now["total"] > 0
    del x
    assert device.memory()["live"] == before
    device.release_unused()
    try:
        device.set_memory_limit(device.memory()["live"] + 1_000_000)
        with pytest.raises(fx.OutOfMemoryError):
            nd.ones((10_000, 1000)).wait()
    finally:
        device.set_memory_limit(0)
    assert nd.ones((1000, 100)).sum().item() == 100_000
    with pytest.raises(fx.DeviceError):
        device.memory("toaster")
    assert set(device.info()) >= {"version", "path", "compiler", "blas"} and device.live_handles("ndarray") >= 0
    device.waitall()


def test_shutdown_and_work_after_it():
    device.shutdown()
    assert (nd.ones((300, 300)) @ nd.ones((300, 300)))[0, 0].item() == 300


def test_texts_of_options():
    text = fx._core.text
    cases = {"a": "a", None: "None", True: "True", False: "False", 3: "3", 0.1: "0.1", 1e-8: "1e-08", 2.0: "2.0", (2, 2): "(2, 2)", (2,): "(2,)", (): "()", (1, None): "(1, None)",
             np.int64(3): "3", np.float32(0.5): "0.5", np.bool_(True): "True", np.dtype("int8"): "int8", np.float16: "float16", float: "float32", int: "int64", bool: "bool",
             fx.bfloat16: "bfloat16", float("inf"): "inf"}
    for value, want in cases.items():
        assert text(value) == want, value
    assert text([1, [2, 3]]) == "(1, (2, 3))" and text(np.array([1, 2])) == "(1, 2)" and fx._core.texts(a=(1, 2), b=None) == {"a": "(1, 2)", "b": "None"}


def test_operators_by_name_and_of_a_plugin():
    numbers = np.array([-1.0, 0.0, 2.0])
    x = nd.array(numbers, dtype="float32")
    with pytest.raises(fx.UnknownNameError, match="example_swish"):
        nd.invoke("example_swish", x)
    device.load_plugin(os.path.join(os.environ["FLEXOR_TEST_BUILD"], "tests", "c_api", "plugins", "example_swish.so"))
    x.attach_grad()
    with fx.autograd.record():
        y = nd.invoke("example_swish", x, beta=1.5)
    y.backward()
    sigmoid = 1 / (1 + np.exp(-1.5 * numbers))
    np.testing.assert_allclose(y.asnumpy(), numbers * sigmoid, rtol=1e-5)
    np.testing.assert_allclose(x.grad.asnumpy(), sigmoid * (1 + 1.5 * numbers * (1 - sigmoid)), rtol=1e-5)
    out = nd.zeros(3)
    assert nd.invoke("example_swish", x, out=out) is out and out.tolist()[1] == 0 and out.tolist()[0] != y.tolist()[0]
    assert len(nd.invoke("SliceChannel", x, num_outputs=3, axis=0)) == 3
    with pytest.raises(fx.FileError):
        device.load_plugin("no_such_plugin.so")


def test_prepared_calls_are_kept():
    assert fx._core.call("relu") is fx._core.call("relu", {}) and fx._core.call("sum", {"axis": 1}) is not fx._core.call("sum", {"axis": 0})
    x = nd.ones((2, 3))
    assert fx._core.invoke("sum", [x], {"axis": 1}).tolist() == [3, 3]
    out = nd.zeros((2,))
    assert fx._core.invoke("sum", [x], {"axis": 1}, out=out) is out and out.tolist() == [3, 3]
    assert len(fx._core.invoke("SliceChannel", [x], {"num_outputs": 3, "axis": 1})) == 3

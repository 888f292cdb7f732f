# SPDX-License-Identifier: Apache-2.0
"""mx.kv in one process: lists of keys and of arrays, on the CPU and on two devices (the emulated ones of tests/device), updaters, what is refused."""
import os

import numpy as np
import pytest

import flexor
import flexor.mxnet as mx
from flexor import config
from flexor.mxnet import nd

MODULE = os.path.join(os.environ.get("FLEXOR_TEST_BUILD", ""), "tests", "device", "libflx_emulated_device.so")
PLACES = [("cpu(0)", "cpu(0)"), ("emu(0)", "emu(1)")]


@pytest.fixture(params=PLACES, ids=["cpu", "devices"])
def of(request):
    """of(0, values): an array on the first device."""
    if request.param[0] != "cpu(0)":
        if not os.path.exists(MODULE):
            pytest.skip("the emulated device is not built (target flx_emulated_device)")
        config.set("FLEXOR_TEST_DEVICE", MODULE)

    def make(place, *values):
        array = mx.nd.ndarray.own(flexor.nd.array(np.array(values, "float32"), device=request.param[place]))
        assert array.device == request.param[place]
        return array
    return make


def is_(array, *values):
    assert type(array) is nd.NDArray and array.asnumpy().tolist() == list(values)


@pytest.mark.parametrize("kind", ["local", "device"])
def test_sums_of_lists(of, kind):
    store = mx.kv.create(kind)
    assert (store.type, store.rank, store.num_workers) == (kind, 0, 1)
    store.init("w", of(0, 1, 2))
    store.init([3, "v"], [of(1, 5), of(0, 6)])
    outs = [of(0, 0, 0), of(1, 0, 0)]
    store.pull("w", outs)
    for o in outs:
        is_(o, 1, 2)
    store.push("w", [of(0, 1, 2), of(1, 10, 20)])
    store.pull("w", out=outs)
    for o in outs:
        is_(o, 11, 22)
    threes, vs = [of(0, 0), of(1, 0)], [of(1, 0), of(0, 0)]
    store.push([3, "v"], [[of(0, 1), of(1, 2)], of(1, 7)], priority=-1)
    store.pull([3, "v"], [threes, vs])
    for three, v in zip(threes, vs):
        is_(three, 3), is_(v, 7)
    store.pushpull("w", outs)
    for o in outs:
        is_(o, 22, 44)
    store.pushpull("w", [of(0, 1, 1), of(1, 1, 1)], out=outs[1])
    is_(outs[1], 2, 2), is_(outs[0], 22, 44)
    store.broadcast("b", of(0, 8), [threes[0], vs[0]])
    is_(threes[0], 8), is_(vs[0], 8)


@pytest.mark.parametrize("kind", ["local", "device"])
def test_updaters(of, kind):
    store = mx.kv.create(kind)
    store.init("w", of(0, 1, 1))
    seen = []

    def updater(key, grad, weight):
        seen.append((key, grad.device, weight.device))
        weight += grad * 2
    store.set_updater(updater)
    out = of(1, 0, 0)
    store.push("w", [of(0, 1, 2), of(1, 3, 4)])
    store.pull("w", out)
    is_(out, 9, 13)
    store.pushpull("w", of(1, 1, 1), out)
    is_(out, 11, 15)
    place = "cpu(0)" if kind == "local" else of(0, 0).device
    assert seen == [("w", place, place)] * 2

    def broken(key, grad, weight):
        raise KeyError("mine")
    store.set_updater(broken)
    with pytest.raises(KeyError, match="mine"):
        store.push("w", [of(0, 1, 2), of(1, 3, 4)])
    store.pull("w", out)
    is_(out, 11, 15)  # not the sum
    store.set_updater(None)
    store.push("w", of(1, 3, 3))
    store.set_optimizer(mx.optimizer.SGD(learning_rate=0.5))
    store.pushpull("w", [of(0, 1, 2), of(1, 3, 4)], out)
    is_(out, 1, 0)


def test_states_of_an_optimizer(of, tmp_path):
    file, outs = str(tmp_path / "states"), []
    for _ in range(2):
        store = mx.kv.create("device")
        store.init(0, of(0, 1))
        store.set_optimizer(mx.optimizer.SGD(learning_rate=0.5, momentum=0.5))
        if outs:
            store.load_optimizer_states(file)
        out = of(0, 0)
        store.pushpull(0, of(0, 1), out)
        outs.append(float(out.asnumpy()[0]))
        store.save_optimizer_states(file)
    assert outs == [0.5, 0.25]


def test_what_is_refused():
    store = mx.kv.create()
    store.init("w", nd.ones(2))
    with pytest.raises(ValueError, match="'w' is there already"):
        store.init(["v", "w"], [nd.ones(2), nd.ones(2)])
    with pytest.raises(ValueError, match="'v' is there already"):
        store.init(["v", "v"], [nd.ones(2), nd.ones(2)])
    store.init("v", nd.ones(2))  # what failed left nothing behind
    for call in (store.push, store.pull):
        with pytest.raises(mx.MXNetError, match="never initialized"):
            call("nothing", nd.ones(2))
        with pytest.raises(mx.MXNetError, match="shape"):
            call("w", nd.ones(3))
    with pytest.raises(mx.MXNetError, match="locl"):
        mx.kv.create("locl")


def test_as_in_context_between_devices_of_a_kind():
    if not os.path.exists(MODULE):
        pytest.skip("the emulated device is not built (target flx_emulated_device)")
    config.set("FLEXOR_TEST_DEVICE", MODULE)
    a = flexor.nd.array(np.ones(2, "float32"), device="emu(0)")
    assert a.as_in_context("emu(0)") is a and a.as_in_context("emu") is a
    assert a.as_in_context("emu(1)").device == "emu(1)" and a.as_in_context("cpu").device == "cpu(0)"
    here = nd.ones(2)
    assert all(flexor.NDArray.as_in_context(here, place) is here for place in ("cpu", "cpu(0)", "cpu(1)"))

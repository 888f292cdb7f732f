# SPDX-License-Identifier: Apache-2.0
"""Networks on a device, the emulated one of tests/device: what is true of it is true of a GPU."""
import copy
import os
import pickle

import numpy as np
import pytest

import flexor
from flexor import autograd, config, metric, nd, nn, optimizer

MODULE = os.path.join(os.environ.get("FLEXOR_TEST_BUILD", ""), "tests", "device", "libflx_emulated_device.so")
pytestmark = pytest.mark.skipif(not os.path.exists(MODULE), reason="the emulated device is not built (target flx_emulated_device)")


@pytest.fixture(scope="module", autouse=True)
def device():
    config.set("FLEXOR_TEST_DEVICE", MODULE)
    return "emu(0)"


def test_arrays_are_made_copied_and_shown(device):
    made = [nd.array([[1, 2], [3, 4]], device=device), nd.array(np.arange(3), device=device), nd.array([1, 2], dtype="int64", device=device), nd.zeros(3, device=device),
            nd.ones((2, 2), "float16", device), nd.full((2,), 7, device=device), nd.full((2,), 2**60, "int64", device), nd.arange(4, device=device), nd.linspace(0, 1, 3, device=device),
            nd.eye(2, device=device), nd.array(nd.ones(2), device=device), nd.array([nd.ones(2, device=device), [1, 2]]), flexor.random.normal(shape=(3,), device=device),
            flexor.random.randint(0, 9, shape=(4,), device=device)]
    assert [x.device for x in made] == [device] * len(made)
    assert made[0].asnumpy().tolist() == [[1, 2], [3, 4]] and made[6].tolist() == [2**60, 2**60] and "1" in repr(made[0]) and made[0][1, 0].item() == 3
    flexor.seed(3)
    here = flexor.random.normal(shape=(5,))
    flexor.seed(3)
    assert np.allclose(here.asnumpy(), flexor.random.normal(shape=(5,), device=device).asnumpy(), atol=1e-6)
    x = made[0]
    there = x.to_device("emu(1)")
    assert there.device == "emu(1)" and x.to_device(device) is x and there.to_device("cpu").device == "cpu(0)" and x.copy().device == device
    assert np.array_equal(there.asnumpy(), x.asnumpy()) and nd.zeros_like(x).device == device
    assert copy.deepcopy(x).device == device and pickle.loads(pickle.dumps(x)).device == "cpu(0)"
    out = nd.zeros(3, device=device)
    assert flexor.nd.random_uniform(shape=(3,), out=out) is out and 0 < out.asnumpy().max() <= 1


def test_values_of_the_host_go_where_the_arrays_are(device):
    x = nd.array([[1, 2], [3, 4]], device=device)
    results = [x + np.ones((2, 2), "float32"), np.ones((2, 2), "float32") * x, [[1, 1], [1, 1]] + x, x @ np.eye(2, dtype="float32"), nd.maximum(x, np.full((2, 2), 2)), x + 1, 2 - x,
               nd.array([1, 2], "int64", device) + 2**60, x[[1, 0]], x[:, np.array([True, False])], x[0:0], x[np.array([0, 1]), [1, 1]], nd.concat(x, np.zeros((1, 2), "float32"), dim=0),
               nd.take(x, [1])]
    assert [y.device for y in results] == [device] * len(results)
    assert results[0].tolist() == [[2, 3], [4, 5]] and results[8].tolist() == [[3, 4], [1, 2]] and results[9].tolist() == [[1], [3]]
    x[0] = [5, 6]
    x[1, 1] = 7
    x[np.array([1]), 0] = np.array([8])
    x += np.ones(2, "float32")
    assert x.device == device and x.tolist() == [[6, 7], [9, 8]]

    @autograd.operator
    def double(v):
        return 2 * v

    @double.gradient
    def _(dy, v, y):
        return 2 * dy
    x.attach_grad()
    with autograd.record():
        y = double(x)
    y.backward()
    assert y.device == device and x.grad.device == device and x.grad.tolist() == [[2, 2], [2, 2]]
    net = network().initialize(input_shape=(None, 4), device=device)
    out = net(np.ones((2, 4), "float32"))
    assert out.device == device and nn.SoftmaxCrossEntropyLoss()(out, np.array([0, 1])).device == device


def test_what_there_is_and_what_is_not(device):
    assert flexor.device.count("emu") == 2 and flexor.device.count() == 1 and flexor.num_gpus() == flexor.device.count("gpu")
    assert flexor.gpu(1) == "gpu(1)" and flexor.device.properties(device)["memory"] == 2**30 and flexor.device.properties()["cores"] >= 1
    x = nd.ones(1000, device=device)
    flexor.device.synchronize(device)
    assert flexor.device.memory(device)["live"] >= 4000 and set(flexor.device.memory(device)) >= {"peak", "total", "fragmentation"}
    with pytest.raises(flexor.errors.DeviceError, match=r"emu\(7\)"):
        nd.zeros(3, device="emu(7)")
    with pytest.raises(flexor.errors.DeviceError, match=r"gpu\(9\)"):
        flexor.random.uniform(shape=(2,), device="gpu(9)")
    with pytest.raises(flexor.errors.DeviceError, match=r"input 0 is on emu\(0\), given input 1 on cpu\(0\)"):
        x + nd.ones(1000)
    with pytest.raises(flexor.errors.DeviceError):
        x.map()
    with pytest.raises(BufferError, match="to_device"):
        np.from_dlpack(x)
    with pytest.raises(flexor.errors.ArgumentError, match="`cpu`, `gpu` or `gpu"):
        nd.zeros(3, device="gpu(x")


def network():
    return nn.Sequential(nn.Dense(8, activation="tanh"), nn.Dense(3))


def test_parameters_are_made_moved_and_loaded(device, tmp_path):
    host = network().initialize(input_shape=(None, 4), seed=1)
    there = network().initialize(input_shape=(None, 4), seed=1, device=device)
    weight = there.parameters()["0.weight"]
    assert weight.device == device and weight.grad.device == device
    assert np.array_equal(weight.asnumpy(), host.parameters()["0.weight"].asnumpy())
    with pytest.raises(flexor.errors.DeviceError, match="parameter `0.weight` is on emu"):
        there(nd.ones((2, 4)))
    y = there(nd.ones((2, 4), device=device))
    assert np.allclose(y.asnumpy(), host(nd.ones((2, 4))).asnumpy(), atol=1e-6)
    assert there.to("cpu") is there and there.parameters()["1.bias"].device == "cpu(0)"
    there(nd.ones((2, 4)))
    path = str(tmp_path / "net.safetensors")
    host.parameters().save(path)
    assert nn.Parameters.load(path, device)["0.weight"].device == device
    assert host.parameters().copy(device)["0.bias"].device == device and host.parameters().to(device)["0.bias"].device == device
    path = str(tmp_path / "net.flx")
    flexor.save(network().initialize(input_shape=(None, 4), seed=1), path)
    loaded = flexor.load(path, device=device)
    assert loaded.parameters()["0.weight"].device == device and np.allclose(loaded(np.ones((2, 4), "float32")).asnumpy(), y.asnumpy(), atol=1e-6)


@pytest.mark.parametrize("hybridize", [False, True])
def test_a_loop_of_ones_own(device, hybridize):
    losses = []
    for place in ("cpu", device):
        net = network().initialize(input_shape=(None, 4), seed=1, device=place)
        if hybridize:
            net.hybridize()
        x = nd.array(np.random.default_rng(0).standard_normal((6, 4)).astype("float32"), device=place)
        y = nd.array(np.array([0, 1, 2, 0, 1, 2]), device=place)
        trainer, loss, accuracy = flexor.Trainer(net.parameters(), "adam"), nn.SoftmaxCrossEntropyLoss(), metric.Accuracy()
        for _ in range(3):
            with autograd.record():
                out = net(x)
                value = loss(out, y)
            value.backward()
            trainer.step()
            accuracy.update(out, y)
        losses.append(value.asnumpy())
        assert 0 <= accuracy.value <= 1
    assert np.allclose(losses[0], losses[1], atol=1e-5)


def test_an_estimator(device, tmp_path):
    random = np.random.default_rng(1)
    x = random.standard_normal((90, 4)).astype("float32")
    y = x[:, :3].argmax(1)
    fitted = [flexor.Classifier(network(), epochs=5, seed=3, optimizer=optimizer.Adam(0.02), device=place).fit(x, y) for place in (None, device)]
    assert fitted[1].network_.parameters()["0.weight"].device == device
    assert np.allclose(fitted[0].predict_proba(x), fitted[1].predict_proba(x), atol=1e-3)
    again = flexor.Classifier(fitted[0].network_, epochs=1, seed=3, device=device).fit(x, y)  # what it has is moved there
    assert again.network_.parameters()["1.bias"].device == device
    path = str(tmp_path / "fit.flx")
    flexor.save(again, path)
    loaded = flexor.load(path, device=device)
    assert loaded.device == device and loaded.network_.parameters()["1.bias"].device == device
    assert np.allclose(loaded.predict_proba(x), again.predict_proba(x), atol=1e-6)
    assert flexor.load(path).device is None

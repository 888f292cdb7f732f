# SPDX-License-Identifier: Apache-2.0
"""Networks on a device, the emulated one of tests/device: what is true of it is true of a GPU."""
import os

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
    assert host.parameters().copy(device)["0.bias"].device == device


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


def test_an_estimator(device):
    random = np.random.default_rng(1)
    x = random.standard_normal((90, 4)).astype("float32")
    y = x[:, :3].argmax(1)
    fitted = [flexor.Classifier(network(), epochs=5, seed=3, optimizer=optimizer.Adam(0.02), device=place).fit(x, y) for place in (None, device)]
    assert fitted[1].network_.parameters()["0.weight"].device == device
    assert np.allclose(fitted[0].predict_proba(x), fitted[1].predict_proba(x), atol=1e-3)
    again = flexor.Classifier(fitted[0].network_, epochs=1, seed=3, device=device).fit(x, y)  # what it has is moved there
    assert again.network_.parameters()["1.bias"].device == device

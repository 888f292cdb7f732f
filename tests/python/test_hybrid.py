# SPDX-License-Identifier: Apache-2.0
"""Hybrid and eager runs of networks give the same numbers: outputs, gradients, random masks, moving averages."""
import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd, nn

NETWORKS = {
    "dense": (lambda: nn.Sequential(nn.Dense(8, activation="relu"), nn.Dropout(0.5), nn.Dense(3)), (5,)),
    "convolution": (lambda: nn.Sequential(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(3)), (2, 8, 8)),
    "residual": (lambda: nn.Sequential(nn.Dense(6), nn.Residual(nn.LayerNorm(), nn.Dense(6, activation="gelu")), nn.Dense(3)), (6,)),
    "recurrent": (lambda: nn.Sequential(nn.LSTM(6, return_sequences=False), nn.Dense(3)), (4, 5)),
    "attention": (lambda: nn.Sequential(nn.MultiHeadAttention(heads=2, units=8), nn.Flatten(), nn.Dense(3)), (4, 8)),
}


def step(net, x, y):
    fx.random.seed(3)
    with autograd.record():
        loss = nn.SoftmaxCrossEntropyLoss()(net(x), y).mean()
    loss.backward()
    return {"loss": loss.asnumpy(), **{n: a.grad.asnumpy() for n, a in net.parameters().items() if a.grad is not None},
            **{n + " itself": a.asnumpy() for n, a in net.parameters().items()}}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_eager_and_hybrid(name):
    make, shape = NETWORKS[name]
    random = np.random.RandomState(0)
    x, y = nd.array(random.standard_normal((6, *shape)).astype(np.float32)), nd.array(random.randint(0, 3, 6))
    net = make().initialize(input_shape=(None, *shape), seed=1)
    eager = step(net, x, y)
    net.initialize(seed=1)
    net.hybridize()
    hybrid = step(net, x, y)
    assert set(eager) == set(hybrid)
    for key, want in eager.items():
        np.testing.assert_allclose(hybrid[key], want, rtol=2e-4, atol=2e-5, err_msg=key)


@pytest.mark.parametrize("hybridize", [True, False])
def test_fits_with_and_without_plans(hybridize):
    x, y = fx.datasets.iris()
    clf = fx.Classifier(nn.Sequential(nn.Dense(8, activation="relu"), nn.Dropout(0.2), nn.Dense(3)), epochs=3, seed=1, hybridize=hybridize, passes="none").fit(x, y)
    key = "test_fits"
    if key not in seen:
        seen[key] = clf.predict_proba(x)
    np.testing.assert_array_equal(clf.predict_proba(x), seen[key])


seen = {}

# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.model_zoo: names, shapes and outputs are those that MXNet 1.9.1 has for the same weights."""
import hashlib

import numpy as np
import pytest

import flexor.mxnet as mx
from flexor.mxnet import nd

vision = mx.gluon.model_zoo.vision
# network, size of the image, number of parameters, hashes of names and shapes (full and structural names), first outputs: all seen under MXNet
SEEN = [
    ("resnet18_v1", 32, 102, "04b7e8cb6cace6a26c1b2554792081f2", "375c0291c74c9388e19cdec42d0367f5", "-5.075e-03 -1.411e-02 -1.147e-02 6.647e-04 1.225e-02"),
    ("resnet50_v2", 32, 259, "682bcda3a1057cddcbdd89c4d5c84758", "21821a378849ff05b2d3e52b81afeab7", "3.111e-04 -3.666e-04 2.786e-04 -8.168e-05 -1.472e-04"),
    ("squeezenet1.1", 224, 52, "447ad34a4c6f3a742bfc8a9d08750e4f", "179c5a15e3f3d36b14b0971d528141a5", "5.593e-01 2.225e-01 1.454e-02 0.000e+00 2.252e-02"),
    ("densenet121", 224, 606, "190213961028c4c7ddb6d7aa751904aa", "35f27160c930d6d081e53e9abccbcd8f", "1.198e-02 -3.371e-04 -1.177e-02 7.698e-03 6.953e-03"),
]


def digest(params):
    return hashlib.md5(repr([(n, tuple(int(s) for s in p.shape)) for n, p in params.items()]).encode()).hexdigest()


@pytest.mark.parametrize("name,size,count,full,structural,outputs", SEEN, ids=[s[0] for s in SEEN])
def test_networks_are_mxnets(name, size, count, full, structural, outputs):
    net = vision.get_model(name, classes=10, prefix="n_")
    net.initialize(mx.init.One())
    x = nd.array(np.sin(np.arange(3 * size * size) * 0.01).reshape(1, 3, size, size))
    net(x)
    params = net.collect_params()
    for k, (n, p) in enumerate(params.items()):
        if n.endswith("weight"):
            wave = np.sin(np.arange(int(np.prod(p.shape))) * 0.37 + k) / np.sqrt(np.prod(p.shape[1:]))
            p.set_data(nd.array(wave.reshape(p.shape) * 3.5))
    assert len(params.keys()) == count and digest(params) == full and digest(net._collect_params_with_prefix()) == structural
    net.hybridize()
    want = [float(v) for v in outputs.split()]
    np.testing.assert_allclose(net(x).asnumpy()[0, :5], want, 2e-3, 2e-3 * max(map(abs, want)))


def test_all_can_be_made():
    for name in sorted(vision._networks):
        assert len(list(vision.get_model(name, classes=5).collect_params().keys())) > 15
    assert vision.mobilenet_v2_0_25().output[0].weight.shape[0] == 1000
    with pytest.raises(ValueError, match="resnet18_v1"):
        vision.get_model("resnet19")
    with pytest.raises(NotImplementedError, match="load_parameters"):
        vision.resnet18_v1(pretrained=True)

# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.model_zoo.vision: the networks by MXNet's names, with its names of parameters, so that files of its trained weights load (net.load_parameters). Nothing is
downloaded: pretrained=True is an error that says so."""
from .. import nn
from ..hybrid import HybridBlock

_networks = {}


def _network(name, make, *settings):
    """Puts a function `name` into this module; dots and minus signs of MXNet's names become underscores, as there."""
    def build(pretrained=False, ctx=None, root=None, **kwargs):
        if pretrained:
            raise NotImplementedError("%s: trained weights are not downloaded; make the network and load a file: net.load_parameters(path)" % name)
        return make(*settings, **kwargs)
    word = name.replace("squeezenet1.", "squeezenet1_").replace("mobilenetv2_", "mobilenet_v2_").replace("mobilenet1.", "mobilenet1_").replace("0.", "0_").replace("_1.", "_1_")
    build.__name__ = build.__qualname__ = word
    build.__doc__ = "%s(classes=1000, pretrained=False)" % word
    globals()[word] = _networks[name] = build


def get_model(name, **kwargs):
    """A network by its name, as resnet50_v1."""
    if name.lower() not in _networks:
        raise ValueError("there is no network called %r; there are %s" % (name, ", ".join(sorted(_networks))))
    return _networks[name.lower()](**kwargs)


def _chain(*blocks):
    """Blocks one after the other, whose names are those of the block around."""
    chain = nn.HybridSequential(prefix="")
    chain.add(*blocks)
    return chain


def _conv(channels, kernel, stride=1, pad=0, **kwargs):
    return nn.Conv2D(channels, kernel, stride, pad, use_bias=False, **kwargs)


def _relu():
    return nn.Activation("relu")


class _Features(HybridBlock):
    """`features`, then `output`."""

    def hybrid_forward(self, F, x):
        return self.output(self.features(x))


# ---- residual networks (He and others, 2015 and 2016)
class _UnitV1(HybridBlock):
    def __init__(self, channels, stride, shortcut, narrow, in_channels, **kwargs):
        super().__init__(**kwargs)
        if narrow:
            inner = channels // 4
            self.body = _chain(nn.Conv2D(inner, 1, stride), nn.BatchNorm(), _relu(), _conv(inner, 3, 1, 1, in_channels=inner), nn.BatchNorm(), _relu(), nn.Conv2D(channels, 1), nn.BatchNorm())
        else:
            self.body = _chain(_conv(channels, 3, stride, 1, in_channels=in_channels), nn.BatchNorm(), _relu(), _conv(channels, 3, 1, 1, in_channels=channels), nn.BatchNorm())
        self.downsample = _chain(_conv(channels, 1, stride, in_channels=in_channels), nn.BatchNorm()) if shortcut else None

    def hybrid_forward(self, F, x):
        return F.Activation(self.body(x) + (self.downsample(x) if self.downsample is not None else x), act_type="relu")


class _UnitV2(HybridBlock):
    def __init__(self, channels, stride, shortcut, narrow, in_channels, **kwargs):
        super().__init__(**kwargs)
        inner = channels // 4
        shapes = [(inner, 1, 1, 0), (inner, 3, stride, 1), (channels, 1, 1, 0)] if narrow else [(channels, 3, stride, 1), (channels, 3, 1, 1)]
        before = [None, inner, None] if narrow else [in_channels, channels]
        for i, ((c, k, s, p), known) in enumerate(zip(shapes, before), 1):
            setattr(self, "bn%d" % i, nn.BatchNorm())
            setattr(self, "conv%d" % i, _conv(c, k, s, p, in_channels=known or 0))
        self._steps = len(shapes)
        self.downsample = _conv(channels, 1, stride, in_channels=in_channels) if shortcut else None

    def hybrid_forward(self, F, x):
        rest = x
        for i in range(1, self._steps + 1):
            x = F.Activation(getattr(self, "bn%d" % i)(x), act_type="relu")
            if i == 1 and self.downsample is not None:
                rest = self.downsample(x)
            x = getattr(self, "conv%d" % i)(x)
        return x + rest


class _ResNet(_Features):
    def __init__(self, version, depth, classes=1000, thumbnail=False, **kwargs):
        self._word = "resnetv%d" % version
        super().__init__(**kwargs)
        narrow, unit = depth >= 50, _UnitV1 if version == 1 else _UnitV2
        channels = [64] + [c * (4 if narrow else 1) for c in (64, 128, 256, 512)]
        layers = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[depth]
        with self.name_scope():
            self.features = _chain()
            if version == 2:
                self.features.add(nn.BatchNorm(scale=False, center=False))
            if thumbnail:
                self.features.add(_conv(64, 3, 1, 1))
            else:
                self.features.add(_conv(64, 7, 2, 3), nn.BatchNorm(), _relu(), nn.MaxPool2D(3, 2, 1))
            for i, count in enumerate(layers):
                stage = nn.HybridSequential(prefix="stage%d_" % (i + 1))
                with stage.name_scope():
                    for k in range(count):
                        first = k == 0
                        stage.add(unit(channels[i + 1], 2 if first and i else 1, first and channels[i + 1] != channels[i], narrow, channels[i] if first else channels[i + 1], prefix=""))
                self.features.add(stage)
            if version == 2:
                self.features.add(nn.BatchNorm(), _relu())
            self.features.add(nn.GlobalAvgPool2D())
            if version == 2:
                self.features.add(nn.Flatten())
            self.output = nn.Dense(classes, in_units=channels[-1])

    def _alias(self):
        return self._word


# ---- the older ones
class VGG(_Features):
    """Simonyan and Zisserman, 2014."""

    def __init__(self, depth, batch_norm=False, classes=1000, **kwargs):
        super().__init__(**kwargs)
        from ... import init
        layers = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
        with self.name_scope():
            self.features = _chain()
            for count, channels in zip(layers, (64, 128, 256, 512, 512)):
                for _ in range(count):
                    self.features.add(nn.Conv2D(channels, 3, padding=1, weight_initializer=init.Xavier(rnd_type="gaussian", factor_type="out", magnitude=2)))
                    if batch_norm:
                        self.features.add(nn.BatchNorm())
                    self.features.add(_relu())
                self.features.add(nn.MaxPool2D(strides=2))
            for _ in range(2):
                self.features.add(nn.Dense(4096, activation="relu", weight_initializer="normal"), nn.Dropout(0.5))
            self.output = nn.Dense(classes, weight_initializer="normal")


class AlexNet(_Features):
    """Krizhevsky and others, 2012."""

    def __init__(self, classes=1000, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = _chain()
            with self.features.name_scope():
                for channels, kernel, stride, pad, pool in ((64, 11, 4, 2, 1), (192, 5, 1, 2, 1), (384, 3, 1, 1, 0), (256, 3, 1, 1, 0), (256, 3, 1, 1, 1)):
                    self.features.add(nn.Conv2D(channels, kernel, stride, pad, activation="relu"))
                    if pool:
                        self.features.add(nn.MaxPool2D(3, 2))
                self.features.add(nn.Flatten())
                for _ in range(2):
                    self.features.add(nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
            self.output = nn.Dense(classes)


class _Itself(HybridBlock):
    def hybrid_forward(self, F, x):
        return x


class _Side(nn.HybridSequential):
    """Children side by side, their channels joined."""

    def __init__(self, *blocks):
        super().__init__(prefix="")
        self.add(*blocks)

    def hybrid_forward(self, F, x):
        return F.concat(*[block(x) for block in self._children.values()], dim=1)


class SqueezeNet(_Features):
    """Iandola and others, 2016."""

    def __init__(self, version, classes=1000, **kwargs):
        super().__init__(**kwargs)
        pool = "pool"
        fires = {"1.0": (96, 7, (16, 16, 32, pool, 32, 48, 48, 64, pool, 64)), "1.1": (64, 3, (16, 16, pool, 32, 32, pool, 48, 48, 64, 64))}
        first, kernel, rest = fires[version]
        with self.name_scope():
            self.features = _chain(nn.Conv2D(first, kernel, 2), _relu(), nn.MaxPool2D(3, 2, ceil_mode=True))
            for n in rest:
                if n == pool:
                    self.features.add(nn.MaxPool2D(3, 2, ceil_mode=True))
                else:
                    self.features.add(_chain(_chain(nn.Conv2D(n, 1), _relu()), _Side(_chain(nn.Conv2D(4 * n, 1), _relu()), _chain(nn.Conv2D(4 * n, 3, padding=1), _relu()))))
            self.features.add(nn.Dropout(0.5))
            self.output = _chain(nn.Conv2D(classes, 1), _relu(), nn.AvgPool2D(13), nn.Flatten())


# ---- small ones
class _Clip6(HybridBlock):
    def hybrid_forward(self, F, x):
        return F.clip(x, 0, 6)


def _normed(channels, kernel=1, stride=1, pad=0, groups=1, act=_relu):
    return [nn.Conv2D(channels, kernel, stride, pad, groups=groups, use_bias=False), nn.BatchNorm()] + ([act()] if act else [])


class MobileNet(_Features):
    """Howard and others, 2017."""

    def __init__(self, multiplier=1.0, classes=1000, **kwargs):
        super().__init__(**kwargs)
        widths = [int(c * multiplier) for c in [32, 64, 128, 128, 256, 256] + [512] * 6 + [1024, 1024]]
        strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
        with self.name_scope():
            self.features = _chain()
            with self.features.name_scope():
                self.features.add(*_normed(widths[0], 3, 2, 1))
                for before, after, stride in zip(widths, widths[1:], strides):
                    self.features.add(*_normed(before, 3, stride, 1, before), *_normed(after))
                self.features.add(nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes)


class LinearBottleneck(HybridBlock):
    """Wider, by depth, and narrow again without an activation; added to its input where shapes allow."""

    def __init__(self, in_channels, channels, t, stride, **kwargs):
        super().__init__(**kwargs)
        self._add = stride == 1 and in_channels == channels
        wide = in_channels * t
        with self.name_scope():
            self.out = nn.HybridSequential()
            self.out.add(*_normed(wide, act=_Clip6), *_normed(wide, 3, stride, 1, wide, _Clip6), *_normed(channels, act=None))

    def hybrid_forward(self, F, x):
        return self.out(x) + x if self._add else self.out(x)


class MobileNetV2(_Features):
    """Sandler and others, 2018."""

    def __init__(self, multiplier=1.0, classes=1000, **kwargs):
        super().__init__(**kwargs)
        before = int(32 * multiplier)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                self.features.add(*_normed(before, 3, 2, 1, act=_Clip6))
                for t, width, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
                    for k in range(count):
                        self.features.add(LinearBottleneck(before, int(width * multiplier), t, stride if k == 0 else 1))
                        before = int(width * multiplier)
                self.features.add(*_normed(int(1280 * max(multiplier, 1.0)), act=_Clip6), nn.GlobalAvgPool2D())
            self.output = nn.HybridSequential(prefix="output_")
            with self.output.name_scope():
                self.output.add(nn.Conv2D(classes, 1, use_bias=False, prefix="pred_"), nn.Flatten())


class DenseNet(_Features):
    """Huang and others, 2016."""

    def __init__(self, depth, bn_size=4, dropout=0, classes=1000, **kwargs):
        super().__init__(**kwargs)
        growth, layers = {121: (32, (6, 12, 24, 16)), 161: (48, (6, 12, 36, 24)), 169: (32, (6, 12, 32, 32)), 201: (32, (6, 12, 48, 32))}[depth]
        width = 2 * growth
        with self.name_scope():
            self.features = _chain(_conv(width, 7, 2, 3), nn.BatchNorm(), _relu(), nn.MaxPool2D(3, 2, 1))
            for i, count in enumerate(layers):
                stage = nn.HybridSequential(prefix="stage%d_" % (i + 1))
                with stage.name_scope():
                    for _ in range(count):
                        new = _chain(nn.BatchNorm(), _relu(), _conv(bn_size * growth, 1), nn.BatchNorm(), _relu(), _conv(growth, 3, 1, 1))
                        if dropout:
                            new.add(nn.Dropout(dropout))
                        stage.add(_Side(_Itself(prefix=""), new))
                self.features.add(stage)
                width += count * growth
                if i + 1 < len(layers):
                    width //= 2
                    self.features.add(_chain(nn.BatchNorm(), _relu(), _conv(width, 1), nn.AvgPool2D(2, 2)))
            self.features.add(nn.BatchNorm(), _relu(), nn.AvgPool2D(7), nn.Flatten())
            self.output = nn.Dense(classes)


for _depth in (18, 34, 50, 101, 152):
    for _version in (1, 2):
        _network("resnet%d_v%d" % (_depth, _version), _ResNet, _version, _depth)
for _depth in (11, 13, 16, 19):
    _network("vgg%d" % _depth, VGG, _depth)
    _network("vgg%d_bn" % _depth, VGG, _depth, True)
for _depth in (121, 161, 169, 201):
    _network("densenet%d" % _depth, DenseNet, _depth)
for _text in ("1.0", "0.75", "0.5", "0.25"):
    _network("mobilenet" + _text, MobileNet, float(_text))
    _network("mobilenetv2_" + _text, MobileNetV2, float(_text))
_network("squeezenet1.0", SqueezeNet, "1.0")
_network("squeezenet1.1", SqueezeNet, "1.1")
_network("alexnet", AlexNet)

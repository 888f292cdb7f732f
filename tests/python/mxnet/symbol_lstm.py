# SPDX-License-Identifier: Apache-2.0
"""A character LSTM as a symbol, unrolled by hand and run by an executor: the oldest way of MXNet. Text and first values come from formulas, so that every framework that
runs it prints the same losses."""
import numpy as np

import mxnet as mx

STEPS, BATCH, HIDDEN, EMBED, CHARS, LAYERS = 12, 8, 24, 12, 20, 2


def cell(x, h, c, params, layer, t):
    weight = params[layer]
    gates = mx.sym.FullyConnected(x, weight=weight["i2h_weight"], bias=weight["i2h_bias"], num_hidden=4 * HIDDEN, name="t%d_l%d_i2h" % (t, layer)) + \
        mx.sym.FullyConnected(h, weight["h2h_weight"], weight["h2h_bias"], num_hidden=4 * HIDDEN, name="t%d_l%d_h2h" % (t, layer))
    parts = mx.sym.SliceChannel(gates, num_outputs=4, name="t%d_l%d_slice" % (t, layer))
    put = mx.sym.Activation(parts[0], act_type="sigmoid")
    change = mx.sym.Activation(parts[1], act_type="tanh")
    forget = mx.sym.Activation(parts[2], act_type="sigmoid")
    show = mx.sym.Activation(parts[3], act_type="sigmoid")
    c = (forget * c) + (put * change)
    return show * mx.sym.Activation(c, act_type="tanh"), c


def network():
    names = ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")
    params = [{n: mx.sym.Variable("l%d_%s" % (layer, n)) for n in names} for layer in range(LAYERS)]
    data, label = mx.sym.Variable("data"), mx.sym.Variable("softmax_label")
    embedded = mx.sym.Embedding(data, input_dim=CHARS, output_dim=EMBED, name="embed")
    xs = mx.sym.SliceChannel(embedded, num_outputs=STEPS, axis=1, squeeze_axis=True)
    state = [(mx.sym.Variable("l%d_init_h" % layer), mx.sym.Variable("l%d_init_c" % layer)) for layer in range(LAYERS)]
    hidden = []
    for t in range(STEPS):
        x = xs[t]
        for layer in range(LAYERS):
            state[layer] = cell(x, state[layer][0], state[layer][1], params, layer, t)
            x = state[layer][0]
        hidden.append(x)
    together = mx.sym.Concat(*hidden, dim=0)
    scores = mx.sym.FullyConnected(data=together, num_hidden=CHARS, name="pred")
    label = mx.sym.Reshape(mx.sym.transpose(label), shape=(-1,))
    return mx.sym.SoftmaxOutput(data=scores, label=label, name="softmax", normalization="batch")


def main():
    text = np.array([(7 * i % 11 + 3 * (i % 4)) % CHARS for i in range(BATCH * 200 + 1)])
    net = network()
    shapes = {"data": (BATCH, STEPS), "softmax_label": (BATCH, STEPS)}
    shapes.update({"l%d_init_%s" % (layer, s): (BATCH, HIDDEN) for layer in range(LAYERS) for s in "hc"})
    learned = [n for n in net.list_arguments() if n not in shapes]
    run = net.simple_bind(ctx=mx.cpu(), grad_req={n: "write" if n in learned else "null" for n in net.list_arguments()}, **shapes)
    for k, name in enumerate(learned):
        array = run.arg_dict[name]
        wave = np.sin(np.arange(array.size) * 0.61 + k) * (0.2 if name.endswith("weight") else 0.02)
        array[:] = wave.reshape(array.shape)
    optimizer = mx.optimizer.create("adam", learning_rate=0.02, clip_gradient=5.0, wd=1e-4)
    updater = mx.optimizer.get_updater(optimizer)
    perplexity = mx.metric.Perplexity(ignore_label=None)
    for step in range(40):
        starts = np.arange(BATCH) * 200 + step * STEPS % 180
        batch = np.stack([text[s:s + STEPS + 1] for s in starts])
        data, label = batch[:, :-1], batch[:, 1:]
        run.forward(is_train=True, data=mx.nd.array(data), softmax_label=mx.nd.array(label))
        run.backward()
        for i, name in enumerate(learned):
            updater(i, run.grad_dict[name], run.arg_dict[name])
        flat = mx.nd.array(label.T.reshape(-1))
        loss = -mx.nd.log(mx.nd.pick(run.outputs[0], flat)).mean()
        perplexity.update([flat], run.outputs)
        print("step %d loss %.6f" % (step, loss.asscalar()))
    print("%s %.4f" % perplexity.get())
    one = net.get_internals()["t0_l0_i2h_output"]
    print("inner %s %s" % (one.name, one.infer_shape_partial(data=(BATCH, STEPS))[1]))
    again = mx.sym.load_json(net.tojson())
    print("json %s" % (again.list_arguments() == net.list_arguments()))


if __name__ == "__main__":
    main()

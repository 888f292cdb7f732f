# SPDX-License-Identifier: Apache-2.0
"""A training loop of one's own: record, go backward, step. With gradient clipping and a learning rate of one's own, as an example of what such a loop is for."""
import flexor as fx
from flexor import autograd, nd, nn

images, labels = fx.datasets.digits()
net = nn.Sequential(nn.Conv2D(8, 5, activation="relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(64, activation="relu"), nn.Dense(10))
net.initialize(fx.init.Xavier(), input_shape=(None, 1, 28, 28), seed=1)
net.hybridize()  # optional: the same numbers, faster

loss_fn = nn.SoftmaxCrossEntropyLoss()
trainer = fx.Trainer(net.parameters(), fx.SGD(0.05, momentum=0.9))
batches = fx.data.DataLoader(images[:4000], labels[:4000], batch_size=64, shuffle=True, seed=1)
for epoch in range(1, 4):
    trainer.learning_rate = 0.05 / epoch
    total = nd.zeros(())
    for data, label in batches:
        with autograd.record():
            loss = loss_fn(net(data), label).mean()
        loss.backward()
        gradients = [p.grad for p in net.parameters().values() if p.grad is not None]
        norm = sum((g * g).sum() for g in gradients) ** 0.5
        for g in gradients:
            g /= nd.broadcast_maximum(norm, nd.ones(()))
        trainer.step()
        total += loss  # nothing waits for it here
    accuracy = fx.metric.Accuracy().update(net(images[8000:]), labels[8000:])
    print(f"epoch {epoch}  loss {total.item() / len(batches):.4f}  test accuracy {accuracy.value:.3f}")

# SPDX-License-Identifier: Apache-2.0
# What worker.py does, in Julia.
using Flexor
x, y = Flexor.iris()
Store("dist_sync") do store
    part = shard(length(y), store)
    fit(Classifier(Chain(Dense(8, tanh), Dense(3))), x[part, :], y[part]; epochs = 3, batchsize = 10, optimizer = SGD(0.1; momentum = 0.9), seed = 1, shuffle = false, store = store)
end

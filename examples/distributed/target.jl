# SPDX-License-Identifier: Apache-2.0
# The tour's part (e): several workers, each with its share of the digits. flexor-launch -n 4 -s 2 julia target.jl [EPOCHS]
using Flexor
lenet = Chain(Conv((5, 5), 20, tanh), MaxPool((2, 2)), Conv((5, 5), 50, tanh), MaxPool((2, 2)), flatten, Dense(500, tanh), Dense(10))
digits, labels = Flexor.digits()
epochs = isempty(ARGS) ? 10 : parse(Int, ARGS[1])

Store("dist_sync") do store
    part = shard(length(labels), store)
    fitted = fit(Classifier(lenet), digits[part, :, :, :], labels[part]; epochs = epochs, store = store)
    store.rank == 1 && Flexor.save("lenet.flx", fitted)
end

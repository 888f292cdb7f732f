# SPDX-License-Identifier: Apache-2.0
# A training loop of one's own: explicit parameters, no globals.
using Flexor

function train(x, y; epochs = 20)
    network = Chain(Conv((5, 5), 8, relu), MaxPool((2, 2)), flatten, Dense(32, relu), Dense(10))
    ps, st = setup(network, (missing, 1, 28, 28); seed = 1)
    opt = Momentum(0.05, 0.9)
    for epoch in 1:epochs
        total = 0.0
        for (xb, yb) in batches(x, y; size = 64, shuffle = true, seed = epoch)
            loss, grads = withgradient(p -> mean(softmax_cross_entropy(network(xb, p, st)[1], yb .+ 1)), ps)  # classes count from 1
            update!(opt, ps, grads)
            total += loss  # the only wait in the loop
        end
        println("epoch $epoch  loss ", round(total / cld(length(y), 64); digits = 4))
    end
    return network, merge(ps, st)
end
x, y = Flexor.digits()
network, parameters = train(x[1:2000, :, :, :], y[1:2000]; epochs = 5)
scores = Array(network(x[8001:9000, :, :, :], parameters))
right = accuracy([argmax(row) - 1 for row in eachrow(scores)], y[8001:9000])
println("accuracy on scans not seen ", right)
right > 0.85 || error("that is too little")

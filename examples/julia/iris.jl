# SPDX-License-Identifier: Apache-2.0
# A table and a classifier, with a validation set and a function that ends the fit when it is good enough.
using Flexor

x, y = Flexor.iris()
train, test = splitobs(length(y), 0.7; seed = 1)
network = Chain(Standardize(), Dense(16, relu), Dense(8, relu), Dense(3))
fitted = fit(Classifier(network), x[train, :], y[train]; epochs = 100, optimizer = Adam(0.01), seed = 1, validation = (x[test, :], y[test])) do state
    state.epoch % 10 == 0 && println(state)
    state.valid.loss < 0.1 && stop!(state)
end
println(plot(fitted.history))
ŷ = predict(fitted, x[test, :])
println("accuracy ", round(accuracy(ŷ, y[test]); digits = 3))
for actual in fitted.classes
    println(rpad(actual, 12), join([lpad(count((y[test] .== actual) .& (ŷ .== given)), 4) for given in fitted.classes]))
end
accuracy(ŷ, y[test]) > 0.9 || error("that is too little")

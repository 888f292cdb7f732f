# SPDX-License-Identifier: Apache-2.0
# Second of three: Julia trains on what R began, with all flowers, and writes FILE anew. julia go_on.jl FILE
using Flexor

file = ARGS[1]
x, y = Flexor.iris()
fitted = fit(Flexor.load(file), x, y; epochs = 40, optimizer = Adam(0.01), seed = 1)
println("Julia: loss ", round(fitted.history.loss[end]; digits = 4), ", accuracy ", accuracy(predict(fitted, x), y))
Flexor.save(file, fitted)

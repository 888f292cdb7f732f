# SPDX-License-Identifier: Apache-2.0
# A layer and an operator of one's own, in a fit and in a file.
using Flexor

# A layer is a struct and two methods: what it works with, by the input's sizes, and what it computes. It runs as Julia does, and is traced into a graph when it is fitted.
struct ScaleShift <: Layer end
Flexor.parameters(::ScaleShift, input) = (scale = Param(input[2:end], ones), shift = Param(input[2:end], zeros))
(::ScaleShift)(x, p) = x .* p.scale .+ p.shift

# Layers may be among the parameters: what one computes, as far as another lets it through.
struct Gated <: Layer
    units::Int
end
Flexor.parameters(l::Gated, input) = (values = Dense(l.units), gates = Dense(l.units, sigmoid))
(::Gated)(x, p) = p.values(x) .* p.gates(x)

x, y = Flexor.iris()
network = Chain(ScaleShift(), Gated(16), Dense(3))
println(summarize(network, (missing, 4)))
fitted = fit(Classifier(network), x, y; epochs = 60, optimizer = Adam(0.02), seed = 1)
println("accuracy ", round(accuracy(predict(fitted, x), y); digits = 3))
println("parameters: ", join(keys(fitted.parameters), ", "))
path = Flexor.save("gated.flx", fitted)  # the file holds the graph: any language runs it, without these structs
predict(Flexor.load(path), x) == predict(fitted, x) || error("the file gives other labels")

# An operator in plain Julia on plain arrays, with its own gradient; it is only ever called on the task that asked.
clip01 = Operator(x -> clamp.(x, 0, 1); name = "clip01") do dy, x, y
    dy .* (0 .< x .< 1)
end
a = NDArray([-0.5, 0.25, 0.75, 1.5])
println("clipped  ", Array(clip01(a)))
println("gradient ", Array(gradient(v -> sum(clip01(v) .* NDArray([1, 2, 3, 4])), a)))

# In a layer, in a fit: a file holds its name, and runs where an operator of that name is.
struct Clip <: Layer end
(::Clip)(x, p) = clip01(x)
clipped = fit(Classifier(Chain(Standardize(), Dense(8), Clip(), Dense(3))), x, y; epochs = 60, optimizer = Adam(0.05), seed = 1)
println("accuracy ", round(accuracy(predict(clipped, x), y); digits = 3))
accuracy(predict(clipped, x), y) > 0.9 || error("that is too little")

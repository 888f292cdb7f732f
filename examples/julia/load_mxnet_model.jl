# SPDX-License-Identifier: Apache-2.0
# A model that MXNet saved years ago, loaded and used: julia load_mxnet_model.jl [PREFIX-0000.params]
# PREFIX-symbol.json beside it is the graph. tests/golden/files/models/lenet_bn_01 is such a pair: a small convolutional network for one channel of 10 x 10, five classes.
using Flexor

file = isempty(ARGS) ? joinpath(@__DIR__, "..", "..", "tests", "golden", "files", "models", "lenet_bn_01-0000.params") : ARGS[1]
model = Flexor.load(file)
println(summarize(model.network, (missing, 1, 10, 10)))
for (name, array) in pairs(model.parameters)
    println(rpad(name, 16), join(size(array), " × "))
end

# scans without their margin, shrunk to 10 x 10 by the mean of 2 x 2 pixels
scans = Flexor.digits()[1][1:5, :, 5:24, 5:24]
scans = (scans[:, :, 1:2:end, 1:2:end] .+ scans[:, :, 2:2:end, 1:2:end] .+ scans[:, :, 1:2:end, 2:2:end] .+ scans[:, :, 2:2:end, 2:2:end]) ./ 4
chance = predict_proba(model, scans)
display(round.(chance; digits = 3))
println("\n", predict(model, scans))
all(isapprox.(sum(chance; dims = 2), 1; atol = 1e-5)) || error("the probabilities do not add up to 1")

# and kept as a model file of Flexor
copied = Flexor.save(tempname() * ".flx", model)
predict(Flexor.load(copied), scans) == predict(model, scans) || error("the file gives other classes")
rm(copied)

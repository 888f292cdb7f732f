# SPDX-License-Identifier: Apache-2.0
# A tour: julia target.jl. Models are plain values, parameters are explicit, `!` means in place, do-blocks carry user code, `missing` stands for the batch, observations come first as in every
# other language. It writes lenet.flx and lenet.jls where it runs.
using Flexor, Random

## (a) a table or a matrix, and a classifier -----------------------------------------------------------------------------------------
x, y = Flexor.iris()                                     # 150×4 Matrix{Float32}, 150-element Vector{String}
train, test = splitobs(length(y), 0.7; seed = 1)
model = Chain(Standardize(), Dense(16, relu), Dense(8, relu), Dense(3))
fitted = fit(Classifier(model), x[train, :], y[train]; epochs = 60, optimizer = Adam(0.01), seed = 1)
ŷ = predict(fitted, x[test, :])                          # labels; predict_proba gives the matrix
accuracy(ŷ, y[test])

lenet = Chain(Conv((5, 5), 20, tanh), MaxPool((2, 2)), Conv((5, 5), 50, tanh), MaxPool((2, 2)), flatten, Dense(500, tanh), Dense(10))
digits, labels = Flexor.digits()                         # 10000×1×28×28 Float32 in [0, 1], names 0:9; any values with == do for Classifier
fitted = fit(Classifier(lenet), digits[1:8000, :, :, :], labels[1:8000]; epochs = 10, batchsize = 64, optimizer = Adam(1e-3),
             validation = (digits[8001:end, :, :, :], labels[8001:end])) do state
    state.epoch == 5 && @info "half way" state.loss      # called between batches, on this task, with exceptions and Ctrl-C as usual
    state.valid.accuracy > 0.99 && stop!(state)
end

## (b) a training loop of one's own: explicit parameters, no globals, no implicit `params` ----------------------------------------------
ps, st = setup(lenet, (missing, 1, 28, 28); seed = 1)    # NamedTuples of NDArray: parameters, and states such as running means
opt = Momentum(0.05, 0.9)
for epoch in 1:3
    total = 0.0
    for (xb, yb) in batches(digits, labels; size = 64, shuffle = true, seed = epoch)
        loss, grads = withgradient(ps) do p
            global st                                    # of the program, not of this function
            ŷ, st = lenet(xb, p, st)
            mean(softmax_cross_entropy(ŷ, yb .+ 1))      # class indices are 1-based, like axes
        end
        update!(opt, ps, grads)
        total += loss                                    # asks the engine for one number: the only wait in the loop
    end
    println("epoch $epoch  loss $total")
end

## (c) a layer of one's own is a struct and two methods; hybrid execution comes by tracing it -------------------------------------------------
struct ScaleShift <: Layer end
Flexor.parameters(::ScaleShift, input) = (scale = Param(input[2:end], ones), shift = Param(input[2:end], zeros))
(::ScaleShift)(x, p) = x .* p.scale .+ p.shift           # broadcasting fuses into one kernel
fast = hybridize(Chain(flatten, ScaleShift(), Dense(10)))

# and an operation with its own gradient, in plain Julia on plain Arrays; Flexor only ever calls it on the task that asked
clip01 = Operator(x -> clamp.(x, 0, 1)) do dy, x, y
    dy .* (0 .< x .< 1)
end

## (d) saving: one file for every language, and Serialization works ------------------------------------------------------------------------
Flexor.save("lenet.flx", fitted);  same = Flexor.load("lenet.flx")
using Serialization; serialize("lenet.jls", fitted); @assert predict(deserialize("lenet.jls"), digits[1:5, :, :, :]) == predict(same, digits[1:5, :, :, :])

## (e) looking at it ------------------------------------------------------------------------------------------------------------------------
summarize(lenet, (missing, 1, 28, 28))                   # also what `show` prints in the REPL
plot(fitted.history)                                     # a recipe where Plots is loaded, a Unicode plot where it is not
draw(lenet, (missing, 1, 28, 28))                        # SVG in a notebook
a = NDArray(randn(Float32, 2, 3)); a * a'; Array(a); size(a); a[1, :]; a .+= 1; free!(a)
a = NDArray(ones(2, 3)); try a * a catch e; e isa ShapeError && println(e.message) end
#> [dot] the inner lengths must agree: x is (2, 3) and y is (2, 3), so 3 meets 2. Transpose one of them?
fitted.history.valid.accuracy[end] > 0.97 || error("that is too little")

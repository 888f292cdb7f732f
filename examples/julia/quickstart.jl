# SPDX-License-Identifier: Apache-2.0
# LeNet with batch normalization on handwritten digits: train, look at the learning curve, save, load in a new process, predict.
#
#     julia quickstart.jl train [--epochs 10] [--seed 1] [--out FOLDER]
#     julia quickstart.jl predict --model FOLDER/lenet.flx
#
# The network, data and seed are those of examples/cpp/lenet.cc, and so are the numbers. The last of ten epochs recognises at least 98 % of 2,000 scans that the network did not see in training.
using Flexor, Printf

network() = Chain(Conv2D(20, 5), BatchNorm(), relu, MaxPool2D(; pool_size = 2), Conv2D(50, 5), BatchNorm(), relu, MaxPool2D(; pool_size = 2),
                  flatten, Dense(500, relu), Dropout(0.5), Dense(10))

function train(out, epochs, seed)
    images, labels = Flexor.digits()  # 10000×1×28×28 and 10000 digits: 8,000 to train on, 2,000 to test
    test = 8001:10000
    display(summarize(network(), (missing, 1, 28, 28)))
    println()
    adam = Adam(Flexor.Schedules.Cosine())  # from 0.001 down to 0 at the last step
    fitted = fit(Classifier(network()), images[1:8000, :, :, :], labels[1:8000]; epochs = epochs, batchsize = 64, optimizer = adam, seed = seed,
                 validation = (images[test, :, :, :], labels[test])) do state
        println(state)
        flush(stdout)
    end
    curve = plot(fitted.history)
    println("\n", curve)
    write(joinpath(out, "learning_curve.svg"), curve)
    path = Flexor.save(joinpath(out, "lenet.flx"), fitted)
    @printf("\nmodel written to %s\ntest accuracy %.2f %%\n", path, 100 * fitted.history.valid.accuracy[end])
end

"A scan as text, two pixels of height to a character."
function drawn(scan)
    ink = scan[5:24, 5:24] .> 0.4
    return [String([" ▀▄█"[nextind(" ▀▄█", 0, 1 + ink[y, x] + 2ink[y+1, x])] for x in 1:20]) for y in 1:2:20]
end
function predict_scans(path)
    fitted = Flexor.load(path)
    images, labels = Flexor.digits()
    scans, truth = images[8001:8010, :, :, :], labels[8001:8010]
    digits, chance = predict(fitted, scans), maximum(predict_proba(fitted, scans); dims = 2)
    for first in (1, 6)
        some = first:first+4
        foreach(rows -> println(join(rows, "   ")), zip((drawn(scans[i, 1, :, :]) for i in some)...))
        println(join([rpad(@sprintf("%s (%.1f %%)", digits[i], 100 * chance[i]), 20) for i in some], "   "), "\n")
    end
    println(sum(digits .== truth), " of ", length(truth), " scans recognised")
end

option(name, otherwise) = (at = findfirst(==("--" * name), ARGS); at === nothing ? otherwise : ARGS[at+1])
if get(ARGS, 1, "") == "predict"
    predict_scans(option("model", "lenet.flx"))
elseif get(ARGS, 1, "train") == "train"
    train(mkpath(option("out", mktempdir())), parse(Int, option("epochs", "10")), parse(Int, option("seed", "1")))
else
    println("julia quickstart.jl train [--epochs N] [--seed N] [--out FOLDER] | predict --model FILE")
    exit(2)
end

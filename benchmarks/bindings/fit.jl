# SPDX-License-Identifier: Apache-2.0
# fit.jl SAMPLES EPOCHS: as fit.py, by fit().
using Flexor
told(what) = (println(what, " ", time()); flush(stdout))
function run(samples, epochs)
    Base.exit_on_sigint(false)
    images, labels = Flexor.digits()
    lenet = Chain(Conv2D(20, 5), BatchNorm(), relu, MaxPool2D(; pool_size = 2), Conv2D(50, 5), BatchNorm(), relu, MaxPool2D(; pool_size = 2), flatten, Dense(500, relu), Dropout(0.5), Dense(10))
    x, y = images[1:samples, :, :, :], labels[1:samples]
    told("begin")
    try
        fit(state -> told("epoch"), Classifier(lenet), x, y; epochs = epochs, batchsize = 64, optimizer = Adam(0.001), seed = 1)
    catch e
        e isa InterruptException || rethrow()
        told("stopped")
        predict(Flexor.last_fit(), x[1:2, :, :, :])
        told("usable")
    end
end
run(parse(Int, ARGS[1]), parse(Int, ARGS[2]))

# SPDX-License-Identifier: Apache-2.0
"""
Flexor: deep learning on the engine that all languages of Flexor share.

Arrays are `NDArray`s, models are plain values (`Chain`, `Dense` ...), parameters are explicit, `!` means in place, axes and classes count from 1, observations come first.
`Flexor.nd` has a function for every operator of the library.
"""
module Flexor

# Compiled soon rather than well: the time is spent in the library.
if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
end

import LinearAlgebra, Libdl, Random, Serialization, Statistics
using Statistics: mean

"The C ABI, a function each; made from the header."
module Glue
import Libdl
if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
end
include("../generated/glue.jl")
end
using .Glue: Handle, free!

include("errors.jl")
include("ndarray.jl")
include("calls.jl")
include("indexing.jl")
include("elementwise.jl")
include("broadcast.jl")
include("reductions.jl")
include("autograd.jl")
include("settings.jl")
include("layers.jl")
include("own.jl")
include("tracing.jl")
include("fused.jl")
include("tasks.jl")
include("data.jl")
include("history.jl")
include("json.jl")
include("model.jl")
include("mxnet.jl")
include("sources.jl")
include("store.jl")
include("fit.jl")
include("library.jl")
include("../generated/operators.jl")
include("../generated/settings.jl")

export NDArray, free!, device, to_device, nd, gradient, withgradient, pause, mean
export FlexorError, GenericError, InvalidArgumentError, DTypeError, ShapeError, OutOfRangeError, UnknownNameError, HandleError, UnsupportedError, MemoryLimitError, FileError, FormatError,
       DeviceError, NetworkError, HostError, StateError, InternalError, RolledBackError
export Layer, Param, Operator, Chain, Conv, MaxPool, MeanPool, flatten, relu, sigmoid, softmax, setup, summarize, draw, hybridize
export Momentum, update!, batches, splitobs, fit, predict, predict_proba, evaluate, accuracy, stop!, Classifier, Regressor, plot
export Store, shard, init!, pull!, pushpull!, optimizer!, barrier, checkpoint!, recover!, finish

function __init__()
    Glue._exception[] = make_error
    beside = joinpath(dirname(@__DIR__), "lib", Glue.libflexor)
    Glue.load_library(get(ENV, "LIBFLEXOR", isfile(beside) ? beside : Glue.libflexor))
    started[] && foreach(empty!, (prepared, plain_calls, scalar_calls, fused, layer_handles, known_shapes, named_nodes, loss_handles))  # those of the process that made a system image
    started[] = true
end
const started = Ref(false)
include("precompile.jl")
end

# SPDX-License-Identifier: Apache-2.0
# Gradients of functions of arrays.

# The arrays in a value, in order, and the value again with others in their places.
leaves(x::NDArray) = NDArray[x]
leaves(x::Union{Tuple,NamedTuple}) = reduce(vcat, map(leaves, Tuple(x)); init = NDArray[])
leaves(x) = NDArray[]
rebuild(::NDArray, found) = popfirst!(found)
rebuild(x::Tuple, found) = map(v -> rebuild(v, found), x)
rebuild(x::NamedTuple{K}, found) where {K} = NamedTuple{K}(Tuple(rebuild(v, found) for v in values(x)))
rebuild(x, found) = nothing

# What an outer gradient has computed is followed as it is.
attach(a::NDArray) = Glue.flx_autograd_recorded(a.handle) == 0 && Glue.flx_autograd_grad(a.handle) === nothing && Glue.flx_autograd_attach(a.handle, "write", nothing)
"""
    withgradient(f, args...) -> value, gradients

Runs `f(args...)`, which gives one number as an array, and goes backward: `gradients` is for each argument what it is itself (array, tuple, named tuple), with a gradient in the place
of each array; a single argument's gradient comes without a tuple around it. Layers behave as in training. Gradients of gradients: one call within the function of another.

    loss, grads = withgradient(ps) do p
        mean(softmax_cross_entropy(model(x, p), y))
    end
"""
function withgradient(f, args...)
    arrays = leaves(args)
    isempty(arrays) && throw(InvalidArgumentError("[gradient] an array, or a tuple or named tuple of arrays, was expected, given $(map(typeof, args))"))
    foreach(attach, arrays)
    value = with_mode(() -> f(args...), Glue.FLX_RECORD | Glue.FLX_TRAIN)
    value isa NDArray || throw(InvalidArgumentError("[gradient] the function must give an array that is computed from its arguments, it gave $(typeof(value))"))
    length(value) == 1 || throw(ShapeError("[gradient] the function must give one number, as mean(...) does; it gave an array of $(size(value))"))
    task = Glue.flx_autograd_start((value,), (), arrays, Glue.FLX_TRAIN | (recording() ? Glue.FLX_CREATE_GRAPH | Glue.FLX_RETAIN : Int32(0)))
    run_task(task)
    found = Any[wrap(h) for h in Glue.flx_task_arrays(task)]
    grads = rebuild(args, found)
    return value, length(args) == 1 ? grads[1] : grads
end
"""
    gradient(f, args...)

The gradients that `withgradient` gives."""
gradient(f, args...) = withgradient(f, args...)[2]
"""
    pause(f)

Runs `f()` without recording: what it computes is constant for a gradient."""
pause(f) = with_mode(f, mode() & ~Glue.FLX_RECORD)

# SPDX-License-Identifier: Apache-2.0
# Dots on arrays: each function of an expression is an operator of the library.

struct ArrayStyle <: Base.Broadcast.BroadcastStyle end
const Expression = Base.Broadcast.Broadcasted{ArrayStyle}
Base.Broadcast.BroadcastStyle(::Type{<:NDArray}) = ArrayStyle()
Base.Broadcast.BroadcastStyle(s::ArrayStyle, ::Base.Broadcast.BroadcastStyle) = s
Base.Broadcast.instantiate(e::Expression) = e
Base.Broadcast.materialize(e::Expression) = evaluate(e)
Base.copy(e::Expression) = evaluate(e)
Base.Broadcast.materialize!(target::NDArray, e::Base.Broadcast.Broadcasted) = assign_all!(target, evaluate(e))
Base.Broadcast.materialize!(target::NDArray, x) = assign_all!(target, evaluate(x))
Base.Broadcast.materialize!(target::Array, e::Expression) = copyto!(target, evaluate(e))

evaluate(x::Union{NDArray,Number,Type,Function,Val}) = x
evaluate(x::Ref) = x[]
evaluate(x::AbstractArray) = NDArray(x)
evaluate(x::Tuple) = NDArray(collect(x))
evaluate(e::Base.Broadcast.Broadcasted) = apply(e.f, map(evaluate, e.args)...)
evaluate(x) = x

assign_all!(target::NDArray, x::Number) = fill!(target, x)
function assign_all!(target::NDArray{T,N}, x::NDArray) where {T,N}
    x === target && return target
    n = ndims(x)
    n <= N || throw(ShapeError("[.=] $(size(x)) does not fit an array of $(size(target))"))
    source = lift(x, N)
    size(source) == size(target) || (source = call_one("broadcast_to", (source,), (shape = size(target),)))
    return write_to!(target, source)
end

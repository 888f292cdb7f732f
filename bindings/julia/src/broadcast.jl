# SPDX-License-Identifier: Apache-2.0
# Dots on arrays: each function of an expression is an operator of the library. Expressions on large arrays run as one graph (fused.jl).

struct ArrayStyle <: Base.Broadcast.BroadcastStyle end
const Expression = Base.Broadcast.Broadcasted{ArrayStyle}
Base.Broadcast.BroadcastStyle(::Type{<:NDArray}) = ArrayStyle()
Base.Broadcast.BroadcastStyle(s::ArrayStyle, ::Base.Broadcast.BroadcastStyle) = s
Base.Broadcast.instantiate(e::Expression) = e
Base.Broadcast.materialize(e::Expression) = compute(e)
Base.copy(e::Expression) = compute(e)
function Base.Broadcast.materialize!(target::NDArray, e::Base.Broadcast.Broadcasted)
    x = compute(e)
    assign_all!(target, x)
    made_by(e, x) && free!(x)
    return target
end
Base.Broadcast.materialize!(target::NDArray, x) = assign_all!(target, evaluate(x))
Base.Broadcast.materialize!(target::Array, e::Expression) = copyto!(target, compute(e))
# Whether `x` is an array that the expression made, and none of those that it was given: identity.(a) is a itself.
made_by(e::Base.Broadcast.Broadcasted, x::NDArray) = !given_to(e.args, x)
made_by(e, x) = false
given_to(args::Tuple, x) = any(a -> given_to(a, x), args)
given_to(e::Base.Broadcast.Broadcasted, x) = given_to(e.args, x)
given_to(a::NDArray, x) = a.handle === x.handle
given_to(a::Ref, x) = isassigned(a) && given_to(a[], x)
given_to(a, x) = false

evaluate(x::Union{NDArray,Number,Type,Function,Val}) = x
evaluate(x::Ref) = x[]
evaluate(x::AbstractArray) = NDArray(x)
evaluate(x::Tuple) = NDArray(collect(x))
# Julia's arrays in an expression go where the library's are.
evaluate(e::Base.Broadcast.Broadcasted) = known_leaf(e) ? evaluated(e, map(evaluate, e.args)) : evaluate(e, place_of(arrays_of(e)))
evaluate(e::Base.Broadcast.Broadcasted, near) = evaluated(e, map(a -> evaluate(a, near), e.args))
evaluate(x::Union{AbstractArray,Tuple}, near) = x isa NDArray ? x : NDArray(x isa Tuple ? collect(x) : x; device = near)
evaluate(x, near) = evaluate(x)
function evaluated(e::Base.Broadcast.Broadcasted, args)
    out = keep_each(apply(e.f, args...), args)
    for k in 1:length(args)  # what only this expression knew is not needed any more
        made_by(e.args[k], args[k]) && !given_to(args[k], out) && free!(args[k])
    end
    return out
end
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

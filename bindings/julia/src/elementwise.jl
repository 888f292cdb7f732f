# SPDX-License-Identifier: Apache-2.0
# Which operator a Julia function is, element by element: what broadcasting runs. Numbers go in as numbers.

# Julia's function -> (operator on two arrays, on array and number, on number and array)
const binary = IdDict{Any,NTuple{3,String}}(
    (+) => ("broadcast_add", "_plus_scalar", "_plus_scalar"), (-) => ("broadcast_sub", "_minus_scalar", "_rminus_scalar"),
    (*) => ("broadcast_mul", "_mul_scalar", "_mul_scalar"), (/) => ("broadcast_div", "_div_scalar", "_rdiv_scalar"),
    (^) => ("broadcast_power", "_power_scalar", "_rpower_scalar"), mod => ("broadcast_mod", "_mod_scalar", "_rmod_scalar"),
    max => ("broadcast_maximum", "_maximum_scalar", "_maximum_scalar"), min => ("broadcast_minimum", "_minimum_scalar", "_minimum_scalar"),
    hypot => ("broadcast_hypot", "_hypot_scalar", "_hypot_scalar"))
const comparing = IdDict{Any,NTuple{3,String}}(
    (==) => ("broadcast_equal", "_equal_scalar", "_equal_scalar"), (!=) => ("broadcast_not_equal", "_not_equal_scalar", "_not_equal_scalar"),
    (<) => ("broadcast_lesser", "_lesser_scalar", "_greater_scalar"), (<=) => ("broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar"),
    (>) => ("broadcast_greater", "_greater_scalar", "_lesser_scalar"), (>=) => ("broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar"),
    (&) => ("broadcast_logical_and", "_logical_and_scalar", "_logical_and_scalar"), (|) => ("broadcast_logical_or", "_logical_or_scalar", "_logical_or_scalar"),
    xor => ("broadcast_logical_xor", "_logical_xor_scalar", "_logical_xor_scalar"))
"The rectifier: `relu.(x)`, or as an activation."
relu(x::Real) = max(x, zero(x))
"The logistic function: `sigmoid.(x)`, or as an activation."
sigmoid(x::Real) = 1 / (1 + exp(-x))
const unary = IdDict{Any,String}((-) => "negative", abs => "abs", sqrt => "sqrt", exp => "exp", log => "log", log2 => "log2", log10 => "log10", log1p => "log1p", expm1 => "expm1",
    sin => "sin", cos => "cos", tan => "tan", asin => "arcsin", acos => "arccos", atan => "arctan", sinh => "sinh", cosh => "cosh", tanh => "tanh", asinh => "arcsinh",
    acosh => "arccosh", atanh => "arctanh", cbrt => "cbrt", abs2 => "square", inv => "reciprocal", sign => "sign", floor => "floor", ceil => "ceil", trunc => "trunc",
    relu => "relu", sigmoid => "sigmoid")
const floating = Set{Any}([sqrt, exp, log, log2, log10, log1p, expm1, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, cbrt, inv, sigmoid])

relu(a::NDArray) = apply(relu, a)
sigmoid(a::NDArray) = apply(sigmoid, a)

cast(::Type{T}, a::NDArray{T}) where {T} = a
cast(::Type{T}, a::NDArray) where {T} = NDArray{T}(a)
# Sizes of fewer axes are those of the first axes, as everywhere in Julia; the library aligns the last.
function lift(a::NDArray, n)
    ndims(a) == n && return a
    traced(a) && return lift_traced(a, n)
    ones = ntuple(_ -> 1, n - ndims(a))
    return reshape_rows(a, per_observation(a) ? (ones..., size(a)...) : (size(a)..., ones...))
end

# Without a size of the array's, so that the graph is right for all sizes.
function lift_traced(a, n)
    more = n - ndims(a)
    per_observation(a) && return foldl((x, _) -> call_one("expand_dims", (x,), (axis = 0,)), 1:more; init = a)
    return call_one("Reshape", (a,), (shape = (ntuple(_ -> 0, ndims(a))..., ntuple(_ -> 1, more)...),))
end

result_type(f, ::Type{T}) where {T} = f === (/) && T <: Integer ? Float32 : T
# A number does not make an array wider: Float32 stays Float32; a fraction makes integers Float32.
with_number(::Type{T}, x) where {T} = T === Bool && x isa Bool ? Bool : T === Bool ? (x isa Integer ? Int64 : Float32) : T <: Integer && x isa AbstractFloat ? Float32 : T

apply(f, a::NDArray, b::NDArray) = apply_any(f, a, b)
function apply_any(f, a::NDArray{S,M}, b::NDArray{T,N}) where {S,M,T,N}
    ops = get(binary, f, nothing)
    compares = ops === nothing ? get(comparing, f, nothing) : nothing
    ops === nothing && compares === nothing && return on_host(f, a, b)
    P = result_type(f, promote_type(S, T))
    P === Bool && ops !== nothing && (P = Int64)
    n = max(M, N)
    x, y = lift(cast(P, a), n), lift(cast(P, b), n)
    compares === nothing || return cast(Bool, call_one(compares[1], (x, y)))
    return x.dims == y.dims ? same_shape(ops[1], x, y) : call_one(ops[1], (x, y))
end
# The short way of the most frequent call: the result's type and sizes are known.
function same_shape(op, x::NDArray{T,N}, y::NDArray{T,N}) where {T,N}
    (x.flags | y.flags) & TRACED == 0 || return call_one(op, (x, y))
    h = Glue.flx_call_binary(plain_call(plain_calls, op, NONE), mode(), x.handle, y.handle)::Handle
    collect_if_needed()
    return adopt(h, T, x.dims)
end
# Prepared once for each process: what arrays of one type and size are added by costs little more than the call itself.
const quick_calls = Vector{Handle}(undef, 4)
for (k, f) in enumerate((+, -, *, /))
    @eval function apply(::typeof($f), a::NDArray{T,N}, b::NDArray{T,N}) where {T<:AbstractFloat,N}
        a.dims === b.dims && (a.flags | b.flags) & TRACED == 0 || return seldom(apply_any, $f, a, b)
        isassigned(quick_calls, $k) || (quick_calls[$k] = Glue.flx_call_create($(binary[f][1]), ()))
        h = Glue.flx_call_binary(quick_calls[$k], mode(), a.handle, b.handle)::Handle
        collect_if_needed()
        return adopt(h, T, a.dims)
    end
end
apply(f, a::NDArray{T}, x::Number) where {T} = f === (^) && x isa Integer && T <: AbstractFloat && x == 2 ? unary_op("square", a) : with_scalar(f, 2, a, x)
apply(f, x::Number, a::NDArray) = with_scalar(f, 3, a, x)
function with_scalar(f, side, a::NDArray{T}, x) where {T}
    ops = get(binary, f, nothing)
    return ops !== nothing && T <: AbstractFloat ? scalar_op(ops[side], a, x) : seldom(with_scalar_cast, f, side, a, x)
end
function with_scalar_cast(f, side, a::NDArray{T}, x) where {T}
    ops = get(binary, f, nothing)
    compares = ops === nothing ? get(comparing, f, nothing) : nothing
    ops === nothing && compares === nothing && return side == 2 ? on_host(f, a, x) : on_host(f, x, a)
    source = cast(result_type(f, with_number(T, x)), a)
    S = eltype(source)
    S === Bool && ops !== nothing && (source = cast(Int64, source))
    out = scalar_op(something(ops, compares)[side], source, x)
    return compares === nothing ? out : cast(Bool, out)
end
function apply(f, a::NDArray{T}) where {T}
    f === identity && return a
    f === (+) && return a
    op = get(unary, f, nothing)
    return op !== nothing && T <: AbstractFloat ? unary_op(op, a) : seldom(apply_cast, f, a, op)
end
function apply_cast(f, a::NDArray{T}, op) where {T}
    f === (!) && return cast(Bool, call_one("logical_not", (cast(Float32, a),)))
    op === nothing && return on_host(f, a)
    return unary_op(op, f in floating && T <: Integer ? cast(Float32, a) : a)
end
apply(::Type{T}, a::NDArray) where {T<:ElementType} = cast(T, a)
apply(::typeof(clamp), a::NDArray, low::Number, high::Number) = call_one("clip", (a,), (a_min = low, a_max = high))
apply(::typeof(ifelse), c::NDArray, a::NDArray, b::NDArray) = call_one("where", (cast(eltype(a), c), a, b))
apply(::typeof(muladd), a, b, c) = apply(+, apply(*, a, b), c)
apply(::typeof(Base.literal_pow), ::typeof(^), a::NDArray, ::Val{P}) where {P} = P == 1 ? a : apply(^, a, P)
apply(f, x::Number...) = f(x...)
# Several terms, as a .+ b .+ c is parsed, are taken from the left.
apply(f, a, b, c, rest...) = f === (+) || f === (*) ? apply(f, apply(f, a, b), c, rest...) : on_host(f, a, b, c, rest...)
# A function that no operator is runs in Julia on plain values; there is no gradient through it.
function on_host(f, args...)
    any(traced, args) && throw(UnsupportedError("[broadcast] `$f` is no operator of the library, so this layer cannot be traced. Operator(...) makes one of plain Julia."))
    recording() && any(a -> a isa NDArray && Glue.flx_autograd_recorded(a.handle) != 0, args) &&
        throw(UnsupportedError("[broadcast] `$f` is no operator of the library, so it has no gradient. Write it with operators, or outside of what is recorded."))
    return NDArray(broadcast(f, map(a -> a isa NDArray ? Array(a) : a, args)...); device = place_of(args))
end

Base.:+(a::NDArray, b::NDArray) = same_sizes(+, a, b)
Base.:-(a::NDArray, b::NDArray) = same_sizes(-, a, b)
same_sizes(f, a, b) = size(a) == size(b) ? apply(f, a, b) : throw(ShapeError("[$f] the sizes must agree: $(size(a)) and $(size(b)). With a dot (.$f) sizes of 1 are repeated."))
Base.:-(a::NDArray) = keep_each(apply(-, a), (a,))
Base.:*(a::NDArray, x::Number) = keep_each(apply(*, a, x), (a,))
Base.:*(x::Number, a::NDArray) = keep_each(apply(*, x, a), (a,))
Base.:/(a::NDArray, x::Number) = keep_each(apply(/, a, x), (a,))
# One number as an array: what sums give while recording. With a plain number it is read, unless it is recorded itself.
stays_array(a) = recording() || traced(a)
Base.:+(x::Number, a::NDArray{<:Any,0}) = stays_array(a) ? apply(+, x, a) : x + item(a)
Base.:+(a::NDArray{<:Any,0}, x::Number) = stays_array(a) ? apply(+, a, x) : item(a) + x
Base.:-(a::NDArray{<:Any,0}, x::Number) = stays_array(a) ? apply(-, a, x) : item(a) - x
Base.:-(x::Number, a::NDArray{<:Any,0}) = stays_array(a) ? apply(-, x, a) : x - item(a)
Base.Float64(a::NDArray{<:Any,0}) = Float64(item(a))
Base.Float32(a::NDArray{<:Any,0}) = Float32(item(a))
Base.isless(a::NDArray{<:Any,0}, x::Real) = item(a) < x
Base.isless(x::Real, a::NDArray{<:Any,0}) = x < item(a)

# ---- matrices
function product(a::NDArray{S}, b::NDArray{T}) where {S,T}
    P = promote_type(S, T)
    return call_one("dot", (cast(P, a), cast(P, b)))
end
Base.:*(a::NDArray{<:Any,2}, b::NDArray{<:Any,2}) = product(a, b)
Base.:*(a::NDArray{<:Any,2}, b::NDArray{<:Any,1}) = product(a, b)
Base.:*(a::NDArray{<:Any,2}, b::Union{Matrix,Vector}) = product(a, NDArray(b; device = place(a)))
Base.:*(a::Matrix, b::Union{NDArray{<:Any,2},NDArray{<:Any,1}}) = product(NDArray(a; device = place(b)), b)
for Turned in (LinearAlgebra.Adjoint{<:Any,<:AbstractMatrix}, LinearAlgebra.Transpose{<:Any,<:AbstractMatrix})
    @eval Base.:*(a::NDArray{<:Any,2}, b::$Turned) = product(a, NDArray(b; device = place(a)))
    @eval Base.:*(a::$Turned, b::NDArray{<:Any,2}) = product(NDArray(a; device = place(b)), b)
end
LinearAlgebra.dot(a::NDArray{<:Any,1}, b::NDArray{<:Any,1}) = number_or_array(product(a, b))
LinearAlgebra.norm(a::NDArray) = number_or_array(call_one("norm", (a,)))

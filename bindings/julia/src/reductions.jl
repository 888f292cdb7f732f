# SPDX-License-Identifier: Apache-2.0
# Sums and the like. Without `dims` the result is a number; while recording it is an array of one number, which has a gradient.

number_or_array(a::NDArray) = stays_array(a) ? (ndims(a) == 0 ? a : reshape_rows(a, ())) : item(a)
reduced(op, a::NDArray, ::Colon) = number_or_array(call_one(op, (a,)))
reduced(op, a::NDArray, dims) = call_one(op, (a,), (axis = map(k -> k - 1, Tuple(dims)), keepdims = true))
wide(a::NDArray{T}) where {T} = T === Bool ? cast(Int64, a) : a
Base.sum(a::NDArray; dims = :) = reduced("sum", wide(a), dims)
Base.prod(a::NDArray; dims = :) = reduced("prod", wide(a), dims)
Base.maximum(a::NDArray; dims = :) = reduced("max", a, dims)
Base.minimum(a::NDArray; dims = :) = reduced("min", a, dims)
Base.sum(f, a::NDArray; dims = :) = sum(apply(f, a); dims = dims)
Statistics.mean(a::NDArray{T}; dims = :) where {T} = reduced("mean", T <: Integer ? cast(Float32, a) : a, dims)
Statistics.mean(f, a::NDArray; dims = :) = mean(apply(f, a); dims = dims)
for name in (:argmax, :argmin, :findmax, :findmin, :sort, :sortperm, :any, :all, :extrema)
    @eval Base.$name(a::NDArray; options...) = $name(Array(a); options...)
end
"""
    softmax(x; dims = ndims(x))

exp of `x`, divided by its sum along axis `dims`."""
softmax(x::NDArray; dims::Integer = ndims(x)) = call_one("softmax", (x,), (axis = dims - 1,))

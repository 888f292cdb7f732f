# SPDX-License-Identifier: Apache-2.0
# a[i, j], a[2:3, :], a[i, j] = x, reshape, permutedims, cat. Parts are operators of the library, and so have gradients.

function Base.getindex(a::NDArray{T,N}, I::Vararg{Int,N}) where {T,N}
    checkbounds(a, I...)
    h = present(a, "getindex")
    for i in I
        h = Glue.flx_ndarray_at(h, i - 1, 0)
    end
    return item(adopt(h, T, ()))
end
const Part = Union{Int,Colon,AbstractVector{<:Integer}}
function Base.getindex(a::NDArray{T,N}, I::Vararg{Part,N}) where {T,N}
    parts = map(i -> i isa NDArray ? Array(i) : i, I)
    checkbounds(a, parts...)
    out = a
    for (axis, i) in enumerate(parts)
        i isa Colon && continue
        i isa AbstractVector{Bool} && (i = findall(collect(i)))
        if i isa Int
            out = part(out, axis, i, i)
        elseif i isa AbstractUnitRange && !isempty(i)
            out = first(i) == 1 && last(i) == size(a, axis) ? out : part(out, axis, first(i), last(i))
        elseif isempty(i)
            return NDArray{T}(undef, Tuple(length(j) for (k, j) in zip(parts, axes(a, parts)) if !(k isa Int)); device = place(a))
        elseif traced(out)
            out = cat(map(j -> part(out, axis, j, j), i)...; dims = axis)
        else
            out = call_one("take", (out, NDArray(Int32[j - 1 for j in i]; device = place(out))), (axis = axis - 1,))
        end
    end
    kept = Tuple(size(out, k) for k in 1:N if !(parts[k] isa Int))
    return length(kept) == N ? (out === a ? call_one("_copy", (a,)) : out) : reshape_rows(out, kept)
end
Base.axes(a::NDArray, parts::Tuple{Vararg{Part}}) = Tuple(i isa Colon ? axes(a, k) : i isa AbstractVector{Bool} ? findall(i) : i for (k, i) in enumerate(parts))
part(a, axis, from, to) = call_one("slice_axis", (a,), (axis = axis - 1, var"begin" = from - 1, var"end" = to))
# In the library's order, where the last axis runs first: takes out or puts in axes of size 1.
function reshape_rows(a::NDArray{T}, dims::Tuple) where {T}
    traced(a) && return call_one("Reshape", (a,), (shape = reshape_code(a.dims, dims),))
    return adopt(Glue.flx_ndarray_reshape(a.handle, dims, mode()), T, map(Int, dims))
end
# The sizes of a traced reshape: a first or last axis that stays, which may be the batch, is not written as a number.
function reshape_code(from, to)
    isempty(to) && return to
    first(from) == first(to) && return (0, Base.tail(to)...)
    return last(from) == last(to) ? (Base.front(to)..., -1) : to
end

Base.setindex!(a::NDArray{T,N}, x, I::Vararg{Int,N}) where {T,N} = assign!(a, x, I)
Base.setindex!(a::NDArray{T,N}, x, I::Vararg{Part,N}) where {T,N} = assign!(a, x, I)
function assign!(a::NDArray{T,N}, x, parts) where {T,N}
    present(a, "setindex!")
    parts = map(i -> i isa NDArray ? Array(i) : i, parts)
    checkbounds(a, parts...)
    if all(i -> i isa Union{Int,Colon,AbstractUnitRange}, parts) && (x isa Number || x isa AbstractArray)
        ranges = map((i, n) -> i isa Colon ? (1:n) : i isa Int ? (i:i) : i, parts, size(a))
        any(isempty, ranges) && return a
        edges = [:begin => text(map(r -> first(r) - 1, ranges)), :end => text(map(last, ranges))]
        if x isa Number
            Glue.flx_invoke_into("_slice_assign_scalar", mode(), (a,), [edges; :scalar => text(x)], (a,))
        else
            length(x) == prod(map(length, ranges)) || throw(ShapeError("[setindex!] $(size(x)) does not fill a part of $(map(length, ranges))"))
            source = x isa NDArray ? x : NDArray{T}(x; device = place(a))
            source = eltype(source) === T ? source : NDArray{T}(source)
            Glue.flx_invoke_into("_slice_assign", mode(), (a, reshape_rows(source, map(length, ranges))), edges, (a,))
        end
        return a
    end
    host = Array(a)
    x isa Number ? (host[parts...] .= x) : (host[parts...] = x isa NDArray ? Array(x) : x)
    copyto!(a, host)
end

# a[parts...] .= x
struct Place{A<:NDArray,P}
    array::A
    parts::P
end
Base.Broadcast.dotview(a::NDArray{T,N}, parts::Vararg{Part,N}) where {T,N} = Place(a, parts)
Base.Broadcast.materialize!(to::Place, e::Base.Broadcast.Broadcasted) = fill_place!(to, compute(e))
Base.Broadcast.materialize!(to::Place, x) = fill_place!(to, evaluate(x, place(to.array)))
function fill_place!(to, x)
    x isa Number && return assign!(to.array, x, to.parts)
    target, near = to.array[to.parts...], place(to.array)
    assign!(to.array, assign_all!(target isa NDArray ? target : NDArray(target; device = near), as_array(x, near)), to.parts)
end

# Julia's order: the first axis runs first.
function Base.reshape(a::NDArray, dims::Tuple{Vararg{Union{Int,Colon}}})
    sizes = any(d -> d isa Colon, dims) ? Base._reshape_uncolon(a, dims) : dims
    prod(sizes) == length(a) || throw(ShapeError("[reshape] $(length(a)) elements do not fill an array of $sizes"))
    sizes == size(a) && return a
    filter(!=(1), collect(sizes)) == filter(!=(1), collect(size(a))) && return reshape_rows(a, sizes)
    return flip(reshape_rows(flip(a), reverse(sizes)))
end
Base.reshape(a::NDArray, dims::Dims) = invoke(reshape, Tuple{NDArray,Tuple{Vararg{Union{Int,Colon}}}}, a, dims)
Base.reshape(a::NDArray, dims::Union{Int,Colon}...) = reshape(a, dims)
flip(a::NDArray) = ndims(a) > 1 ? call_one("transpose", (a,)) : a
Base.reshape(a::NDArray{T,1}, ::Colon) where {T} = a
Base.vec(a::NDArray) = reshape(a, (length(a),))
Base.permutedims(a::NDArray, order) = call_one("transpose", (a,), (axes = map(k -> k - 1, Tuple(order)),))
Base.permutedims(a::NDArray{T,2}) where {T} = call_one("transpose", (a,))
Base.permutedims(a::NDArray{T,1}) where {T} = reshape_rows(a, (1, length(a)))
Base.transpose(a::NDArray{T,2}) where {T} = permutedims(a)
Base.adjoint(a::NDArray{T,2}) where {T} = permutedims(a)
Base.transpose(a::NDArray{T,1}) where {T} = permutedims(a)
Base.adjoint(a::NDArray{T,1}) where {T} = permutedims(a)
function Base.dropdims(a::NDArray; dims)
    gone = dims isa Integer ? (dims,) : Tuple(dims)
    all(k -> size(a, k) == 1, gone) || throw(ShapeError("[dropdims] the axes $gone must have size 1; the array is $(size(a))"))
    return reshape_rows(a, Tuple(size(a, k) for k in 1:ndims(a) if !(k in gone)))
end
function Base.cat(a::NDArray, rest::NDArray...; dims::Integer)
    n = max(dims, maximum(map(ndims, (a, rest...))))
    parts = map(x -> ndims(x) == n ? x : reshape_rows(x, (size(x)..., ntuple(_ -> 1, n - ndims(x))...)), (a, rest...))
    return call_one("Concat", parts, (dim = dims - 1, num_args = length(parts)))
end
Base.vcat(a::NDArray, rest::NDArray...) = cat(a, rest...; dims = 1)
Base.hcat(a::NDArray, rest::NDArray...) = cat(a, rest...; dims = 2)

# SPDX-License-Identifier: Apache-2.0
# Arrays: made from Julia's, read back as Julia's, shown.

"A 16-bit float with float32's range, as the library's bfloat16 arrays hold."
primitive type BFloat16 <: AbstractFloat 16 end
Base.Float32(x::BFloat16) = reinterpret(Float32, UInt32(reinterpret(UInt16, x)) << 16)
Base.Float64(x::BFloat16) = Float64(Float32(x))
function BFloat16(x::Real)
    bits = reinterpret(UInt32, Float32(x))
    isnan(x) && return reinterpret(BFloat16, UInt16(0x7fc0))
    return reinterpret(BFloat16, UInt16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16))  # to nearest, ties to even
end
Base.promote_rule(::Type{BFloat16}, ::Type{T}) where {T<:Union{Float32,Float64}} = T
Base.promote_rule(::Type{BFloat16}, ::Type{<:Integer}) = BFloat16
Base.show(io::IO, x::BFloat16) = print(io, "BFloat16(", Float32(x), ")")
Base.:(==)(a::BFloat16, b::BFloat16) = Float32(a) == Float32(b)
Base.:(<)(a::BFloat16, b::BFloat16) = Float32(a) < Float32(b)
Base.isnan(a::BFloat16) = isnan(Float32(a))

const element_types = Dict{Int32,DataType}(Glue.FLX_FLOAT32 => Float32, Glue.FLX_FLOAT64 => Float64, Glue.FLX_FLOAT16 => Float16, Glue.FLX_UINT8 => UInt8, Glue.FLX_INT32 => Int32,
    Glue.FLX_INT8 => Int8, Glue.FLX_INT64 => Int64, Glue.FLX_BOOL => Bool, Glue.FLX_INT16 => Int16, Glue.FLX_UINT16 => UInt16, Glue.FLX_UINT32 => UInt32, Glue.FLX_UINT64 => UInt64,
    Glue.FLX_BFLOAT16 => BFloat16)
for (code, T) in element_types
    @eval dtype_code(::Type{$T}) = $code
end
dtype_code(T::Type) = throw(DTypeError("[NDArray] an element type of the library was expected (Float32, Float64, Float16, BFloat16, Bool, Int8 to Int64, UInt8 to UInt64), given $T"))
const ElementType = Union{values(element_types)...}
# What plain values become: typed ones keep their type, others are float32.
element_type(::Type{T}) where {T<:ElementType} = T
element_type(::Type{<:Real}) = Float32
element_type(T::Type) = throw(DTypeError("[NDArray] numbers were expected, given elements of $T"))

"""
    NDArray(x; reversed = false, device = nothing)
    NDArray{T}(x; device = nothing)

An array of the library with the elements of `x`, which may be any array of numbers or a number. Element `(i, j)` is element `(i, j)`. The element type stays what it is, or
becomes `T`. `device` is where it is made, as "gpu(0)"; else that is the CPU, or where `x` is. With `reversed = true` the axes are taken from last to first, without moving an element: what is width × height × channels × batch becomes batch × channels × height × width.

Work on arrays is queued; reading one waits for it. `free!(a)` gives the memory back at once, which else happens when Julia's collector finds the array unused.
"""
struct NDArray{T,N} <: AbstractArray{T,N}
    handle::Handle  # while a layer is traced, of a symbol
    dims::NTuple{N,Int}
    flags::UInt8
    global adopt(h::Handle, ::Type{T}, dims::NTuple{N,Int}, flags::UInt8 = 0x00) where {T,N} = new{T,N}(h, dims, flags)
end
const TRACED, PER_OBSERVATION = 0x01, 0x02
traced(a::NDArray) = a.flags & TRACED != 0
traced(x) = false
# Parameters: with dots they meet the last axes of an array that has more, as each observation has the same ones.
per_observation(a::NDArray) = a.flags & PER_OBSERVATION != 0
per_observation(x) = false
each(a::NDArray{T}) where {T} = adopt(a.handle, T, a.dims, a.flags | PER_OBSERVATION)
keep_each(out::NDArray, args::Tuple) = !per_observation(out) && all_each(args) == 1 ? each(out) : out
keep_each(out, args) = out
# 1: all arrays are of that kind; 0: there is one that is not; -1: there is none
all_each(::Tuple{}) = -1
all_each(args::Tuple) = args[1] isa NDArray ? (per_observation(args[1]) ? abs(all_each(Base.tail(args))) : 0) : all_each(Base.tail(args))
# The handle of an array that has elements now.
function present(a::NDArray, what)
    traced(a) && no_elements(what)
    return a.handle
end
@noinline no_elements(what) =
    throw(UnsupportedError("[$what] this layer is being traced, to be fitted, saved or hybridized: its arrays have no elements yet. Use operators, or Operator(f) for plain Julia."))
Glue._pointer(a::NDArray) = a.handle.ptr
Glue.free!(a::NDArray) = free!(a.handle)

# The library's handle as an array. The collector sees a few bytes of it, and is told when many have piled up.
function wrap(h::Handle)
    code, dims = Glue.flx_ndarray_describe(h)
    collect_if_needed()
    return adopt(h, element_types[code], Tuple(dims))
end
wrap(::Nothing) = nothing
const hints = Ref(0)
function collect_if_needed()
    ccall((:flx_memory_gc_hint, Glue.libflexor), Int32, ()) == 0 && return nothing
    hints[] += 1
    GC.gc(hints[] % 4 == 0)
    return nothing
end

Base.size(a::NDArray) = a.dims
Base.IndexStyle(::Type{<:NDArray}) = IndexCartesian()
const HostArray{T,N} = Union{Array{T,N}}

function NDArray{T}(x::AbstractArray{S,N}; reversed::Bool = false, device = nothing) where {T,S,N}
    host = x isa Array && S <: ElementType ? x : collect(element_type(S), x)
    host isa Array || (host = Array(host))
    dims = reversed ? reverse(size(x)) : size(x)
    h = Glue.flx_ndarray_create_from(host, dtype_code(eltype(host)), reversed ? Glue.FLX_ROW_MAJOR : Glue.FLX_COLUMN_MAJOR, dims, dtype_code(T), device)
    collect_if_needed()
    return adopt(h, T, Tuple(dims))
end
NDArray(x::AbstractArray{S}; options...) where {S} = NDArray{element_type(S)}(x; options...)
NDArray{T}(x::Real; options...) where {T} = NDArray{T}(fill(T(x)); options...)
NDArray(x::Real; options...) = NDArray{x isa ElementType && !(x isa Union{Int64,Float64}) ? typeof(x) : Float32}(x; options...)
NDArray{T}(a::NDArray{T}; device = nothing) where {T} = device === nothing ? copy(a) : copied(a, device)
NDArray{T}(a::NDArray; device = nothing) where {T} = to_device(call_one("Cast", (a,), (dtype = T,)), device)
NDArray(a::NDArray{T}; device = nothing) where {T} = NDArray{T}(a; device = device)
NDArray{T,N}(x::AbstractArray) where {T,N} = NDArray{T}(x)
"""
    NDArray{T}(undef, sizes...; device = nothing)

A new array; its elements are zeros."""
NDArray{T}(::UndefInitializer, dims::Integer...; options...) where {T} = NDArray{T}(undef, dims; options...)
NDArray{T}(::UndefInitializer, dims::Tuple; device = nothing) where {T} = adopt(Glue.flx_ndarray_create(dims, dtype_code(T), device), T, map(Int, dims))
NDArray{T,N}(::UndefInitializer, dims::Integer...) where {T,N} = NDArray{T}(undef, dims)
NDArray{T,N}(::UndefInitializer, dims::Tuple) where {T,N} = NDArray{T}(undef, dims)
Base.convert(::Type{NDArray}, x::AbstractArray) = x isa NDArray ? x : NDArray(x)
as_array(a::NDArray, near = nothing) = a
as_array(x, near = nothing) = NDArray(x; device = near)

# ---- devices
"""
    device(a)

Where an array is, as "cpu(0)" or "gpu(0)"; of named tuples of arrays and fitted models, where the first of their arrays is."""
device(a::NDArray) = Glue.flx_ndarray_device(present(a, "device"))
device(ps::NamedTuple) = device(first(ps))
"""
    to_device(a, device)

The array on `device`, "cpu" or "gpu(0)": itself if it is there, else a copy, through which no gradient goes. Of a named tuple of arrays, as `setup` gives, each of them. A fitted model
is moved itself.

An operator computes where its arrays are; arrays on different devices are an error, and nothing is copied between devices unasked. Julia's arrays and numbers beside an array go where it is."""
to_device(a::NDArray, device) = device === nothing || at_device(Flexor.device(a), device) ? a : copied(a, device)
to_device(ps::NamedTuple, device) = map(a -> to_device(a, device), ps)
at_device(at, device) = at == device || at == string(device, "(0)") || startswith(at, "cpu") && startswith(device, "cpu")
copied(a::NDArray{T}, device) where {T} = adopt(Glue.flx_ndarray_copy(present(a, "to_device"), device), T, a.dims, a.flags)
# Where Julia's values go that meet these: where the first array is; nothing: on the CPU.
place(a::NDArray) = traced(a) ? nothing : (at = Glue.flx_ndarray_device(a.handle); startswith(at, "cpu") ? nothing : at)
place_of(@nospecialize(values)) = (k = findfirst(v -> v isa NDArray, values); k === nothing ? nothing : place(values[k]))

Base.similar(a::NDArray, ::Type{T}, dims::Dims) where {T} = T <: ElementType ? NDArray{T}(undef, dims; device = place(a)) : Array{T}(undef, dims)
Base.copy(a::NDArray{T,N}) where {T,N} = traced(a) ? call_one("_copy", (a,)) : adopt(Glue.flx_ndarray_copy(a.handle, nothing), T, a.dims)
Base.zero(a::NDArray) = call_one("zeros_like", (a,))
Base.fill!(a::NDArray, x) = (write_to!(a, call_one("_full", (), (shape = size(a), value = x, dtype = eltype(a), ctx = place(a)))); a)
function write_to!(target::NDArray, source::NDArray)
    Glue.flx_ndarray_copy_into(present(source, "copyto!"), present(target, "copyto!"))
    return target
end

# ---- back to Julia
function read_into!(out::Array, a::NDArray)
    isempty(a) || Glue.flx_ndarray_read(present(a, "Array"), out, dtype_code(eltype(out)), Glue.FLX_COLUMN_MAJOR, -1)
    return out
end
Base.Array{S}(a::NDArray{T,N}) where {S<:ElementType,T,N} = read_into!(Array{S,N}(undef, a.dims), a)
Base.Array{S,N}(a::NDArray{T,N}) where {S<:ElementType,T,N} = Array{S}(a)
Base.Array(a::NDArray{T}) where {T} = Array{T}(a)
Base.collect(a::NDArray) = Array(a)
Base.convert(::Type{Array}, a::NDArray) = Array(a)
function Base.copyto!(out::Array{T}, a::NDArray) where {T<:ElementType}
    length(out) == length(a) ? read_into!(out, a) : copyto!(out, Array(a))
    return out
end
function Base.copyto!(a::NDArray, x::AbstractArray)
    size(x) == size(a) || throw(ShapeError("[copyto!] the sizes must agree: $(size(a)) and $(size(x))"))
    x isa NDArray && return write_to!(a, x)
    host = x isa Array && eltype(x) <: ElementType ? x : collect(element_type(eltype(x)), x)
    Glue.flx_ndarray_write(present(a, "copyto!"), host, dtype_code(eltype(host)), Glue.FLX_COLUMN_MAJOR)
    return a
end
item(a::NDArray{T}) where {T} = convert_item(T, Glue.flx_ndarray_item(present(a, "item"), -1)[2], a)
convert_item(::Type{T}, x, a) where {T} = T <: Union{Int64,UInt64} && abs(x) >= 2.0^53 ? only_element(Array(a)) : T(x)
only_element(x) = x[1]
Base.iterate(a::NDArray) = step_on(Array(a), 1)
Base.iterate(a::NDArray, (host, i)) = step_on(host, i)
step_on(host, i) = i > length(host) ? nothing : (host[i], (host, i + 1))
"Waits until all that was asked of `a` is computed."
Base.wait(a::NDArray) = (Glue.flx_ndarray_wait(present(a, "wait"), -1); a)

Base.:(==)(a::NDArray, b::NDArray) = size(a) == size(b) && Array(a) == Array(b)
Base.:(==)(a::NDArray, b::AbstractArray) = size(a) == size(b) && Array(a) == b
Base.:(==)(a::AbstractArray, b::NDArray) = b == a
Base.isapprox(a::NDArray, b::AbstractArray; options...) = isapprox(Array(a), b isa NDArray ? Array(b) : b; options...)
Base.isapprox(a::AbstractArray, b::NDArray; options...) = isapprox(a, Array(b); options...)
Base.isapprox(a::NDArray, b::NDArray; options...) = isapprox(Array(a), Array(b); options...)
Base.hash(a::NDArray, h::UInt) = hash(Array(a), h)

function Base.show(io::IO, mime::MIME"text/plain", a::NDArray)
    summary(io, a)
    place(a) === nothing || print(io, " on ", place(a))
    traced(a) && return print(io, " that is being traced")
    isempty(a) && return nothing
    println(io, ":")
    Base.print_array(IOContext(io, :compact => get(io, :compact, true)), Array(a))
end
Base.show(io::IO, a::NDArray) = traced(a) ? show(io, MIME"text/plain"(), a) : (print(io, "NDArray("); show(io, Array(a)); print(io, ")"))

# Serialization: an array goes as Julia's.
function Serialization.serialize(s::Serialization.AbstractSerializer, a::NDArray)
    Serialization.serialize_type(s, typeof(a))
    Serialization.serialize(s, Array(a))
end
Serialization.deserialize(s::Serialization.AbstractSerializer, ::Type{NDArray{T,N}}) where {T,N} = NDArray{T}(Serialization.deserialize(s))

# SPDX-License-Identifier: Apache-2.0
# The C ABI for Julia: one function each, with the ABI's names. Results are returned, out-arguments are none; a handle is freed when Julia's collector finds it
# unused, or by free!; a failed call throws FlexorError. The library is the one that LIBFLEXOR names, or that the system finds by its SONAME.
const libflexor = "libflexor.so.0"

mutable struct Handle
    ptr::Ptr{Cvoid}
    Handle(p::Ptr{Cvoid}) = finalizer(free!, new(p))
end
# The library forgets the handle; a second free is nothing to it. No lock, no output and no wait, so a finalizer may call it at any time.
free!(h::Handle) = (ccall((:flx_free, libflexor), Cvoid, (Ptr{Cvoid},), h.ptr); nothing)
free!(::Nothing) = nothing
Base.unsafe_convert(::Type{Ptr{Cvoid}}, h::Handle) = h.ptr
_pointer(h::Handle) = h.ptr
_pointer(::Nothing) = C_NULL
Base.cconvert(::Type{Ptr{Cvoid}}, ::Nothing) = C_NULL

struct FlexorError <: Exception
    status::Int
    kind::String
    message::String
end
Base.showerror(io::IO, e::FlexorError) = print(io, "FlexorError (", e.kind, "): ", e.message)
# What makes an exception of a failed call: a package puts its own function here.
const _exception = Ref{Any}(FlexorError)
@noinline function _raise(status::Int32)
    kind = ccall((:flx_last_error_field, libflexor), Ptr{UInt8}, (Cstring,), "kind")
    throw(_exception[](Int(status), unsafe_string(kind), unsafe_string(ccall((:flx_last_error, libflexor), Ptr{UInt8}, ()))))
end
_check(status::Int32) = status == 0 ? nothing : _raise(status)

_text(s::AbstractString) = String(s)
_text(::Nothing) = Cstring(C_NULL)
_borrowed(p) = p == C_NULL ? nothing : unsafe_string(p)
_free_text(p) = ccall((:flx_text_free, libflexor), Cvoid, (Ptr{UInt8},), p)
_owned(p) = p == C_NULL ? nothing : (s = unsafe_string(p); _free_text(p); s)
_bytes(p, n) = p == C_NULL ? nothing : (b = copy(unsafe_wrap(Array, p, n)); _free_text(p); b)
# Lists as the library takes them, of vectors, tuples or what else is given; by fields, since each type of tuple would be compiled for.
_list(::Type{T}, list::Vector{T}) where {T} = list
function _list(::Type{T}, @nospecialize(list))::Vector{T} where {T}
    list isa Tuple || return collect(T, list)
    return T[getfield(list, i) for i in 1:nfields(list)]
end
function _pointers(@nospecialize(list))
    pointers = Ptr{Cvoid}[]
    if list isa Tuple
        for i in 1:nfields(list)
            push!(pointers, _pointer(getfield(list, i))::Ptr{Cvoid})
        end
    else
        for h in list
            push!(pointers, _pointer(h)::Ptr{Cvoid})
        end
    end
    return pointers
end
function _options(@nospecialize(options))
    names, values = String[], String[]
    if options isa Vector{Pair{String,String}}
        for k in 1:length(options)
            push!(names, options[k].first)
            push!(values, options[k].second)
        end
        return names, values
    end
    for p in (options isa Tuple ? Any[getfield(options, i) for i in 1:nfields(options)] : options)
        push!(names, string(first(p))::String)
        push!(values, string(last(p))::String)
    end
    return names, values
end
_own(p::Ptr{Cvoid}) = p == C_NULL ? nothing : Handle(p)

# Room for the results of any call, kept for the next one in this thread. Nothing yields between _room and _own!.
const _rooms = Vector{Union{Nothing,Vector{Ptr{Cvoid}}}}()
function _room()
    id = Threads.threadid()
    room = id <= length(_rooms) ? _rooms[id] : nothing
    room === nothing && return Vector{Ptr{Cvoid}}(undef, FLX_MAX_COUNT)
    _rooms[id] = nothing
    return room
end
function _own!(room, n)
    handles = Union{Handle,Nothing}[_own(room[i]) for i in 1:n]
    Threads.threadid() <= length(_rooms) && (_rooms[Threads.threadid()] = room)
    return handles
end

# A call that may wait does so in slices: other tasks run between them, and Ctrl-C ends it there.
function _wait(timeout_ms, call, pending)
    left = Int64(timeout_ms)
    while true
        slice = left < 0 ? 10 : min(left, 10)
        call(slice)
        pending() || return nothing
        left >= 0 && (left -= slice) == 0 && return nothing
        yield()
    end
end

"""To be called first, by `__init__` of the module that includes this: loads the library and asks for its ABI."""
function load_library(path = get(ENV, "LIBFLEXOR", libflexor))
    Libdl.dlopen(path, Libdl.RTLD_GLOBAL)
    resize!(_rooms, Threads.nthreads())
    fill!(_rooms, nothing)
    flx_abi_require(FLX_ABI_VERSION)
end


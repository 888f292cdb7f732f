# SPDX-License-Identifier: Apache-2.0
# Operators run by name, in the mode that this task has. Prepared calls are kept by name and options.

# ---- mode: a task's own, so that tasks do not record each other's work
const modes_set = Threads.Atomic{Int}(0)
mode() = modes_set[] == 0 ? Int32(0) : get(task_local_storage(), :flexor_mode, Int32(0))::Int32
function with_mode(f, bits)
    own = task_local_storage()
    before = get(own, :flexor_mode, Int32(0))::Int32
    own[:flexor_mode] = Int32(bits)
    Threads.atomic_add!(modes_set, 1)
    try
        return f()
    finally
        own[:flexor_mode] = before
        Threads.atomic_sub!(modes_set, 1)
    end
end
recording() = mode() & Glue.FLX_RECORD != 0

# ---- the text of an option, in MXNet's forms
text(x::AbstractString) = String(x)
text(x::Symbol) = String(x)
text(x::Bool) = x ? "True" : "False"
text(x::Integer) = string(x)
text(x::Float32) = isinf(x) ? text(Float64(x)) : replace(string(x), 'f' => 'e')
text(x::AbstractFloat) = isinf(x) ? (x > 0 ? "inf" : "-inf") : string(x)
text(::Union{Nothing,Missing}) = "None"
text(x::Union{Tuple,AbstractVector}) = isempty(x) ? "()" : length(x) == 1 ? "($(text(first(x))),)" : "($(join(map(text, x), ", ")))"
text(x::AbstractRange) = text(collect(x))
text(::Type{T}) where {T<:ElementType} = lowercase(string(nameof(T)))
text(f::Function) = String(nameof(f))
given(options::AbstractVector{<:Pair}) = Pair{String,String}[String(k) => text(v) for (k, v) in options if v !== nothing]
# Not compiled for each set of names: by fields.
function given(@nospecialize(options))
    set = options isa Base.Iterators.Pairs ? getfield(options, :data) : options
    set isa NamedTuple || return given(Pair[k => v for (k, v) in pairs(set)])
    out, names = Pair{String,String}[], typeof(set).parameters[1]
    for k in 1:nfields(set)
        v = getfield(set, k)
        v === nothing || push!(out, Pair{String,String}(String(names[k]::Symbol), text(v)::String))
    end
    return out
end
list_of(@nospecialize(x))::Vector{Any} = x isa Tuple ? Any[getfield(x, k) for k in 1:nfields(x)] : collect(Any, x)

const prepared = Dict{Any,Handle}()
const prepared_lock = ReentrantLock()
# What is kept for all tasks and threads is looked at and changed by one at a time.
function alone(f)
    lock(prepared_lock)
    try
        return f()
    finally
        unlock(prepared_lock)
    end
end
function call_of(name, options)
    key = isempty(options) ? name : (name, options)
    alone() do
        length(prepared) > 4096 && empty!(prepared)
        get!(() -> Glue.flx_call_create(name, options), prepared, key)
    end
end

# Calls f without compiling it where it is written: for ways that are seldom taken, so that the others are compiled soon.
@noinline seldom(f, args...) = Base.invokelatest(f, args...)

"The results of operator `name` on `arrays` (`nothing` is an optional one that is not given), a vector of arrays."
function call_op(name, @nospecialize(arrays), @nospecialize(options) = ())
    inputs = list_of(arrays)
    any(traced, inputs) && return seldom(compose, name, inputs, options)
    near = all(a -> a isa NDArray || a === nothing, inputs) ? nothing : place_of(inputs)
    inputs = Any[as_array(a, near) for a in inputs if a !== nothing]
    return Any[wrap(h) for h in Glue.flx_call_run(call_of(name, given(options)), mode(), inputs, ())]
end
call_one(name, @nospecialize(arrays), @nospecialize(options) = ()) = call_op(name, arrays, options)[1]
one_or_all(results) = length(results) == 1 ? results[1] : Tuple(results)

# Counting from 1 in Julia, from 0 in the library; negative numbers count from the end in both.
function scalar_op(name, a::NDArray{T,N}, x) where {T,N}
    traced(a) && return seldom(compose, name, (a,), (scalar = x,))[1]::NDArray
    h = Glue.flx_call_scalar(plain_call(scalar_calls, name, ONE), mode(), a.handle, Float64(x))::Handle
    collect_if_needed()
    return adopt(h, T, a.dims)
end
function unary_op(name, a::NDArray{T,N}) where {T,N}
    traced(a) && return seldom(call_one, name, (a,))
    h = Glue.flx_call_unary(plain_call(plain_calls, name, NONE), mode(), a.handle)::Handle
    collect_if_needed()
    return adopt(h, T, a.dims)
end
# Prepared calls by the operator's name alone, which is quicker than by name and options.
const plain_calls, scalar_calls = Dict{String,Any}(), Dict{String,Any}()  # of handles
const NONE, ONE = Pair{String,String}[], ["scalar" => "1"]
function plain_call(calls::Dict{String,Any}, name::String, options::Vector{Pair{String,String}})
    lock(prepared_lock)
    try
        found = get(calls, name, nothing)
        return found === nothing ? (calls[name] = Glue.flx_call_create(name, options))::Handle : found::Handle
    finally
        unlock(prepared_lock)
    end
end
axis_in(x::Integer) = x > 0 ? x - 1 : x < 0 ? x : throw(OutOfRangeError("[axis] axes count from 1, given 0"))
axis_in(x::Union{Tuple,AbstractVector}) = map(axis_in, x)
axis_in(x) = x
from_one(::Nothing) = nothing
from_one(x::Array{<:Union{Signed,Unsigned,AbstractFloat}}) = x .- one(eltype(x))  # it becomes an array where the others are
from_one(x) = (a = as_array(x); a .- one(eltype(a)))
to_one(a) = a .+ one(eltype(a))
# What an operator with `ret_typ` gives: indices among its results count from 1.
function indices_out(results, kind)
    kind = kind === nothing ? "indices" : text(kind)
    return kind == "both" ? (results[1], to_one(results[2])) : kind == "indices" ? to_one(results[1]) : one_or_all(results)
end

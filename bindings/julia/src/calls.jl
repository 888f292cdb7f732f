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
text(x::AbstractFloat) = isinf(x) ? (x > 0 ? "inf" : "-inf") : string(x)
text(::Union{Nothing,Missing}) = "None"
text(x::Union{Tuple,AbstractVector}) = isempty(x) ? "()" : length(x) == 1 ? "($(text(first(x))),)" : "($(join(map(text, x), ", ")))"
text(x::AbstractRange) = text(collect(x))
text(::Type{T}) where {T<:ElementType} = lowercase(string(nameof(T)))
text(f::Function) = String(nameof(f))
given(options::AbstractVector{<:Pair}) = Pair{String,String}[String(k) => text(v) for (k, v) in options if v !== nothing]
given(options) = given(Pair[k => v for (k, v) in pairs(options)])

const prepared = Dict{Any,Handle}()
const prepared_lock = ReentrantLock()
function call_of(name, options)
    key = isempty(options) ? name : (name, options)
    lock(prepared_lock)
    try
        length(prepared) > 4096 && empty!(prepared)
        return get!(() -> Glue.flx_call_create(name, options), prepared, key)
    finally
        unlock(prepared_lock)
    end
end

"The results of operator `name` on `arrays` (`nothing` is an optional one that is not given), a vector of arrays."
function call_op(name, arrays, options = ())
    inputs = Any[as_array(a) for a in arrays if a !== nothing]
    return map(wrap, Glue.flx_call_run(call_of(name, given(options)), mode(), inputs, ()))
end
call_one(name, arrays, options = ()) = call_op(name, arrays, options)[1]
one_or_all(results) = length(results) == 1 ? results[1] : Tuple(results)

# Counting from 1 in Julia, from 0 in the library; negative numbers count from the end in both.
axis_in(x::Integer) = x > 0 ? x - 1 : x < 0 ? x : throw(OutOfRangeError("[axis] axes count from 1, given 0"))
axis_in(x::Union{Tuple,AbstractVector}) = map(axis_in, x)
axis_in(x) = x
from_one(::Nothing) = nothing
from_one(x) = (a = as_array(x); a .- one(eltype(a)))
to_one(a) = a .+ one(eltype(a))
# What an operator with `ret_typ` gives: indices among its results count from 1.
function indices_out(results, kind)
    kind = kind === nothing ? "indices" : text(kind)
    return kind == "both" ? (results[1], to_one(results[2])) : kind == "indices" ? to_one(results[1]) : one_or_all(results)
end

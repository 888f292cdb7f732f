# SPDX-License-Identifier: Apache-2.0
# Optimizers, losses, metrics, schedules, initializers, sources of batches: plain values, and the library's objects made of them when they are wanted.

"Something registered in the library with its settings: a plain value. `K` is its registry, `N` its name."
struct Setting{K,N}
    options::Vector{Pair{String,String}}
end
Setting{K,N}(; options...) where {K,N} = Setting{K,N}(given(options))
Base.:(==)(a::Setting{K,N}, b::Setting{K,N}) where {K,N} = a.options == b.options
Base.hash(s::Setting{K,N}, h::UInt) where {K,N} = hash((K, N, s.options), h)
text(s::Setting{K,N}) where {K,N} = isempty(s.options) ? String(N) : "$N($(join(("$k=$v" for (k, v) in s.options), ", ")))"
Base.show(io::IO, s::Setting) = print(io, text(s))
core(s::Setting{:schedule,N}) where {N} = Glue.flx_schedule_create(String(N), s.options)
core(s::Setting{:initializer,N}) where {N} = Glue.flx_initializer_create(String(N), s.options)
core(s::Setting{:iter,N}) where {N} = Glue.flx_iter_create(String(N), s.options)
core(s::Setting{:metric,N}) where {N} = Glue.flx_metric_create(String(N), s.options)
core(s::Setting{:loss,N}) where {N} = Glue.flx_layer_create(String(N), nothing, s.options)
"The learning rate at a step: `Cosine(...)(100)`."
(s::Setting{:schedule})(step::Integer) = Glue.flx_schedule_value(core(s), step)
"Fills an array as the initializer does for a parameter called `name`."
(s::Setting{:initializer})(a::NDArray; name = "weight", seed = 0) = (Glue.flx_initializer_fill(core(s), name, seed, a.handle); a)

"An update rule with its state. `opt.learning_rate` is the one of now."
mutable struct Optimizer
    kind::String
    options::Vector{Pair{String,String}}
    schedule::Any
    handle::Union{Handle,Nothing}
end
function make_optimizer(kind, options)
    schedule = get(options, :learning_rate, nothing)
    schedule isa Setting || (schedule = nothing)
    plain = [k => v for (k, v) in pairs(options) if !(v isa Setting)]
    made = Optimizer(kind, given(plain), schedule, nothing)
    core(made)  # a wrong setting is an error here
    return made
end
function core(o::Optimizer)
    h = Glue.flx_optimizer_create(o.kind, o.options)
    o.schedule === nothing || Glue.flx_optimizer_schedule(h, core(o.schedule))
    return h
end
live(o::Optimizer) = o.handle === nothing ? (o.handle = core(o)) : o.handle
Base.getproperty(o::Optimizer, name::Symbol) = name in fieldnames(Optimizer) ? getfield(o, name) : Glue.flx_optimizer_get(live(o), String(name))
function Base.setproperty!(o::Optimizer, name::Symbol, x)
    name === :handle && return setfield!(o, name, x)
    Glue.flx_optimizer_set(live(o), String(name), text(x))
    return x
end
Base.show(io::IO, o::Optimizer) = print(io, o.kind, "(", join(("$k=$v" for (k, v) in o.options), ", "), ")")
function Serialization.serialize(s::Serialization.AbstractSerializer, o::Optimizer)
    Serialization.serialize_type(s, Optimizer)
    Serialization.serialize(s, (o.kind, o.options, o.schedule, o.handle === nothing ? nothing : Glue.flx_optimizer_to_bytes(o.handle, -1)[2]))
end
function Serialization.deserialize(s::Serialization.AbstractSerializer, ::Type{Optimizer})
    kind, options, schedule, bytes = Serialization.deserialize(s)
    return Optimizer(kind, options, schedule, bytes === nothing ? nothing : Glue.flx_optimizer_from_bytes(bytes))
end
"""
    Momentum(learning_rate, momentum)

Gradient descent with momentum: `SGD(learning_rate; momentum = momentum)`."""
Momentum(rate = 0.01, momentum = 0.9; options...) = SGD(rate; momentum = momentum, options...)
"""
    update!(opt, parameters, gradients)

Changes the arrays of `parameters` in place by the rule `opt`."""
function update!(o::Optimizer, ps::NamedTuple, grads::NamedTuple)
    for name in keys(ps)
        g = getproperty(grads, name)
        g === nothing || Glue.flx_optimizer_update(live(o), String(name), ps[name].handle, g.handle)
    end
    return ps
end
update!(o::Optimizer, a::NDArray, g::NDArray; name = "weight") = (Glue.flx_optimizer_update(live(o), name, a.handle, g.handle); a)

const loss_handles = Dict{Any,Handle}()
function run_loss(s::Setting{:loss}, arrays)
    h = alone(() -> get!(() -> core(s), loss_handles, s))
    near = place_of(arrays)
    return one_or_all(map(wrap, Glue.flx_layer_run(h, nothing, mode(), [as_array(a, near) for a in arrays if a !== nothing])))
end
core_loss(s::Setting{:loss}) = core(s)
core_loss(f::Function) = (s = f(); s isa Setting{:loss} ? core(s) : throw(InvalidArgumentError("[loss] a loss was expected, such as softmax_cross_entropy, given $f")))
core_loss(name) = Glue.flx_layer_create(text(name), nothing, ())

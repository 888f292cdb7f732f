# SPDX-License-Identifier: Apache-2.0
# Layers and operators of one's own.

"""
    Flexor.Param(dims, initializer = nothing; dtype = Float32, trainable = true)

A parameter that a layer of one's own asks for: its sizes and how it begins: `ones`, `zeros`, a name or an initializer of `Flexor.Initializers`; without one it begins as `setup` says."""
struct Param
    dims::Tuple
    options::Vector{Pair{Symbol,String}}
    Param(dims::Tuple, options::Vector{Pair{Symbol,String}}) = new(dims, options)
end
Param(n::Integer, initializer = nothing; options...) = Param((n,), initializer; options...)
function Param(dims, initializer = nothing; dtype = nothing, trainable::Bool = true)
    all(n -> n isa Integer && n >= 0, dims) || throw(ShapeError("[Param] a parameter's sizes must be known, given $dims: leave the batch out, as input[2:end] does"))
    options = Pair{Symbol,String}[]
    initializer === nothing || push!(options, :init => text(initializer))
    dtype === nothing || push!(options, :dtype => text(dtype))
    trainable || push!(options, :lr_mult => "0")
    return Param(Tuple(Int.(dims)), options)
end
"""
    Flexor.parameters(layer, input)

What a layer of one's own works with, for inputs of the sizes `input` (the first, which counts observations, is `missing`): a named tuple of `Param`s and layers. A layer is a struct and two methods:

    struct ScaleShift <: Layer end
    Flexor.parameters(::ScaleShift, input) = (scale = Param(input[2:end], ones), shift = Param(input[2:end], zeros))
    (::ScaleShift)(x, p) = x .* p.scale .+ p.shift

It runs as Julia does, and is traced into a graph when it is fitted, saved or hybridized, so that other languages run it. With dots, parameters meet the last axes of arrays that have more: each
observation has the same ones. A layer among the parameters is called: `p.gate(x)`."""
parameters(::Layer, input) = NamedTuple()
# A layer inside a layer of one's own, with its parameters.
struct Bound
    run::Function
end
(b::Bound)(x) = b.run(x)

is_own(l::Layer) = !(l isa KnownLayer)
has_own(l::Layer) = is_own(l)
has_own(l::CoreLayer) = any(has_own, l.children)
has_own(c::Chain) = any(has_own, c.layers)
has_own(l::Hybrid) = has_own(l.layer)
has_own(::LoadedLayer) = false
label(l::Layer) = string(nameof(typeof(l)))

# The parameters below a prefix, under the names that remain.
function below(ps::NamedTuple, prefix)
    names = filter(n -> startswith(String(n), prefix), keys(ps))
    return NamedTuple{Tuple(Symbol(String(n)[length(prefix)+1:end]) for n in names)}(Tuple(ps[n] for n in names))
end
# A layer that holds one of one's own runs as Julia does, layer by layer.
run_own(l::Layer, x, ps) = has_own(l) ? run_mixed(l, x, ps) : run_layer(l, x, ps)
function run_mixed(l::Layer, x, ps)
    function value(name, p)
        haskey(ps, Symbol(name)) || throw(StateError("[$(label(l))] the parameters have no `$name`; there are $(isempty(ps) ? "none" : join(keys(ps), ", "))"))
        return each(as_array(ps[Symbol(name)]))
    end
    x isa NDArray || (x = as_array(x, place_of(values(ps))))
    return l(x, own_values(value, (name, child) -> Bound(v -> run_own(child, v, below(ps, name * "."))), l, open_batch(size(x))))
end
run_mixed(c::Chain, x, ps) = run_children(c.layers, as_array(x, place_of(values(ps))), ps)
function run_children(layers, x, ps)
    for (k, child) in enumerate(layers)
        x = run_own(child, x, below(ps, "$(k - 1)."))
    end
    return x
end
function run_mixed(l::CoreLayer{K}, x, ps) where {K}
    K === :Sequential && return run_children(l.children, as_array(x, place_of(values(ps))), ps)
    K === :Residual && return (x = as_array(x, place_of(values(ps))); x .+ run_children(l.children, x, ps))
    return run_layer(l, x, ps)  # traced
end
run_mixed(l::Hybrid, x, ps) = run_layer(l, x, ps)

"""
    Operator(gradient, f; name, outputs = 1, shapes)
    Operator(f; ...)          # without a gradient
    Operator(f) do dy, x, y ... end

An operator of plain Julia on plain arrays, with its own gradient: `gradient(dy, ..., x, ..., y, ...)` of the outputs' gradients, the inputs and the outputs gives the gradient of each input (a tuple
if there are several, `nothing` for none). It works on `NDArray`s at once, and within layers, fits and predictions, always on the task that asked. Results take the element type of the first
input. In a traced layer each output is like the first input, unless `shapes`, a function of the inputs' sizes, says others. A file holds the name: to use it in another process, make an `Operator` of
that name there first.

    clip01 = Operator(x -> clamp.(x, 0, 1)) do dy, x, y
        dy .* (0 .< x .< 1)
    end
"""
struct Operator{F,B}
    f::F
    gradient::B
    name::String
    outputs::Int
    shapes::Any
    token::Base.RefValue{Int64}
end
function Operator(gradient, f; name = "operator", outputs::Integer = 1, shapes = nothing)
    made = Operator(f, gradient, String(name), Int(outputs), shapes, Ref{Int64}(0))
    if name != "operator"
        free!(pop!(named_nodes, made.name, nothing))
        named_operators[made.name] = made
    end
    return made
end
Operator(f; options...) = Operator(nothing, f; options...)
Base.show(io::IO, o::Operator) = print(io, "Operator ", o.name)
const named_operators = Dict{String,Operator}()
const named_nodes = Dict{String,Handle}()
# The number by which the library asks for it: one for all its uses, as long as there are any.
function token(o::Operator)
    forget_hosts()
    alone() do
        haskey(hosts, o.token[]) || (o.token[] = host_function((what, arrays) -> operator_answer(o, what, arrays)))
        o.token[]
    end
end
# Files hold names: a node of each named operator tells the library whom they mean.
function name_operators()
    for (name, o) in named_operators
        haskey(named_nodes, name) && continue
        named_nodes[name] = Glue.flx_symbol_compose("_host", "named", (Glue.flx_symbol_variable("x", ()),), (), given([:token => token(o), :outputs => o.outputs, :label => name]))
    end
end

many(x) = x isa Tuple ? x : (x,)
# What Julia's function gave, in the type and the place of `a`.
like(x::NDArray, a) = eltype(x) === eltype(a) ? x : NDArray{eltype(a)}(x)
like(x, a) = NDArray{eltype(a)}(x isa Number ? fill(x) : x; device = place(a))
like(::Nothing, a) = nothing
operator_forward(o::Operator, arrays) = NDArray[like(y, arrays[1]) for y in many(o.f(map(Array, arrays)...))]
function operator_backward(o::Operator, arrays)
    n = length(arrays) - 2 * o.outputs
    o.gradient === nothing && return Any[nothing for _ in 1:n]
    grads = many(o.gradient(map(Array, arrays)...))
    length(grads) == n || throw(InvalidArgumentError("[$(o.name)] the gradient gives one value for each of the $n inputs, given $(length(grads))"))
    return Any[like(g, arrays[1]) for g in grads]
end
operator_answer(o::Operator, what, arrays) = what == "forward" ? operator_forward(o, arrays) : operator_backward(o, arrays)
function (o::Operator)(inputs...)
    any(a -> a isa NDArray, inputs) || return o.f(inputs...)
    if any(traced, inputs)
        options = [:token => token(o), :outputs => o.outputs, :label => o.name]
        o.shapes === nothing || push!(options, :shapes => "[" * join((text((missing, Base.tail(Tuple(s))...)) for s in one_per_output(o.shapes(map(size, inputs)...))), ", ") * "]")
        return one_or_all(compose("_host", inputs, options))
    end
    near = place_of(inputs)
    arrays = NDArray[as_array(a, near) for a in inputs]
    out = pause(() -> operator_forward(o, arrays))
    length(out) == o.outputs || throw(InvalidArgumentError("[$(o.name)] $(o.outputs) results were expected, given $(length(out))"))
    if recording() && o.gradient !== nothing
        Glue.flx_autograd_record(token(o), arrays, out)
    end
    return one_or_all(out)
end
one_per_output(s) = s isa Tuple{Vararg{Union{Integer,Missing}}} ? (s,) : s

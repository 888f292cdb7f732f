# SPDX-License-Identifier: Apache-2.0
# Layers and chains of them: plain values that hold no arrays. A layer of the library is made of one when it is wanted, and kept by its value.

"What computes an output from an input and parameters: `layer(x, parameters)`, or `layer(x, parameters, states)` which gives the states as well."
abstract type Layer end
"A layer of the library; `K` is its kind."
struct CoreLayer{K} <: Layer
    options::Vector{Pair{String,String}}
    children::Vector{Layer}
    global make_layer(K, options, children = Layer[]) = new{K}(given(options), children)
end
"""
    Chain(layers...)

Layers one behind the other. `flatten`, `relu`, `tanh` and the other activations may stand for layers. `chain[2]` is a layer, `chain[1:3]` a chain."""
struct Chain <: Layer
    layers::Vector{Layer}
    Chain(layers...) = new(Layer[as_layer(l) for l in layers])
end
as_layer(l::Layer) = l
as_layer(f::Function) = f === flatten ? Flatten() : Activation(f)
as_layer(x) = throw(InvalidArgumentError("[Chain] a layer was expected, such as Dense(10), given $(typeof(x))"))
Base.:(==)(a::CoreLayer{K}, b::CoreLayer{K}) where {K} = a.options == b.options && a.children == b.children
Base.hash(l::CoreLayer{K}, h::UInt) where {K} = hash((K, l.options, l.children), h)
Base.:(==)(a::Chain, b::Chain) = a.layers == b.layers
Base.hash(c::Chain, h::UInt) = hash(c.layers, hash(:Chain, h))
Base.length(c::Chain) = length(c.layers)
Base.getindex(c::Chain, i::Integer) = c.layers[i]
Base.getindex(c::Chain, i::AbstractVector) = Chain(c.layers[i]...)
Base.lastindex(c::Chain) = length(c)
Base.firstindex(c::Chain) = 1
Base.iterate(c::Chain, state...) = iterate(c.layers, state...)

"`flatten(x)`: all axes but the first as one. In a `Chain` it is a layer."
flatten(x::NDArray) = call_one("Flatten", (x,))
"""
    Conv(kernel, channels, activation = nothing; options...)

`Conv2D(channels, kernel; activation, options...)`: batch × channels × height × width."""
Conv(kernel, channels::Integer, activation = nothing; options...) = Conv2D(channels, kernel; activation = activation, options...)
"`MaxPool(window)`: `MaxPool2D(pool_size = window)`."
MaxPool(window; options...) = MaxPool2D(; pool_size = window, options...)
"`MeanPool(window)`: `AvgPool2D(pool_size = window)`."
MeanPool(window; options...) = AvgPool2D(; pool_size = window, options...)

setting_lines(l::CoreLayer{K}) where {K} = string(K, "(", join(("$k = $v" for (k, v) in l.options), ", "), ")")
setting_lines(l::Layer) = string(typeof(l))
function show_layer(io, l::Layer, indent)
    if l isa Chain
        println(io, " "^indent, "Chain of ", length(l), length(l) == 1 ? " layer" : " layers")
        foreach(c -> show_layer(io, c, indent + 2), l.layers)
    else
        println(io, " "^indent, setting_lines(l))
        l isa CoreLayer && foreach(c -> show_layer(io, c, indent + 2), l.children)
    end
end
Base.show(io::IO, ::MIME"text/plain", l::Union{Chain,CoreLayer}) = print(io, chomp(sprint(show_layer, l, 0)))
Base.show(io::IO, c::Chain) = print(io, "Chain(", join((sprint(show, l) for l in c.layers), ", "), ")")
Base.show(io::IO, l::CoreLayer) = print(io, setting_lines(l))

# ---- layers of the library
const layer_handles = Dict{Any,Handle}()
const known_shapes = Dict{Any,Tuple}()  # of layers that hold one of one's own: what they were last used with
# The library's layer. Only layers of one's own need the input's sizes: they are traced with them.
layer_handle(l::Layer, shape = nothing) = alone(() -> layer_kept(l, shape))::Handle
function layer_kept(l, shape)
    length(layer_handles) > 1024 && empty!(layer_handles)
    has_own(l) || return get!(() -> core(l), layer_handles, l)
    shape = shape === nothing ? get(known_shapes, l, nothing) : map(d -> d === missing || d === nothing ? 1 : Int(d), Tuple(shape))
    shape === nothing && throw(StateError("[$(label(l))] holds a layer of one's own, so the input's sizes must be known here: use setup(layer, input) first."))
    length(known_shapes) > 1024 && empty!(known_shapes)
    known_shapes[l] = shape
    return get!(() -> core(l, shape), layer_handles, (l, Base.tail(shape)))
end
core(l::Layer, shape) = is_own(l) ? trace_layer(l, shape) : core(l)
core(l::CoreLayer{K}, shape = nothing) where {K} = core_of(String(K), l.options, l.children, shape)
core(c::Chain, shape = nothing) = core_of("Sequential", (), c.layers, shape)
function core_of(kind, options, children, shape)
    h = Glue.flx_layer_create(kind, nothing, options)
    own = any(has_own, children)
    own && !(kind in ("Sequential", "Residual", "Concurrent")) && throw(UnsupportedError("[$kind] takes layers of the library only, and holds one of one's own"))
    for (k, child) in enumerate(children)
        made = core(child, shape)
        Glue.flx_layer_add(h, made)
        own && kind != "Concurrent" && k < length(children) && (shape = output_shape(made, shape))
    end
    return h
end
# The sizes that a layer of the library gives for inputs of `shape`.
function output_shape(handle, shape)
    out = Glue.flx_layer_apply(handle, "", (Glue.flx_symbol_variable("data", ["shape" => text(shape)]),))
    return Tuple(Glue.flx_symbol_shape(Glue.flx_symbol_infer(out, (), 0), Glue.FLX_OUTPUT, 0)[3])
end
"A layer that runs by plans: its operators as one graph."
struct Hybrid <: Layer
    layer::Layer
    options::Vector{Pair{String,String}}
end
Base.:(==)(a::Hybrid, b::Hybrid) = a.layer == b.layer && a.options == b.options
Base.hash(l::Hybrid, h::UInt) = hash((l.layer, l.options), hash(:Hybrid, h))
"""
    hybridize(layer; options...)

The same layer, run by plans: the same numbers, faster. Options are `passes`, `memory`, `plans`, `fallback`, `print`."""
hybridize(l::Layer; options...) = (h = Hybrid(l, given(options)); has_own(h) || layer_handle(h); h)
core(l::Hybrid, shape = nothing) = (h = core(l.layer, shape); Glue.flx_layer_hybridize(h, l.options); h)
Base.show(io::IO, l::Hybrid) = print(io, "hybridize(", l.layer, ")")
"A layer that a model file holds."
struct LoadedLayer <: Layer
    json::String
end
core(l::LoadedLayer, shape = nothing) = Glue.flx_layer_from_json(l.json)
Base.show(io::IO, ::LoadedLayer) = print(io, "LoadedLayer(...)")

const KnownLayer = Union{CoreLayer,Chain,Hybrid,LoadedLayer}
function params_handle(sets...)
    h = Glue.flx_params_create()
    for set in sets, name in keys(set)
        Glue.flx_params_set(h, String(name), set[name].handle)
    end
    return h
end
# Where the parameters are.
place_of_sets(sets) = (k = findfirst(!isempty, sets); k === nothing ? nothing : place_of(values(sets[k])))
function run_layer(l, x, sets...)
    x isa NDArray || (x = as_array(x, place_of_sets(sets)))
    found = Glue.flx_layer_run(layer_handle(l, size(x)), params_handle(sets...), mode(), (x,))
    return one_or_all(map(wrap, found))
end
(l::KnownLayer)(x, ps::NamedTuple) = has_own(l) ? run_mixed(l, x, ps) : run_layer(l, x, ps)
(l::KnownLayer)(x, ps::NamedTuple, st::NamedTuple) = (has_own(l) ? run_mixed(l, x, merge(ps, st)) : run_layer(l, x, ps, st), st)
(l::Layer)(x, ps::NamedTuple, st::NamedTuple) = (run_mixed(l, x, merge(ps, st)), st)

shape_text(input) = text(map(d -> d === missing || d === nothing ? 1 : d, Tuple(input)))
input_options(input) = ["data" => shape_text(input)]
"""
    setup(layer, input; seed, initializer = nothing, dtype = Float32, device = nothing) -> parameters, states

First values for inputs of the sizes `input` (`missing` stands for the batch): two named tuples of arrays, by the names that all languages use (`ps[Symbol("0.weight")]`). States are what training
changes without a gradient, such as running means. Values depend on seed, name and sizes alone; without `seed` it is drawn from Julia's generator. They are made on `device`, as "gpu(0)", with the
values that they have on the CPU; `to_device` moves them."""
function setup(l::Layer, input; seed = rand(Int32(0):typemax(Int32)), initializer = nothing, dtype = Float32, device = nothing)
    options = [input_options(input); given((dtype = dtype, device = device))]
    h = Glue.flx_params_init(layer_handle(l, input), options, initializer === nothing ? nothing : core(initializer), seed)
    return split_params(h)
end
function split_params(h)
    Glue.flx_params_attach(h, "write")
    n = Glue.flx_params_count(h)
    pairs = [Symbol(Glue.flx_params_name(h, i)) => Glue.flx_params_at(h, i) for i in 0:n-1]
    is_state = [Glue.flx_autograd_grad(p.second) === nothing for p in pairs]
    tuple_of(which) = NamedTuple{Tuple(first.(pairs[which]))}(Tuple(each(wrap(p.second)) for p in pairs[which]))
    return tuple_of(.!is_state), tuple_of(is_state)
end

"A table or a picture as text: shown as it is."
struct Report
    text::String
    svg::Bool
end
Base.show(io::IO, r::Report) = print(io, r.svg ? "Report(svg)" : chomp(r.text))
Base.show(io::IO, ::MIME"text/plain", r::Report) = print(io, r.svg ? "a picture (SVG); write(\"net.svg\", picture) keeps it" : chomp(r.text))
Base.show(io::IO, ::MIME"image/svg+xml", r::Report) = print(io, r.text)
Base.showable(::MIME"image/svg+xml", r::Report) = r.svg
Base.write(path::AbstractString, r::Report) = write(path, r.text)
Base.String(r::Report) = r.text
"""
    summarize(layer, input)

A table of the layers with output sizes and numbers of parameters for inputs of the sizes `input`; `missing` stands for the batch."""
summarize(l::Layer, input) = Report(Glue.flx_layer_summary(layer_handle(l, input), input_options(input), 100), false)
"""
    draw(layer, input)

A picture of the layer as a graph: shown in notebooks; `write("net.svg", draw(net, input))` keeps it."""
draw(l::Layer, input) = Report(Glue.flx_layer_draw(layer_handle(l, input), input_options(input), "svg"), true)

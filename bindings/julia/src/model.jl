# SPDX-License-Identifier: Apache-2.0
# Fitted models and their files. One .flx file serves every language: classes and task are metadata for all, what only Julia needs begins with `julia.`.

"A network to be fitted that tells classes apart; labels may be any values with `==`."
struct Classifier
    network::Layer
end
"A network to be fitted that gives numbers."
struct Regressor
    network::Layer
end
Classifier(f::Function) = Classifier(as_layer(f))

"A fitted model: `predict(fitted, x)`, `fitted.history`, `fitted.classes`, `fitted.parameters`."
mutable struct Fitted
    task::String
    network::Layer
    classes::Union{Nothing,Vector}
    history::Union{Nothing,History}
    columns::Bool  # a regression's result has columns, as its targets had
    model::Union{Nothing,Handle}
end
Base.getproperty(f::Fitted, name::Symbol) = name === :parameters ? merge(split_params(Glue.flx_model_params(f.model))...) : getfield(f, name)
Base.propertynames(::Fitted) = (:task, :network, :classes, :history, :parameters)
function Base.show(io::IO, f::Fitted)
    print(io, "Fitted ", f.task == "classification" ? "classifier of $(length(f.classes)) classes" : "model")
    f.history === nothing || length(f.history) == 0 || print(io, ", ", length(f.history), " epochs, loss ", number_text(f.history.loss[end]))
end
Glue.free!(f::Fitted) = free!(f.model)
Base.copy(f::Fitted) = Fitted(f.task, f.network, f.classes, f.history, f.columns, clone(f))
function clone(f::Fitted)
    bytes = Glue.flx_model_to_bytes(describe!(f).model, -1)[2]
    model = Glue.flx_model_from_bytes(bytes, nothing)
    return runs_host(f.model) ? Glue.flx_model_create(Glue.flx_model_layer(f.model), Glue.flx_model_params(model)) : model
end
runs_host(model) = occursin("_host", Glue.flx_layer_to_json(Glue.flx_model_layer(model)))

# Labels keep their type where it is a plain one; another language's are whole numbers if all of them are.
only_character(s) = first(s)
const label_kinds = Dict{String,Any}("Int" => x -> parse(Int, x), "String" => identity, "Symbol" => Symbol, "Bool" => x -> parse(Bool, x), "Char" => only_character, "Float" => x -> parse(Float64, x))
kind_of_labels(classes) = all(c -> c isa Bool, classes) ? "Bool" : all(c -> c isa Integer, classes) ? "Int" : all(c -> c isa AbstractFloat, classes) ? "Float" :
                          all(c -> c isa Symbol, classes) ? "Symbol" : all(c -> c isa Char, classes) ? "Char" : "String"
function read_classes(texts, kind)
    kind === nothing && (kind = all(t -> tryparse(Int, t) !== nothing, texts) ? "Int" : "String")
    return map(get(label_kinds, kind, identity), texts)
end
function describe!(f::Fitted)
    meta(key, value) = Glue.flx_model_meta_set(f.model, key, value)
    meta("task", f.task)
    if f.classes !== nothing
        meta("classes", json_list(map(string, f.classes)))
        meta("julia.labels", kind_of_labels(f.classes))
    end
    f.columns && meta("julia.columns", "true")
    return f
end
function fitted_from(model)
    task, classes = Glue.flx_model_meta_get(model, "task"), Glue.flx_model_meta_get(model, "classes")
    layer = LoadedLayer(Glue.flx_layer_to_json(Glue.flx_model_layer(model)))
    labels = classes === nothing ? nothing : read_classes(String[c isa AbstractString ? c : json_number(c) for c in read_json(classes)], Glue.flx_model_meta_get(model, "julia.labels"))
    return Fitted(something(task, classes === nothing ? "regression" : "classification"), layer, labels, nothing, Glue.flx_model_meta_get(model, "julia.columns") !== nothing, model)
end
"""
    Flexor.save(path, fitted)
    Flexor.save(path, network, parameters, states = (;))

Writes a model to a .flx file, which every language reads."""
save(path::AbstractString, f::Fitted) = (Glue.flx_model_save(describe!(f).model, path, -1); path)
function save(path::AbstractString, l::Layer, sets::NamedTuple...)
    Glue.flx_model_save(Glue.flx_model_create(layer_handle(l), params_handle(sets...)), path, -1)
    return path
end
"""
    Flexor.load(path; device = nothing)

Reads a .flx file of any language as a fitted model, whose parameters go to `device`, as "gpu(0)", and which predicts there; else that is the CPU. `lenet-0010.params`, beside `lenet-symbol.json`, is a model of MXNet's; a classifier's classes are counted from 1 there."""
function load(path::AbstractString; device = nothing)
    endswith(path, ".params") && return to_device(load_mxnet(path), device)
    name_operators()
    return fitted_from(Glue.flx_model_load(path, device))
end
device(f::Fitted) = device(f.parameters)
to_device(f::Fitted, device) = (device === nothing || Glue.flx_params_move(Glue.flx_model_params(f.model), device); f)

function Serialization.serialize(s::Serialization.AbstractSerializer, f::Fitted)
    Serialization.serialize_type(s, Fitted)
    own = has_own(f.network) && runs_host(f.model)  # operators in Julia: their code, not their names
    Serialization.serialize(s, (Glue.flx_model_to_bytes(describe!(f).model, -1)[2], f.history, f.classes, own ? (f.network, known_shapes[f.network]) : nothing))
end
function Serialization.deserialize(s::Serialization.AbstractSerializer, ::Type{Fitted})
    bytes, history, classes, own = Serialization.deserialize(s)
    f = fitted_from(Glue.flx_model_from_bytes(bytes, nothing))
    f.history, f.classes = history, classes
    if own !== nothing
        f.network = own[1]
        f.model = Glue.flx_model_create(layer_handle(own...), Glue.flx_model_params(f.model))
        describe!(f)
    end
    return f
end

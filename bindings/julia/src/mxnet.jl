# SPDX-License-Identifier: Apache-2.0
# MXNet's pairs of files: lenet-0010.params beside lenet-symbol.json.

# A loss at the end of a graph wants labels; in its place stands what it says of its input.
const loss_heads = Dict("SoftmaxOutput" => "softmax", "Softmax" => "softmax", "LogisticRegressionOutput" => "sigmoid", "LinearRegressionOutput" => "identity",
                        "MAERegressionOutput" => "identity", "SVMOutput" => "identity")
function load_mxnet(path)
    m = match(r"^(.*)-([0-9]{4})\.params$"s, path)
    m === nothing && throw(FileError("[load] a file of MXNet's is named like lenet-0010.params, beside lenet-symbol.json; given $path"))
    symbol, params = Glue.flx_checkpoint_load(m[1], parse(Int, m[2]))
    graph = read_json(Glue.flx_symbol_to_json(symbol))
    node(reference) = graph["nodes"][Int(reference[1])+1]
    head = node(graph["heads"][1])
    link = get(loss_heads, head["op"], nothing)
    link === nothing || (symbol = inner_output(symbol, node(head["inputs"][1])["name"], Int(head["inputs"][1][2])))
    known = Set(Glue.flx_params_name(params, i) for i in 0:Glue.flx_params_count(params)-1)
    arguments = [Glue.flx_symbol_name(symbol, Glue.FLX_ARGUMENT, i) for i in 0:Glue.flx_symbol_count(symbol, Glue.FLX_ARGUMENT)-1]
    layer = Glue.flx_layer_from_symbol(symbol, nothing, filter(n -> !(n in known), arguments))
    classes = link == "sigmoid" ? [1, 2] : link == "softmax" ? head_classes(head, node, params) : nothing
    return Fitted(classes === nothing ? "regression" : "classification", LoadedLayer(Glue.flx_layer_to_json(layer)), classes, nothing, false, Glue.flx_model_create(layer, params))
end
function inner_output(symbol, name, index)
    names = [Glue.flx_symbol_name(symbol, Glue.FLX_INTERNAL, i) for i in 0:Glue.flx_symbol_count(symbol, Glue.FLX_INTERNAL)-1]
    at = findfirst(in(index > 0 ? ("$(name)_output$index",) : ("$(name)_output", "$(name)_output0", name)), names)
    return Glue.flx_symbol_at(symbol, Glue.FLX_INTERNAL, at - 1)
end
# A class for each unit of the dense layer that the loss reads.
function head_classes(head, node, params)
    n = node(head["inputs"][1])
    while n["op"] in ("Activation", "BatchNorm", "Cast", "Dropout", "_copy", "identity")  # these keep the number of classes
        n = node(n["inputs"][1])
    end
    n["op"] == "FullyConnected" || return nothing
    return collect(1:size(wrap(Glue.flx_params_get(params, node(n["inputs"][2])["name"])), 1))
end

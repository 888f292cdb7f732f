# SPDX-License-Identifier: Apache-2.0
# fit, predict, evaluate: the core does the work, this task drives it.

"What a fit's function is given after each epoch: `state.epoch`, `state.loss`, `state.accuracy`, `state.valid.accuracy`, `state.history`; `stop!(state)` ends the fit."
struct State
    task::Handle
    history::History
end
Base.getproperty(s::State, name::Symbol) =
    name === :history ? getfield(s, :history) : name === :epoch ? length(getfield(s, :history)) : name === :valid ? Last(getfield(s, :history), "valid.") : last_of(getfield(s, :history), String(name))
struct Last
    history::History
    prefix::String
end
Base.getproperty(l::Last, name::Symbol) = last_of(getfield(l, :history), getfield(l, :prefix) * String(name))
last_of(h::History, name) = h[name][end]
Base.show(io::IO, s::State) = print(io, Glue.flx_task_text(getfield(s, :task), "progress"))
"Ends a fit after the batch at work: for the function that `fit` calls."
stop!(s::State) = Glue.flx_task_stop(getfield(s, :task))

features(x::NDArray) = x
features(x::AbstractArray) = NDArray{Float32}(x)
rows(x) = size(x, 1)

classes_of(y) = (found = unique(y); try sort(found) catch e; e isa MethodError || rethrow(); found end)
function class_indices(y, classes)
    place = Dict(c => Float32(i - 1) for (i, c) in enumerate(classes))
    return NDArray(Float32[get(() -> throw(InvalidArgumentError("[fit] the label $(repr(v)) is unknown; known are $(join(map(repr, classes), ", "))")), place, v) for v in y])
end
targets(y::NDArray) = y
targets(y::AbstractArray) = NDArray{Float32}(y)

source(arrays, names; options...) = Glue.flx_iter_from_arrays(arrays, names, given(options))
function check_rows(x, y)
    rows(x) == rows(y) || throw(ShapeError("[fit] x has $(rows(x)) observations and y has $(rows(y)): the first axis counts them."))
end
function units_of(l::Layer, shape)
    out = Glue.flx_layer_apply(layer_handle(l), "", (Glue.flx_symbol_variable("data", ["shape" => text((1, shape[2:end]...))]),))
    return Glue.flx_symbol_shape(Glue.flx_symbol_infer(out, (), 0), Glue.FLX_OUTPUT, 0)[3][2:end]
end

# Metrics of the library by name, functions of Julia's as metrics that the fit asks for.
metric_text(m, classes) = text(m)
function metric_text(f::Function, classes)
    measure(what, arrays) = NDArray[NDArray(Float64[f(host_scores(arrays[1], classes), host_labels(arrays[2], classes))])]
    token = host_function(measure)
    name = replace(String(nameof(f)), r"[^A-Za-z0-9_]" => "_")
    return "Host(token=$token, name=$(startswith(name, "_") ? "metric" : name))"
end
host_scores(p, classes) = Array(p)
host_labels(y, classes) = classes === nothing ? Array(y) : classes[round.(Int, Array(y)).+1]

"""
    fit(Classifier(network), x, y; options...) -> fitted
    fit(Regressor(network), x, y; options...)
    fit(f, ...)          # fit(...) do state ... end: f is called after each epoch, on this task

Fits a network to observations `x` (the first axis counts them) and labels or numbers `y`. Options: `epochs = 10`, `batchsize = 32`, `optimizer = Adam(0.001)`, `loss` (softmax_cross_entropy for classes,
`l2_loss` for numbers), `metrics`, `seed`, `shuffle = true`, `validation = (x, y)`, and all of the library's own (patience, checkpoint, clip_gradient ...; docs/fit.md). Metrics are names, or
functions of the scores and the labels of a batch. Data become Float32.

Between batches other tasks run; Ctrl-C ends the fit after the batch at work."""
fit(c::Union{Classifier,Regressor}, x, y; options...) = fit(state -> nothing, c, x, y; options...)
function fit(f::Function, c::Union{Classifier,Regressor}, x, y; epochs = 10, batchsize = 32, optimizer = Adam(0.001), loss = nothing, metrics = nothing,
             seed = rand(Int32(0):typemax(Int32)), shuffle = true, validation = nothing, options...)
    check_rows(x, y)
    classes = c isa Classifier ? classes_of(y) : nothing
    c isa Classifier && length(classes) < 2 && throw(InvalidArgumentError("[fit] a classifier needs two classes at least, given $(length(classes))"))
    data = features(x)
    units = units_of(c.network, size(data))
    if c isa Classifier && length(units) == 1 && units[1] != length(classes) && !(units[1] == 1 && length(classes) == 2)
        throw(ShapeError("[fit] the network gives $(units[1]) numbers for an observation and y has $(length(classes)) classes: end it with Dense($(length(classes)))."))
    end
    labels(v) = classes === nothing ? targets(v) : class_indices(v, classes)
    chosen = loss !== nothing ? core_loss(loss) : classes === nothing ? core_loss("L2Loss") : units == [1] ? core_loss("SigmoidBinaryCrossEntropyLoss") : core_loss("SoftmaxCrossEntropyLoss")
    train = source([data, labels(y)], ["data", "label"]; batch_size = batchsize, shuffle = shuffle, seed = seed)
    valid = nothing
    if validation !== nothing
        vx, vy = validation
        check_rows(vx, vy)
        valid = source([features(vx), labels(vy)], ["data", "label"]; batch_size = batchsize)
    end
    metrics === nothing && (metrics = classes === nothing ? ("mae",) : units == [1] ? () : ("accuracy",))
    metrics isa Union{Tuple,AbstractVector} || (metrics = (metrics,))
    model = Glue.flx_model_create(layer_handle(c.network), nothing)
    settings = [given((epochs = epochs, seed = seed)); "metrics" => join([metric_text(m, classes) for m in metrics], ", "); given(options)]
    task = Glue.flx_fit_start(model, chosen, core(optimizer), train, valid, settings)
    run_task(task, event -> event == Glue.FLX_EPOCH && f(State(task, history_of(task))))
    columns = classes === nothing && ndims(y) > 1
    return describe!(Fitted(classes === nothing ? "regression" : "classification", c.network, classes, history_of(task), columns, model))
end

function scores(f::Fitted, x)
    task = Glue.flx_predict_start(f.model, source([features(x)], ["data"]; batch_size = 256))
    run_task(task)
    return wrap(Glue.flx_task_arrays(task)[1])
end
"""
    predict(fitted, x)

The labels of the observations `x`, or a regression's numbers."""
function predict(f::Fitted, x)
    f.task == "classification" || (y = Array(scores(f, x)); return f.columns || ndims(y) != 2 || size(y, 2) != 1 ? y : vec(y))
    p = predict_proba(f, x)
    return f.classes[map(row -> argmax(row), eachrow(p))]
end
"""
    predict_proba(fitted, x)

A matrix with the probability of each class (columns, in the order of `fitted.classes`) for each observation."""
function predict_proba(f::Fitted, x)
    f.task == "classification" || throw(StateError("[predict_proba] a classifier was expected; this model gives numbers"))
    s = scores(f, x)
    if size(s, 2) == 1 && length(f.classes) == 2
        p = Array(sigmoid(s))
        return hcat(1 .- p, p)
    end
    return Array(softmax(s))
end
"""
    evaluate(fitted, x, y; metrics)

The values of metrics on `x` and `y`, by name."""
function evaluate(f::Fitted, x, y; metrics = f.classes === nothing ? ("mae",) : ("accuracy",))
    check_rows(x, y)
    data = source([features(x), f.classes === nothing ? targets(y) : class_indices(y, f.classes)], ["data", "label"]; batch_size = 256)
    names = [metric_text(m, f.classes) for m in (metrics isa Union{Tuple,AbstractVector} ? metrics : (metrics,))]
    task = run_task(Glue.flx_evaluate_start(f.model, data, names))
    columns = [Glue.flx_task_column_name(task, i) for i in 0:Glue.flx_task_column_count(task)-1]
    return Dict(n => Glue.flx_task_number(task, n) for n in columns)
end
"`accuracy(predicted, actual)`: the share of equal labels."
function accuracy(a, b)
    length(a) == length(b) || throw(ShapeError("[accuracy] $(length(a)) labels and $(length(b)) labels do not belong together"))
    return mean(a .== b)
end

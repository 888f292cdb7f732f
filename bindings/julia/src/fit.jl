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
    fit(Classifier(network), source; classes, options...)   # batches
    fit(fitted, x, y; options...)                           # goes on where that fit ended
    fit(f, ...)          # fit(...) do state ... end: f is called after each epoch, on this task

Fits a network to observations `x` (the first axis counts them) and labels or numbers `y`. Options: `epochs = 10`, `batchsize = 32`, `optimizer = Adam(0.001)`, `loss` (softmax_cross_entropy for classes,
`l2_loss` for numbers), `metrics`, `seed`, `shuffle = true`, `validation = (x, y)`, `weights` (a number for each observation, which its loss is multiplied by), `store` (a `Store`: the observations are
this worker's share), and all of the library's own (patience,
checkpoint, clip_gradient ...; docs/fit.md). Metrics are names, or functions of the scores and the labels of a batch. Data become Float32.

A source is `batches(...)`, an iterator of `Flexor.Iterators`, or anything in Julia that gives pairs `(x, y)` each time it is gone over; Julia's are asked for one batch when it is needed, on this task.
A classifier is told its `classes` then; labels of the library's own sources count them from 0. `validation` may be a source, too.

Between batches other tasks run; Ctrl-C ends the fit after the batch at work, and `Flexor.last_fit()` has what was learned."""
fit(c::Union{Classifier,Regressor,Fitted}, x, y; options...) = fit(state -> nothing, c, x, y; options...)
fit(c::Union{Classifier,Regressor,Fitted}, source; options...) = fit(state -> nothing, c, source; options...)
function fit(f::Function, c::Union{Classifier,Regressor,Fitted}, x, y; batchsize = 32, shuffle = true, seed = random_seed(), validation = nothing, weights = nothing, options...)
    check_rows(x, y)
    classes = c isa Classifier ? classes_of(y) : c isa Fitted ? c.classes : nothing
    classes === nothing || length(classes) >= 2 || throw(InvalidArgumentError("[fit] a classifier needs two classes at least, given $(length(classes))"))
    data, labels = features(x), labels_by(classes)
    function train(units)
        arrays, names = [data, labels(y)], ["data", "label"]
        weights === nothing || (push!(arrays, weight_array(weights, rows(x), units)); push!(names, "weight_label"))
        return source(arrays, names; batch_size = batchsize, shuffle = shuffle, seed = seed)
    end
    return fit_to(f, c, classes, size(data), train, valid_source(validation, labels, batchsize), ndims(y) > 1; seed = seed, options...)
end
function fit(f::Function, c::Union{Classifier,Regressor,Fitted}, batches; classes = nothing, seed = random_seed(), validation = nothing, options...)
    c isa Fitted && (classes = c.classes)
    c isa Classifier && classes === nothing && throw(InvalidArgumentError("[fit] a source of batches does not tell all classes: give classes = [...]"))
    classes === nothing || (classes = collect(classes))
    labels = labels_by(classes)
    given = batch_source(batches, labels)
    return fit_to(f, c, classes, given.shape, units -> given.make(), valid_source(validation, labels, 256), true; seed = seed, options...)
end
random_seed() = rand(Int32(0):typemax(Int32))
labels_by(classes) = y -> classes === nothing ? targets(y) : class_indices(y, classes)
function valid_source(validation, labels, batchsize)
    validation === nothing && return nothing
    validation isa Tuple && length(validation) == 2 || return batch_source(validation, labels).make()
    x, y = validation
    check_rows(x, y)
    return source([features(x), labels(y)], ["data", "label"]; batch_size = batchsize)
end
network_of(c::Union{Classifier,Regressor}, shape) = c.network, Glue.flx_model_create(layer_handle(c.network, shape), nothing), nothing
network_of(c::Fitted, shape) = (same = copy(c); (same.network, same.model, c.history))  # the first fit stays as it is

const last_fitted = Ref{Any}(nothing)
"The model of the last fit, also of one that Ctrl-C ended; `nothing` if there was none."
last_fit() = last_fitted[]
function fit_to(f, c, classes, shape, train, valid, columns; seed, epochs = 10, optimizer = Adam(0.001), loss = nothing, metrics = nothing, store = nothing, options...)
    network, model, before = network_of(c, shape)
    units = collect(Base.tail(output_shape(Glue.flx_model_layer(model), (1, Base.tail(shape)...))))
    if classes !== nothing && length(units) == 1 && units[1] != length(classes) && !(units[1] == 1 && length(classes) == 2)
        throw(ShapeError("[fit] the network gives $(units[1]) numbers for an observation and y has $(length(classes)) classes: end it with Dense($(length(classes)))."))
    end
    chosen = loss !== nothing ? core_loss(loss) : classes === nothing ? core_loss("L2Loss") : units == [1] ? core_loss("SigmoidBinaryCrossEntropyLoss") : core_loss("SoftmaxCrossEntropyLoss")
    metrics === nothing && (metrics = classes === nothing ? ("mae",) : units == [1] ? () : ("accuracy",))
    metrics isa Union{Tuple,AbstractVector} || (metrics = (metrics,))
    settings = [given((epochs = epochs, seed = seed)); "metrics" => join([metric_text(m, classes) for m in metrics], ", "); given(options)]
    task = Glue.flx_fit_start(model, chosen, core(optimizer), train(units), valid, settings)
    store === nothing || Glue.flx_fit_store(task, store.handle)
    result() = last_fitted[] = describe!(Fitted(classes === nothing ? "regression" : "classification", network, classes, join_history(before, history_of(task)), columns && classes === nothing, model))
    try
        run_task(task, event -> event == Glue.FLX_EPOCH && f(State(task, history_of(task))))
    catch e
        e isa InterruptException && Glue.flx_params_count(Glue.flx_model_params(model)) > 0 && result()
        rethrow()
    end
    return result()
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
evaluate(f::Fitted, x, y; options...) = (check_rows(x, y); evaluate_on(f, source([features(x), labels_by(f.classes)(y)], ["data", "label"]; batch_size = 256); options...))
"    evaluate(fitted, source; metrics)\n\nThe same on batches."
evaluate(f::Fitted, batches; options...) = evaluate_on(f, batch_source(batches, labels_by(f.classes)).make(); options...)
function evaluate_on(f, data; metrics = f.classes === nothing ? ("mae",) : ("accuracy",))
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

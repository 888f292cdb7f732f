# SPDX-License-Identifier: Apache-2.0
# The shared cases by the package Flexor: run.jl errors TABLE | values TABLE | indices TABLE | golden TABLE GOLDEN | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL...
# README.md says what each command does.
using Flexor
include("cases.jl")
const F = Flexor.Glue

const dtypes = Dict(Flexor.text(T) => T for T in values(Flexor.element_types))
from_bytes(bytes, dtype, dims) = Flexor.wrap(F.flx_ndarray_create_from(bytes, Flexor.dtype_code(dtypes[dtype]), F.FLX_ROW_MAJOR, dims, Flexor.dtype_code(dtypes[dtype]), nothing))
function to_bytes(a)
    out = Vector{UInt8}(undef, sizeof(eltype(a)) * length(a))
    F.flx_ndarray_read(a.handle, out, Flexor.dtype_code(eltype(a)), F.FLX_ROW_MAJOR, -1)
    return out
end
row_major(v, dims) = length(dims) < 2 ? reshape(v, dims) : permutedims(reshape(v, reverse(dims)), reverse(1:length(dims)))
options_of(fields, but = ()) = ["$k" => v for (k, v) in fields if !(k in but)]
function network(case)
    net = F.flx_layer_create("Sequential", nothing, ())
    foreach(l -> F.flx_layer_add(net, F.flx_layer_create(l["kind"], nothing, options_of(l, ("kind",)))), lines_of(case, "layer"))
    return net
end

# ---- errors
const natives = Dict("ARGUMENT" => InvalidArgumentError, "TYPE" => DTypeError, "SHAPE" => ShapeError, "INDEX" => OutOfRangeError, "NAME" => UnknownNameError, "HANDLE" => HandleError,
    "UNSUPPORTED" => UnsupportedError, "MEMORY" => MemoryLimitError, "FILE" => FileError, "FORMAT" => FormatError, "DEVICE" => DeviceError, "NETWORK" => NetworkError, "HOST" => HostError,
    "STATE" => StateError, "INTERNAL" => InternalError, "ROLLED_BACK" => RolledBackError)
function bad_call(case, folder)
    call = first_of(case, "call")
    attrs = [k => replace(v, "{folder}" => folder) for l in lines_of(case, "attr") for (k, v) in l]
    arrays = [NDArray{dtypes[l["dtype"]]}(undef, shape_of(l["shape"])) for l in lines_of(case, "in")]
    path, name, what = joinpath(folder, get(call, "file", "none")), get(call, "name", ""), call["what"]
    haskey(call, "text") && haskey(call, "file") && write(path, call["text"])
    what == "operator" ? Flexor.call_op(name, arrays, attrs) :
    what == "layer" ? F.flx_layer_create(name, nothing, attrs) :
    what == "optimizer" ? F.flx_optimizer_create(name, attrs) :
    what == "schedule" ? F.flx_schedule_create(name, attrs) :
    what == "initializer" ? F.flx_initializer_create(name, attrs) :
    what == "metric" ? F.flx_metric_create(name, attrs) :
    what == "iter" ? F.flx_iter_create(name, attrs) :
    what == "batches" ? F.flx_iter_from_arrays(arrays, ["data", "label"], ["batch_size" => call["batch_size"]]) :
    what == "summary" ? F.flx_layer_summary(network(case), ["data" => call["input"]], 80) :
    what == "zeros" ? F.flx_ndarray_create(shape_of(call["shape"]), F.FLX_FLOAT32, get(call, "device", nothing)) :
    what == "item" ? Flexor.item(arrays[1]) :
    what == "attach" ? Flexor.attach(arrays[1]) :
    what == "backward" ? F.flx_autograd_backward(arrays, (), 0) :
    what == "load_model" ? Flexor.load(path) :
    what == "load_arrays" ? F.flx_params_load(path, nothing) :
    what == "symbol_json" ? F.flx_symbol_from_json(call["text"]) :
    what == "config" ? Flexor.config(call["key"], call["value"]) : error("an unknown call: $what")
end
function error_case(case, folder)
    want = first_of(case, "error")
    e = try
        bad_call(case, folder)
        nothing
    catch e
        e
    end
    e === nothing && return "nothing failed"
    typeof(e) === natives[want["status"]] || return "it is a $(typeof(e)): $(sprint(showerror, e))"
    plain(s) = replace(s, folder => "{folder}")
    fits(plain(e.message), want["text"]) || return e.message
    for key in ("kind", "operator", "node", "hint", "file", "offset")
        got = plain(getfield(e, Symbol(key)))
        got == get(want, key, "") || return "$key is $got"
    end
    return ""
end

# ---- values
function value_case(case)
    line = first_of(case, "array")
    T, dims, bytes = dtypes[line["dtype"]], shape_of(line["shape"]), hex2bytes(line["bytes"])
    a = from_bytes(bytes, line["dtype"], dims)
    to_bytes(a) == bytes || return "the bytes differ"
    texts = isempty(line["values"]) ? String[] : split(line["values"], ',')
    x = row_major(T[T <: Bool ? v == "1" : T <: Integer ? parse(T, v) : T(parse(Float64, v)) for v in texts], dims)
    b = NDArray(x)
    eltype(b) === T && size(b) == dims || return "it is $(summary(b))"
    to_bytes(b) == bytes || any(v -> v isa AbstractFloat && isnan(v), x) || return "the bytes of Julia's values differ"
    back = Array(b)
    eltype(back) === T && size(back) == dims && isequal(Float64.(back), Float64.(x)) || return "it comes back as $back"
    isempty(dims) || isempty(x) || isequal(Float64(b[ones(Int, length(dims))...]), Float64(x[1])) || return "its first element is another"
    return ""
end

# ---- golden cases
const files = Dict{String,Vector{UInt8}}()
function load_array(folder, family, line)
    bytes = get!(() -> read(joinpath(folder, family * ".bin")), files, family)
    dims, at = shape_of(line["shape"]), parse(Int, line["at"])
    return from_bytes(bytes[at+1:at+prod(dims)*sizeof(dtypes[line["dtype"]])], line["dtype"], dims)
end
function doubles(a)
    out = Vector{Float64}(undef, length(a))
    isempty(a) || F.flx_ndarray_read(a.handle, out, F.FLX_FLOAT64, F.FLX_ROW_MAJOR, -1)
    return out
end
function differs(line, want, got)
    eltype(got) === eltype(want) && size(got) == size(want) || return "another dtype or shape: $(summary(got))"
    rtol, atol = parse(Float64, get(line, "rtol", "0")), parse(Float64, get(line, "atol", "0"))
    for (w, g) in zip(doubles(want), doubles(got))
        (isnan(w) && isnan(g)) || w == g || (isfinite(w) && isfinite(g) && abs(g - w) <= atol + rtol * abs(w)) || return "$g instead of $w"
    end
    return ""
end
# What a Julia user would write for the text of an attribute.
function literal(text)
    text in ("True", "False") && return text == "True"
    parts = split(replace(text, r"[() ]" => ""), ','; keepempty = false)
    values = [something(tryparse(Int, p), tryparse(Float64, p), missing) for p in parts]
    (isempty(values) || any(ismissing, values)) && return text
    return startswith(text, '(') ? Tuple(values) : values[1]
end
from_one(x) = map(v -> v isa Integer && v >= 0 ? v + 1 : v, x)
# The package's functions by operator: those that neither take nor give indices, which indices.cases tests.
function public_functions()
    found = Dict{String,Any}()
    for block in split(read(joinpath(dirname(pathof(Flexor)), "..", "generated", "operators.jl"), String), "\nfunction ")[2:end]
        m = match(r"^(.*?)\((.*)\)\n.*call_op\(\"([^\"]+)\"", block)
        m === nothing || occursin(r"from_one|to_one|indices_out", block[1:findfirst("\nend", block)[1]]) && continue
        m === nothing && continue
        positional, words = (split(m[2], "; "; limit = 2)..., "")[1:2]
        found[m[3]] = (f = getfield(nd, Symbol(replace(m[1], r"var\"|\"" => ""))), inputs = [replace(p, " = nothing" => "") for p in split(positional, ", "; keepempty = false)],
            words = Set(replace(replace(w, " = nothing" => ""), r"var\"|\"" => "") for w in split(words, ", "; keepempty = false)),
            needed = Set(replace(w, r"var\"|\"" => "") for w in split(words, ", "; keepempty = false) if !occursin(" = ", w)),
            axes = Set(a[1] for a in eachmatch(r"axis_in\((?:var\")?(\w+)", block)))
    end
    return found
end
const public_calls = Ref(0)
function call_public(public, operator, names, arrays, attrs)
    haskey(public, operator) || return nothing
    p = public[operator]
    given = Dict(k => v for (k, v) in attrs if !(k in ("num_args", "num_arrays")))
    issubset(keys(given), p.words) && issubset(p.needed, keys(given)) || return nothing
    any(v -> occursin("None", v) || v == "()", values(given)) && return nothing
    variadic = p.inputs == ["several..."]
    variadic || (length(names) <= length(p.inputs) && names == p.inputs[1:length(names)]) || return nothing
    public_calls[] += 1
    words = [Symbol(k) => (k in p.axes ? from_one(literal(v)) : literal(v)) for (k, v) in given]
    out = p.f(arrays...; words...)
    return out isa Tuple ? collect(out) : [out]
end
function golden_case(case, folder, public)
    head, family, kind = first_of(case, "call"), case[1].fields["family"], case[1].fields["kind"]
    ins = lines_of(case, "in")
    names = [l["name"] for l in ins]
    arrays = [load_array(folder, family, l) for l in ins]
    byname = Dict(zip(names, arrays))
    foreach((l, a) -> get(l, "grad", "") == "1" && F.flx_autograd_attach(a.handle, "write", nothing), ins, arrays)
    targets = [arrays[parse(Int, l["input"])+1] for l in lines_of(case, "writes")]
    attrs = [k => v for l in lines_of(case, "attr") for (k, v) in l]
    Flexor.seed!(1)
    mode = parse(Int, head["mode"])
    outs = try
        Flexor.with_mode(mode) do
            isempty(targets) || return (F.flx_invoke_into(head["name"], mode, arrays, attrs, targets); targets)
            out = kind == "op" ? call_public(public, head["operator"], names, arrays, attrs) : nothing
            out === nothing && (out = Flexor.call_op(head["name"], arrays, attrs))
            kind == "error" && foreach(wait, out)
            out
        end
    catch e
        e isa FlexorError || rethrow()
        e
    end
    if kind == "error"
        outs isa FlexorError || return head["answer"] == "accepts" ? "" : "nothing failed"
        return any(n -> startswith(outs.message, "[$n]"), (head["name"], head["operator"])) ? "" : outs.message
    end
    outs isa FlexorError && return outs.message
    for l in lines_of(case, "shape")
        o = outs[parse(Int, l["index"])+1]
        Flexor.text(eltype(o)) == l["dtype"] && size(o) == shape_of(l["shape"]) || return "another dtype or shape"
    end
    heads = lines_of(case, "head")
    isempty(heads) || F.flx_autograd_backward([outs[parse(Int, l["index"])+1] for l in heads], [load_array(folder, family, l) for l in heads], mode & F.FLX_TRAIN)
    for line in case
        l = line.fields
        line.word in ("out", "grad", "after") || continue
        got = line.word == "out" ? outs[parse(Int, l["index"])+1] : line.word == "after" ? byname[l["name"]] : Flexor.wrap(F.flx_autograd_grad(byname[l["name"]].handle))
        wrong = got === nothing ? "no gradient" : differs(l, load_array(folder, family, l), got)
        isempty(wrong) || return "$(line.word) $(get(l, "index", get(l, "name", ""))): $wrong"
    end
    return ""
end

# ---- axes, indices and labels count from 1
counted(line, x) = haskey(line, "counts") ? from_one(x) : x
function index_case(case)
    arrays = [NDArray{dtypes[l["dtype"]]}(row_major(haskey(l, "counts") ? [v + (v >= 0) for v in numbers(l["values"])] : numbers(l["values"]), shape_of(l["shape"]))) for l in lines_of(case, "in")]
    words = [Symbol(line.order[1]) => counted(line.fields, literal(line.fields[line.order[1]])) for line in case if line.word == "attr"]
    name = first_of(case, "call")["function"]
    f = isdefined(nd, Symbol(name)) ? getfield(nd, Symbol(name)) : getfield(Flexor, Symbol(name))
    got, want = f(arrays...; words...), first_of(case, "out")
    size(got) == shape_of(want["shape"]) || return "its sizes are $(size(got))"
    expected = numbers(want["values"])
    haskey(want, "counts") && (expected = [v + (v >= 0) for v in expected])
    return isapprox(doubles(got), expected; rtol = parse(Float64, get(want, "rtol", "0")), atol = 0) ? "" : string(doubles(got))
end

# ---- the same bits, by what a user would write
function layer_of(fields)
    words = [Symbol(k) => literal(v) for (k, v) in fields if k != "kind"]
    f = getfield(Flexor, Symbol(fields["kind"]))
    needed = Dict("Conv2D" => (:channels, :kernel_size), "Dense" => (:units,), "Activation" => (:activation,), "Dropout" => (:rate,))
    first_ones = get(needed, fields["kind"], ())
    return f((Dict(words)[k] for k in first_ones)...; filter(w -> !(w.first in first_ones), words)...)
end
function fit_all(table, _, out)
    x, y = Flexor.digits()
    for case in cases(table)
        head, optimizer = case[1].fields, first_of(case, "optimizer")
        number(key) = parse(Int, head[key])
        net = Chain(map(layer_of, lines_of(case, "layer"))...)
        rule = getfield(Flexor, Symbol(optimizer["name"]))(literal(optimizer["learning_rate"]); [Symbol(k) => literal(v) for (k, v) in optimizer if !(k in ("name", "learning_rate"))]...)
        rows = 1:number("samples")
        fitted = fit(Classifier(net), x[rows, :, :, :], y[rows]; epochs = number("epochs"), batchsize = number("batch_size"), optimizer = rule, seed = number("seed"), shuffle = false,
            loss = first_of(case, "loss")["kind"])
        Flexor.save(joinpath(out, head["id"] * ".flx"), fitted)
    end
end
function predict_all(_, out, models...)
    scans = Flexor.digits()[1][8001:8010, :, :, :]
    for path in models
        model, base = Flexor.load(path), joinpath(out, basename(path))
        write(base * ".scores", to_bytes(Flexor.wrap(F.flx_model_run(model.model, 0, (NDArray(scans),))[1])))
        Flexor.save(base * ".flx", model)
    end
end

function check(one, table, also = () -> "")
    passed = failed = 0
    for case in cases(table)
        wrong = try
            one(case)
        catch e
            sprint(showerror, e)
        end
        isempty(wrong) ? (passed += 1) : (failed += 1; println("FAILED ", case_id(case), ": ", wrong))
    end
    isempty(also()) || (failed += 1; println("FAILED ", also()))
    println(passed, " passed, ", failed, " failed")
    exit(failed == 0 ? 0 : 1)
end
command, rest = ARGS[1], ARGS[2:end]
if command == "errors"
    mktempdir(folder -> check(case -> error_case(case, folder), rest[1]))
elseif command == "values"
    check(value_case, rest[1])
elseif command == "indices"
    check(index_case, rest[1])
elseif command == "golden"
    public = public_functions()
    check(case -> golden_case(case, rest[2], public), rest[1], () -> public_calls[] < 700 ? "few calls by public functions: $(public_calls[])" : "")
elseif command == "fit"
    fit_all(rest...)
elseif command == "predict"
    predict_all(rest...)
else
    error("unknown command $command")
end

# SPDX-License-Identifier: Apache-2.0
# Tracing: layers of one's own become graphs that every language runs. While one is traced its arrays stand for symbols; all operators work on them, their elements cannot be read.

# Operator `name` on traced arrays: a node of the graph. Nodes are counted within a trace, so that equal layers give equal graphs.
function compose(name, arrays, options)
    given_arrays = [a for a in arrays if a !== nothing]
    all(traced, given_arrays) || throw(UnsupportedError("[$name] a layer of one's own is traced when it is fitted or saved, and then all it works on is its input and its parameters, " *
        "given an array or Julia values besides. Make it a parameter, or compute it from the input."))
    return outputs(inferred(Glue.flx_symbol_compose(name, node_name(name), given_arrays, (), given(options))))
end
function node_name(op)
    op = lowercase(replace(op, r"^_+" => ""))
    counts = get!(() -> Dict{String,Int}(), task_local_storage(), :flexor_nodes)::Dict{String,Int}
    n = counts[op] = get(counts, op, -1) + 1
    return "$op$n"
end
inferred(symbol) = Glue.flx_symbol_infer(symbol, (), 1)
function outputs(symbol)
    n = Glue.flx_symbol_count(symbol, Glue.FLX_OUTPUT)
    return n == 1 ? [traced_array(symbol)] : [traced_array(inferred(Glue.flx_symbol_at(symbol, Glue.FLX_OUTPUT, i))) for i in 0:n-1]
end
function traced_array(symbol, flags = 0x00)
    code, known, dims = Glue.flx_symbol_shape(symbol, Glue.FLX_OUTPUT, 0)
    known == 2 || throw(StateError("[layer] sizes of a traced array are not known: $(Glue.flx_symbol_name(symbol, Glue.FLX_OUTPUT, 0))"))
    return adopt(symbol, get(element_types, code, Float32), Tuple(Int.(dims)), TRACED | flags)
end
variable(name, dims; options...) = inferred(Glue.flx_symbol_variable(name, given([:shape => dims, options...])))

# The trace at work in this task: variables by name, and what has been applied under which prefix.
struct Trace
    variables::Dict{String,Handle}
    applied::Set{String}
end
trace_at_work() = get(task_local_storage(), :flexor_trace, nothing)

# The values that a layer of one's own works with: parameters as arrays, layers bound to theirs. `value(name, param)` gives an array.
function own_values(value, inside, l::Layer, input)
    declared = parameters(l, input)
    declared isa NamedTuple || throw(InvalidArgumentError("[$(label(l))] Flexor.parameters gives a named tuple of Param and layers, given $(typeof(declared))"))
    return map(NamedTuple{keys(declared)}(keys(declared)), declared) do name, p
        p isa Param ? value(String(name), p) : p isa Union{Layer,Function} ? inside(String(name), as_layer(p)) :
        throw(InvalidArgumentError("[$(label(l))] Flexor.parameters gives a named tuple of Param and layers; `$name` is a $(typeof(p))"))
    end
end
open_batch(dims) = (missing, Base.tail(Tuple(dims))...)

# A layer on a traced array, its parameters called by `prefix` and their own names.
function apply_traced(l::Layer, prefix, x)
    trace = trace_at_work()
    if is_own(l)
        p = own_values((name, q) -> traced_array(get!(() -> variable(prefix * name, q.dims; q.options...), trace.variables, prefix * name), PER_OBSERVATION),
                       (name, child) -> Bound(v -> apply_traced(child, "$prefix$name.", v)), l, open_batch(size(x)))
        out = l(x, p)
        traced(out) || throw(UnsupportedError("[$(label(l))] a layer computes its result from its input by operators; it gave $(typeof(out)) while it was traced. Operator(...) makes one of plain Julia."))
        return out
    elseif l isa Chain && has_own(l)
        return apply_chain(l, prefix, x)
    end
    made = Glue.flx_layer_apply(layer_handle(l, size(x)), prefix, (x.handle,))
    names = [Glue.flx_symbol_name(made, Glue.FLX_INPUT, i) for i in 0:Glue.flx_symbol_count(made, Glue.FLX_INPUT)-1]
    if prefix in trace.applied  # a second time: the parameters of the first
        again = filter(n -> haskey(trace.variables, n), names)
        isempty(again) || (made = Glue.flx_symbol_substitute(made, [trace.variables[n] for n in again], again))
    else
        push!(trace.applied, prefix)
        for (i, n) in enumerate(names)
            startswith(n, prefix) && !isempty(prefix) && (trace.variables[n] = Glue.flx_symbol_at(made, Glue.FLX_INPUT, i - 1))
        end
    end
    return one_or_all(outputs(inferred(made)))
end
function apply_chain(c::Chain, prefix, x)
    for (k, child) in enumerate(c.layers)
        x = apply_traced(child, "$prefix$(k - 1).", x)
    end
    return x
end

function trace_once(l::Layer, shape, batch)
    own = task_local_storage()
    before = get(own, :flexor_trace, nothing), get(own, :flexor_nodes, nothing)
    own[:flexor_trace], own[:flexor_nodes] = Trace(Dict(), Set()), Dict{String,Int}()
    try
        x = traced_array(variable("data", (batch, Base.tail(shape)...); dtype = Float32))
        out = with_mode(() -> apply_traced(l, "", x), 0)
        return Glue.flx_symbol_substitute(out.handle, (Glue.flx_symbol_variable("data", ()),), ("data",))
    finally
        own[:flexor_trace], own[:flexor_nodes] = before[1], something(before[2], Dict{String,Int}())
    end
end
# Traced for two sizes of the batch, which must give one graph: no size is built in unnoticed.
function trace_layer(l::Layer, shape)
    graphs = [trace_once(l, shape, batch) for batch in (2, 3)]
    texts = [replace(Glue.flx_symbol_to_json(g), r"\"token\": \"\d+\"" => "") for g in graphs]
    texts[1] == texts[2] || throw(InvalidArgumentError("[$(label(l))] the layer builds the number of observations into what it computes, so it would be right for that number alone. Do not use " *
        "size(x, 1) as a number; reshape(x, :, n) and flatten keep the first axis open only where it stays the first."))
    return Glue.flx_layer_from_symbol(graphs[1], label(l), ("data",))
end

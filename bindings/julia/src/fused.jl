# SPDX-License-Identifier: Apache-2.0
# A dotted expression on large arrays as one call: it is traced once into a small graph, which is kept by the expression's type (functions, element types, numbers of axes) and its plain numbers.

const fuse_from = Ref(1024)  # elements; below, operator by operator is about as quick and needs no graph
const MANY_NUMBERS = 32 # an expression whose plain numbers change all the time runs operator by operator

mutable struct Fused
    graphs::Dict{Any,Union{Handle,Nothing}}  # by its plain numbers; nothing: it cannot be one graph
end
const fused = IdDict{Any,Fused}()
const fused_lock = ReentrantLock()

# The arrays of an expression, and its plain numbers, from left to right.
arrays_of(e::Base.Broadcast.Broadcasted) = arrays_in(e.args)
arrays_of(a::NDArray) = (a,)
arrays_of(x) = ()
arrays_in(::Tuple{}) = ()
arrays_in(args::Tuple) = (arrays_of(args[1])..., arrays_in(Base.tail(args))...)
numbers_of(e::Base.Broadcast.Broadcasted) = numbers_in(e.args)
numbers_of(x::Union{Bool,Int,Float64,Float32}) = (x,)
numbers_of(x) = ()
numbers_in(::Tuple{}) = ()
numbers_in(args::Tuple) = (numbers_of(args[1])..., numbers_in(Base.tail(args))...)
# Whether it holds nothing else: arrays and ranges of Julia's, and numbers of other types, are made arrays operator by operator.
known_leaf(e::Base.Broadcast.Broadcasted) = known_leaves(e.args)
known_leaf(::Union{NDArray,Bool,Int,Float64,Float32,Type,Function,Base.RefValue{<:Function},Base.RefValue{<:Val}}) = true
known_leaf(x) = false
known_leaves(::Tuple{}) = true
known_leaves(args::Tuple) = known_leaf(args[1]) && known_leaves(Base.tail(args))
has_inner(args::Tuple) = any(x -> x isa Base.Broadcast.Broadcasted, args)

compute(x) = evaluate(x)
compute(e::Expression) = has_inner(e.args) && known_leaf(e) && is_large(arrays_of(e)) ? seldom(compute_fused, e) : evaluate(e)
is_large(::Tuple{}) = false
is_large(arrays::Tuple) = length(arrays[1]) >= fuse_from[] && arrays[1].flags & TRACED == 0 || is_large(Base.tail(arrays))
function compute_fused(e)
    arrays = arrays_of(e)
    any(traced, arrays) && return evaluate(e)
    numbers = any(per_observation, arrays) ? (numbers_of(e)..., map(per_observation, arrays)...) : numbers_of(e)
    graph = fused_graph(e, arrays, numbers)
    graph === nothing && return evaluate(e)
    out = wrap(Glue.flx_graph_run(graph, mode(), arrays)[1]::Handle)
    return all(per_observation, arrays) ? each(out) : out
end
function fused_graph(@nospecialize(e), @nospecialize(arrays), @nospecialize(numbers))
    lock(fused_lock)
    try
        kept = get(fused, typeof(e), nothing)
        kept === nothing && (kept = fused[typeof(e)] = Fused(Dict()))
        graph = get(kept.graphs, numbers, missing)
        graph === missing || return graph
        length(kept.graphs) >= MANY_NUMBERS && return nothing
        return kept.graphs[numbers] = trace_expression(e, arrays)
    finally
        unlock(fused_lock)
    end
end
function trace_expression(@nospecialize(e), @nospecialize(arrays))
    named = NDArray[traced_array(variable("x$k", size(a); dtype = eltype(a)), a.flags) for (k, a) in enumerate(arrays)]
    queue = copy(named)
    out = try
        evaluate(replace_leaves(e, queue))
    catch err
        err isa FlexorError || rethrow()
        return nothing  # sizes that do not fit, or no operator: operator by operator says so
    end
    traced(out) || return nothing
    symbol = Glue.flx_symbol_substitute(out.handle, [Glue.flx_symbol_variable("x$k", ()) for k in 1:length(arrays)], ["x$k" for k in 1:length(arrays)])
    # The graph takes its variables in the order in which it meets them, which is that of the expression but for operators that swap their inputs.
    order = [Glue.flx_symbol_name(symbol, Glue.FLX_INPUT, i) for i in 0:Glue.flx_symbol_count(symbol, Glue.FLX_INPUT)-1]
    order == ["x$k" for k in 1:length(arrays)] || return nothing
    return Glue.flx_graph_create(symbol, ())
end
replace_leaves(x::NDArray, queue) = popfirst!(queue)
replace_leaves(x::Base.Broadcast.Broadcasted, queue) = Base.Broadcast.Broadcasted{ArrayStyle}(x.f, map(v -> replace_leaves(v, queue), x.args))
replace_leaves(x, queue) = x

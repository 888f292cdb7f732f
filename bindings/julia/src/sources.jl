# SPDX-License-Identifier: Apache-2.0
# What a fit is given: arrays, or sources of batches: iterators of the library, or anything in Julia that one can go over.

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
    return collect(Base.tail(output_shape(layer_handle(l, shape), (1, Base.tail(shape)...))))
end


# A weight for each sample, of the predictions' number of axes, so that each has its own. What is named ..label goes to the loss.
function weight_array(weights, n, units)
    length(weights) == n || throw(ShapeError("[fit] there are $(length(weights)) weights for $n observations"))
    return NDArray(reshape(Float32[w for w in weights], n, map(_ -> 1, units)...))
end

"What `fit` needs to know of a source: an iterator of the library for each time it is made, and the sizes of a batch."
struct Source
    make::Function
    shape::Tuple
end
# Batches that Julia gives, asked for on this task, one when it is needed. Every epoch goes over them anew.
mutable struct HostBatches
    batches::Any
    convert::Function
    step::Any    # what `iterate` gave last; nothing: an epoch begins
    ahead::Any   # the first batch, looked at before the fit
end
function next_batch(h::HostBatches, what)
    what == "first batch" && h.ahead === nothing && (h.step = nothing)  # an epoch begins, wherever the last one stopped
    if h.ahead !== nothing
        arrays, h.ahead = h.ahead, nothing
        return arrays
    end
    begins = h.step === nothing
    h.step = begins ? iterate(h.batches) : iterate(h.batches, h.step[2])
    h.step === nothing || return h.convert(h.step[1])
    begins && throw(InvalidArgumentError("[fit] the source gave no batch. What can be gone over once only, as a Channel, serves one epoch; give a vector, a generator, or an iterator that begins anew."))
    return NDArray[]
end
function host_source(batches, labels)
    function arrays(batch)
        batch isa Union{Tuple,AbstractVector,Pair} && length(batch) == 2 || throw(InvalidArgumentError("[fit] a batch is a pair (x, y), given $(typeof(batch))"))
        x, y = batch
        check_rows(x, y)
        return NDArray[features(x), labels(y)]
    end
    source = HostBatches(batches, arrays, nothing, nothing)
    first = source.ahead = next_batch(source, "batch")
    answer = (what, given) -> next_batch(source, what)
    return Source(() -> Glue.flx_iter_from_host(host_function(answer), ("data", "label"), ["batch_size" => string(rows(first[1]))]), size(first[1]))
end
function library_source(make)
    look = make()
    Glue.flx_iter_next(look, -1) == Glue.FLX_BATCH || throw(InvalidArgumentError("[fit] the source gave no batch"))
    return Source(make, size(wrap(Glue.flx_iter_arrays(look)[1])))
end
batch_source(b::Batches, labels) = library_source(b.make)
batch_source(s::Setting{:iter}, labels) = library_source(() -> core(s))
batch_source(iterable, labels) = host_source(iterable, labels)

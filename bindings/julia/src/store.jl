# SPDX-License-Identifier: Apache-2.0
# Stores: arrays by key, of this process or of a job of several.

"""
    Store(kind = "local"; settings...)
    Store(f, kind; settings...)     # Store("dist_sync") do store ... end: leaves the job at its end

Arrays by key. What is pushed to a key replaces its value; with an optimizer (`optimizer!`) it is the gradient of the value. `"local"` is a store of this process; `"dist_sync"`, `"dist_async"` and `"dist_stale"`
belong to a job of several, which `flexor-launch -n 4 -s 2 julia train.jl` starts: the call waits until all of it is there. In a process that is to be a server or the scheduler it does that part, and ends Julia
when the job is over.

`store.kind`, `store.rank` (from 1) and `store.workers` tell who this is; `shard(n, store)` gives its share of `n` observations; `fit(...; store = store)` fits as one of the workers. `init!(store, key => array, ...)`,
`push!(store, key => array, ...; samples, priority)` (several arrays of a key are summed), `pull!(store, key => array, ...)` (which are overwritten), `optimizer!(store, opt)`, `barrier(store)`, `finish(store)`.
Nothing waits but `Store`, `barrier` and `finish`; what went wrong in a push or pull is thrown where the pulled array is read."""
struct Store
    handle::Handle
    function Store(kind::AbstractString = "local"; settings...)
        handle = Glue.flx_store_create(kind, given(settings))
        if Glue.flx_store_text(handle, "role") != "worker"
            while Glue.flx_store_serve(handle, 1000) != Glue.FLX_DONE end
            exit(0)
        end
        Glue.flx_store_join(handle, -1)
        return new(handle)
    end
end
function Store(f::Function, kind::AbstractString = "local"; settings...)
    store = Store(kind; settings...)
    try
        result = f(store)
        finish(store)
        return result
    finally
        free!(store)
    end
end
function Base.getproperty(s::Store, name::Symbol)
    handle = getfield(s, :handle)
    name === :handle && return handle
    name === :kind && return Glue.flx_store_text(handle, "kind")
    name === :rank && return Int(Glue.flx_store_number(handle, "rank")) + 1
    return Int(Glue.flx_store_number(handle, String(name)))
end
Base.propertynames(::Store) = (:kind, :rank, :workers, :servers, :keys)
Base.show(io::IO, s::Store) = print(io, "Store(\"", s.kind, "\"): worker ", s.rank, " of ", s.workers)
Glue.free!(s::Store) = free!(s.handle)

"""
    shard(n, store)

The observations of `1:n` that are this worker's: every `store.workers`-th."""
shard(n::Integer, s::Store) = s.rank:s.workers:Int(n)

keyed_names(pairs) = String[string(first(p)) for p in pairs]
keyed_arrays(pairs) = Handle[as_array(last(p)).handle for p in pairs]
keyed_targets(pairs) = Handle[(last(p)::NDArray).handle for p in pairs]
"    init!(store, key => array, ...)\n\nFirst values; a key that is there already keeps its own."
init!(s::Store, pairs::Pair...) = (Glue.flx_store_init(s.handle, keyed_names(pairs), keyed_arrays(pairs)); s)
Base.push!(s::Store, pairs::Pair...; samples = 1, priority = 0) = (Glue.flx_store_push(s.handle, keyed_names(pairs), keyed_arrays(pairs), samples, priority); s)
"    pull!(store, key => array, ...; priority = 0)\n\nOverwrites the arrays with the keys' values."
pull!(s::Store, pairs::Pair...; priority = 0) = (Glue.flx_store_pull(s.handle, keyed_names(pairs), keyed_targets(pairs), priority); s)
"    pushpull!(store, key => array, ...; samples = 1, priority = 0)\n\nPushes the arrays, and overwrites them with what that gave; one array for each key."
pushpull!(s::Store, pairs::Pair...; samples = 1, priority = 0) = (Glue.flx_store_push_pull(s.handle, keyed_names(pairs), keyed_targets(pairs), keyed_targets(pairs), samples, priority); s)
"    optimizer!(store, opt)\n\nThe store updates its values by `opt` from now on; in a job every worker calls it, and then `barrier`."
optimizer!(s::Store, o::Optimizer) = (Glue.flx_store_optimizer(s.handle, core(o)); s)
"    barrier(store)\n\nWaits until every worker has come here."
barrier(s::Store) = (Glue.flx_store_barrier(s.handle, -1); s)
"    checkpoint!(store)\n\nThe servers of a job write what they hold to their disks, as of what this worker has pushed (`FLEXOR_PS_CHECKPOINT`); gives the round."
checkpoint!(s::Store) = (Glue.flx_store_checkpoint(s.handle, -1); Int(Glue.flx_store_number(s.handle, "checkpoint_round")))
"    recover!(store)\n\nAfter a `RolledBackError`, which every call gives once the job went back to its checkpoint: calls count again, and what is pulled is the checkpoint's. Gives its round; -1: the job did not go back."
recover!(s::Store) = Int(Glue.flx_store_recover(s.handle))
"    finish(store)\n\nLeaves the job in good order: the others go on without this worker. A fit does it at its end."
finish(s::Store) = (Glue.flx_store_finish(s.handle, -1); s)

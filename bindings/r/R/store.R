# SPDX-License-Identifier: Apache-2.0
# Stores: arrays by key, of this process or of a job of several.

#' Stores: arrays by key
#'
#' A store holds arrays by key. What is pushed to a key replaces its value; with an optimizer it is the gradient of the value. In a job of several processes all workers share the keys.
#'
#' `kv_store("local")` is a store of this process. `"dist_sync"`, `"dist_async"` and `"dist_stale"` belong to a job, which `flexor-launch -n 4 -s 2 Rscript train.R` starts: the call waits until all of it is there. In a process that is to be a server or the scheduler it does that part and ends R when the job is over.
#'
#' `flexor(..., store = store)` fits as one of the workers: the data are this worker's share, whose rows `shard()` gives, and each step is that of all workers' batches together. The fit leaves the job at its end.
#'
#' In a job with `FLEXOR_PS_CHECKPOINT` (docs/distributed.md), `kv_checkpoint()` lets the servers write what they hold to their disks, as of what this worker has pushed. With `FLEXOR_PS_POLICY=rollback` the job goes back to it when values are lost; every call is then an error of class `flexor_rolled_back_error` until `kv_recover()`, after which what is pulled is the checkpoint's.
#'
#' Nothing waits but `kv_store()`, `kv_barrier()`, `kv_checkpoint()` and `kv_finish()`; what went wrong in a push or pull is an error where the pulled array is read.
#' @param kind `"local"`, `"dist_sync"`, `"dist_async"` or `"dist_stale"`
#' @param ... settings of the kind, such as `timeout = 60`
#' @param store a store
#' @param n how many rows there are
#' @param values a named list of arrays, by key; several of one key are summed
#' @param out a named list of arrays, which are overwritten
#' @param samples rows of the batch behind what is pushed, by which a mean over workers weighs
#' @param priority what has a higher one is sent first
#' @param optimizer an optimizer, such as `adam(0.001)`, or its name
#' @param name,value a setting of the store's optimizer, and its new value
#' @return `kv_store()`: the store, with `$kind`, `$rank` (from 1) and `$workers`; `shard()`: row numbers; `kv_pull()` and `kv_push_pull()`: `out`; `kv_checkpoint()` and `kv_recover()`: the checkpoint's round, -1 if the job did not go back; the others the store, invisibly
#' @examples
#' store <- kv_store()
#' kv_init(store, list(w = nd_array(c(1, 2))))
#' kv_push(store, list(w = nd_array(c(3, 4)), w = nd_array(c(1, 1))))
#' kv_pull(store, list(w = nd_array(c(0, 0))))$w
#' shard(10, store)
#' @export
kv_store <- function(kind = "local", ...) {
  settings <- list(...)
  if (length(settings) && (is.null(names(settings)) || any(names(settings) == ""))) bad("[kv_store] settings have names, as timeout = 60")
  handle <- flx_store_create(kind, if (length(settings)) vapply(settings, value_text, ""))
  if (flx_store_text(handle, "role") != "worker") {
    while (flx_store_serve(handle, 1000) != FLX_DONE) {}
    quit(save = "no")
  }
  flx_store_join(handle, -1)
  structure(list(handle = handle, kind = flx_store_text(handle, "kind"), rank = as.integer(flx_store_number(handle, "rank")) + 1L,
                 workers = as.integer(flx_store_number(handle, "workers"))), class = "flexor_store")
}
#' @export
print.flexor_store <- function(x, ...) {
  cat("<store ", x$kind, ": worker ", x$rank, " of ", x$workers, ">\n", sep = "")
  invisible(x)
}
store_of <- function(store, who) {
  if (!inherits(store, "flexor_store")) bad("[", who, "] a store was expected, as kv_store() gives it, given ", class(store)[1])
  store$handle
}
keyed <- function(values, who) {
  if (!is.list(values) || is.null(names(values)) || any(names(values) == "")) bad("[", who, "] a named list of arrays was expected, as list(w = a)")
  lapply(values, function(a) if (is_array(a)) a else nd_array(a))
}

#' @rdname kv_store
#' @export
shard <- function(n, store) {
  store_of(store, "shard")
  if (store$rank > n) integer() else as.integer(seq(store$rank, n, by = store$workers))
}
#' @rdname kv_store
#' @export
kv_init <- function(store, values) {
  values <- keyed(values, "kv_init")
  flx_store_init(store_of(store, "kv_init"), names(values), unname(values))
  invisible(store)
}
#' @rdname kv_store
#' @export
kv_push <- function(store, values, samples = 1, priority = 0) {
  values <- keyed(values, "kv_push")
  flx_store_push(store_of(store, "kv_push"), names(values), unname(values), samples, priority)
  invisible(store)
}
#' @rdname kv_store
#' @export
kv_pull <- function(store, out, priority = 0) {
  if (!all(vapply(out, is_array, NA))) bad("[kv_pull] `out` is a named list of arrays that are overwritten; make them with nd_array()")
  out <- keyed(out, "kv_pull")
  flx_store_pull(store_of(store, "kv_pull"), names(out), unname(out), priority)
  out
}
#' @rdname kv_store
#' @export
kv_push_pull <- function(store, values, out = values, samples = 1, priority = 0) {
  values <- keyed(values, "kv_push_pull")
  if (!all(vapply(out, is_array, NA))) bad("[kv_push_pull] `out` is a named list of arrays that are overwritten; make them with nd_array()")
  out <- keyed(out, "kv_push_pull")
  if (!setequal(names(out), names(values)) || anyDuplicated(names(values))) bad("[kv_push_pull] `values` and `out` must have one array for each key, the same keys")
  flx_store_push_pull(store_of(store, "kv_push_pull"), names(values), unname(values), unname(out[names(values)]), samples, priority)
  out
}
#' @rdname kv_store
#' @export
kv_optimizer <- function(store, optimizer) {
  flx_store_optimizer(store_of(store, "kv_optimizer"), optimizer_handle(optimizer))
  invisible(store)
}
#' @rdname kv_store
#' @export
kv_set <- function(store, name, value) {
  flx_store_set(store_of(store, "kv_set"), name, value_text(value))
  invisible(store)
}
#' @rdname kv_store
#' @export
kv_barrier <- function(store) {
  flx_store_barrier(store_of(store, "kv_barrier"), -1)
  invisible(store)
}
#' @rdname kv_store
#' @export
kv_checkpoint <- function(store) {
  flx_store_checkpoint(store_of(store, "kv_checkpoint"), -1)
  invisible(flx_store_number(store_of(store, "kv_checkpoint"), "checkpoint_round"))
}
#' @rdname kv_store
#' @export
kv_recover <- function(store) flx_store_recover(store_of(store, "kv_recover"))
#' @rdname kv_store
#' @export
kv_finish <- function(store) {
  flx_store_finish(store_of(store, "kv_finish"), -1)
  invisible(store)
}

# SPDX-License-Identifier: Apache-2.0
# A model in R: an environment with the core's handle and the model's bytes. A handle dies with its process; the bytes live in R's memory, so that saveRDS,
# workspaces and parallel workers carry the model, and the handle is made again from them when it is first needed.

new_model <- function(handle, network = NULL, shape = NULL, bytes = NULL) {
  m <- new.env(parent = emptyenv())
  m$handle <- handle
  m$bytes <- bytes
  # R functions inside a network are known to one process: with them the layer is made again from the network, not from the bytes.
  m$network <- network
  m$shape <- shape
  class(m) <- "flexor_model"
  m
}



model_bytes <- function(handle) {
  got <- flx_model_to_bytes(handle, -1)
  got[[2L]]
}
# Keeps the bytes of what the handle holds now.
model_keep <- function(m) {
  m$bytes <- model_bytes(m$handle)
  invisible(m)
}
model_handle <- function(m) {
  if (!is.null(m$handle) && is_alive(m$handle)) return(m$handle)
  if (is.null(m$bytes)) flexor_stop("[flexor] this model has no bytes: it was not finished, or it was saved by hand. Fit it again, or save the fit itself.", "state")
  handle <- flx_model_from_bytes(m$bytes, NULL)
  if (!is.null(m$network)) {
    fresh <- flx_model_create(layer_handle(m$network, m$shape), flx_model_params(handle))
    for (key in model_meta_keys(handle)) flx_model_meta_set(fresh, key, flx_model_meta_get(handle, key))
    handle <- fresh
  }
  m$handle <- handle
}
model_meta_keys <- function(handle) vapply(seq_len(flx_model_meta_count(handle)) - 1L, function(i) flx_model_meta_key(handle, i), "")
model_copy <- function(m) new_model(NULL, m$network, m$shape, m$bytes)

model_params <- function(handle) { # a named list of arrays of the core
  params <- flx_model_params(handle)
  if (is.null(params)) return(list())
  index <- seq_len(flx_params_count(params)) - 1L
  out <- lapply(index, function(i) flx_params_at(params, i))
  names(out) <- vapply(index, function(i) flx_params_name(params, i), "")
  out
}

# The core's table of a layer: one row per layer, with output shapes; `shape` is the input's, NA where not known.
layer_table <- function(layer, shape) json_parse(flx_layer_table(layer, c(data = dims_option(shape))))
dims_option <- function(shape) {
  shape <- ifelse(is.na(shape), -1, shape)
  paste0("(", paste(format(shape, scientific = FALSE, trim = TRUE), collapse = ", "), if (length(shape) == 1L) ",", ")")
}
json_shape <- function(s) vapply(s, function(d) if (is.null(d)) NA_real_ else as.numeric(d), 0)

#' @export
print.flexor_model <- function(x, ...) {
  cat(sprintf("<flexor model, %s>\n", if (is.null(x$bytes)) "not yet kept" else size_text(length(x$bytes))))
  invisible(x)
}
size_text <- function(bytes) {
  unit <- max(0, min(3, floor(log(max(bytes, 1), 1024))))
  paste(format(round(bytes / 1024^unit, if (unit) 1 else 0), trim = TRUE), c("bytes", "KiB", "MiB", "GiB")[unit + 1])
}

# SPDX-License-Identifier: Apache-2.0
# Operators run by name: on arrays at once, on symbols as a node of a graph. Prepared calls are kept by name and options.
flx_calls <- new.env(parent = emptyenv(), hash = TRUE)

flx_mode <- function(bits = NULL) .Call(R_swig_flx_r_mode, bits, FALSE)
is_kind <- function(x, kind) .Call(R_swig_flx_r_is, x, kind, FALSE)
is_array <- function(x) .Call(R_swig_flx_r_is, x, "flexor_ndarray", FALSE)
is_symbol <- function(x) .Call(R_swig_flx_r_is, x, "flexor_symbol", FALSE)

call_of <- function(name, options) {
  key <- if (length(options)) paste(c(name, names(options), options), collapse = "\r") else name
  call <- flx_calls[[key]]
  if (is.null(call)) {
    if (length(flx_calls) > 4096L) rm(list = ls(flx_calls, all.names = TRUE), envir = flx_calls)
    call <- flx_call_create(name, options)
    assign(key, call, envir = flx_calls)
  }
  call
}

# The results of operator `name`, a list. `options` are texts (texts() makes them); a NULL array is an optional one that is not given.
call_op <- function(name, arrays = list(), options = NULL) {
  if (is.list(options)) options <- texts(options)
  for (a in arrays) if (is_symbol(a)) return(compose(name, arrays, options))
  for (i in rev(seq_along(arrays))) {
    a <- arrays[[i]]
    if (is.null(a)) arrays[[i]] <- NULL
    else if (!is_array(a)) arrays[[i]] <- nd_array(a, device = place_of(arrays))
  }
  flx_call_run(call_of(name, options), flx_mode(), arrays, NULL)
}
call_one <- function(name, arrays = list(), options = NULL) call_op(name, arrays, options)[[1L]]

flx_nodes <- new.env(parent = emptyenv())
node_name <- function(op) {
  op <- tolower(sub("^_+", "", op))
  flx_nodes[[op]] <- n <- (if (is.null(flx_nodes[[op]])) -1L else flx_nodes[[op]]) + 1L
  paste0(op, n)
}
# Arrays among symbols are constants, which a symbol cannot hold; plain numbers are told apart by the arithmetic before it comes to this.
compose <- function(name, arrays, options) {
  if (!all(vapply(arrays, function(a) is.null(a) || is_symbol(a), NA)))
    flx_raise(FLX_ERROR_UNSUPPORTED, paste0("[", name, "] a layer of one's own is traced when it is fitted or saved, and then all it works on is its input and its parameters, ",
      "given an array or R values besides. Make it a parameter, or compute it from the input."))
  arrays <- Filter(Negate(is.null), arrays)
  out <- flx_symbol_compose(name, node_name(name), arrays, NULL, options)
  n <- flx_symbol_count(out, FLX_OUTPUT)
  if (n == 1L) list(out) else lapply(seq_len(n) - 1L, function(i) flx_symbol_at(out, FLX_OUTPUT, i))
}

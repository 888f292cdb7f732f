# SPDX-License-Identifier: Apache-2.0
#' Gradients of a function
#'
#' Runs `f(params)` in training mode and gives the gradient of its result, one number, with respect to every array of `params`.
#'
#' Inside `f` random layers such as dropout are active and running means are updated. A gradient inside of another gradient is recorded itself, so that second
#' derivatives are gradients of gradients. Running means and other states in `params` (see [init_params()]) have no gradient and are left out.
#' @param params an array, or a list of arrays as [init_params()] gives
#' @param f a function of `params` that returns an array of one element, such as a mean loss
#' @param train whether layers are in training mode
#' @return like `params`: a list of gradients under the same names, and `$value`, the function's result; for a single array its gradient is `$x`
#' @examples
#' w <- list(w = nd_array(c(1, 2, 3)))
#' g <- gradient(w, function(p) sum(p$w^2))
#' g$w
#' g$value
#' @export
gradient <- function(params, f, train = TRUE) {
  single <- is_array(params)
  arrays <- if (single) list(params) else flatten_arrays(params)
  states <- attr(params, "states")
  wanted <- if (single) 1L else which(!(names(arrays) %in% states))
  odd <- which(!vapply(arrays, is_array, NA))
  if (length(odd)) bad("[gradient] `params` is an array or a list of arrays, given ", class(arrays[[odd[1]]])[1], " in it")
  if (!length(wanted)) bad("[gradient] `params` holds no array that has a gradient")
  for (a in arrays[wanted]) if (!flx_autograd_recorded(a)) flx_autograd_attach(a, "write", NULL)
  random_sync()
  before <- flx_mode()
  hosts <- flx_state$recorded
  on.exit(flx_mode(before))
  flx_mode(bitwOr(FLX_RECORD, if (train) FLX_TRAIN else 0L))
  value <- f(params)
  flx_mode(before)
  if (!is_array(value) || length(value) != 1L)
    bad("[gradient] the function must give an array of one element, as mean(loss) does; it gave ", if (is_array(value)) paste("one of", shape_text(dim(value))) else class(value)[1],
        status = FLX_ERROR_SHAPE)
  mode <- if (bitwAnd(before, FLX_RECORD)) bitwOr(FLX_CREATE_GRAPH, FLX_RETAIN) else 0L
  if (!flx_autograd_recorded(value)) bad("[gradient] the function's result does not depend on `params` in a way that was recorded: everything in between must be arrays", status = FLX_ERROR_STATE)
  grads <- if (identical(hosts, flx_state$recorded)) flx_autograd_gradients(list(value), NULL, arrays[wanted], mode)
           else flx_task_arrays(run_task(flx_autograd_start(list(value), NULL, arrays[wanted], mode)))
  if (single) names(arrays) <- "x"
  names(grads) <- names(arrays)[wanted]
  structure(grads, value = value, class = "flexor_gradient")
}

flatten_arrays <- function(params) {
  if (!is.list(params)) bad("[gradient] `params` is an array or a list of arrays, given ", class(params)[1])
  if (is.null(names(params))) names(params) <- as.character(seq_along(params))
  unclass(params)
}

#' @export
`$.flexor_gradient` <- function(x, name) if (name == "value" && !"value" %in% names(x)) attr(x, "value") else unclass(x)[[name]]
#' @export
print.flexor_gradient <- function(x, ...) {
  cat("<gradient> of the value ", format(as.numeric(attr(x, "value"))), " by\n", sep = "")
  for (n in names(x)) cat("  ", n, ": ", paste(dim(unclass(x)[[n]]), collapse = " x "), "\n", sep = "")
  invisible(x)
}

#' An operation with a gradient of its own
#'
#' Makes an operation of two plain functions of R on plain matrices and arrays: what it computes, and its gradient. They run on R's thread, wherever the
#' operation is used: at once, in a [gradient()], in a layer, in a fit.
#' @param name its name in messages and summaries
#' @param forward a function of the inputs that gives the output, or a list of outputs
#' @param backward a function of the gradient of each output, each input and each output, in this order, that gives the gradient of each input (a list of them
#'   if there are several, NULL for none). Without it the operation has no gradient.
#' @return a function of arrays
#' @examples
#' clip01 <- new_operator("clip01", forward = function(x) pmin(pmax(x, 0), 1),
#'                        backward = function(dy, x, y) dy * (x > 0 & x < 1))
#' x <- nd_array(c(-1, 0.5, 2))
#' clip01(x)
#' gradient(list(x = x), function(p) sum(clip01(p$x)))$x
#' @export
new_operator <- function(name, forward, backward = NULL) {
  if (!is.function(forward) || !(is.null(backward) || is.function(backward))) bad("[new_operator] `forward` and `backward` are functions")
  self <- new.env(parent = emptyenv())
  as_list <- function(out) if (is.list(out) && !is.data.frame(out)) out else list(out)
  run <- function(arrays) {
    outputs <- as_list(do.call(forward, lapply(arrays, as_r)))
    lapply(outputs, function(o) if (is_array(o)) o else from_r(o, arrays[[1L]]))
  }
  host <- function(what, arrays) {
    if (what == "forward") return(run(arrays))
    grads <- as_list(do.call(backward, lapply(arrays, as_r)))
    n <- self$inputs
    if (length(grads) != n) bad("[", name, "] backward gives one gradient for each of the ", n, " inputs, given ", length(grads))
    first <- arrays[[1L]]
    lapply(grads, function(g) if (is.null(g) || is_array(g)) g else from_r(g, first))
  }
  token <- function() {
    forget_hosts()
    if (!has_host(self$token)) self$token <- host_function(host)
    self$token
  }
  op <- function(...) {
    inputs <- list(...)
    self$inputs <- length(inputs)
    for (x in inputs) if (is_symbol(x)) return(one_or_all(compose("_host", inputs, c(token = number_text(token()), label = name))))
    inputs <- arrays_together(inputs)
    mode <- flx_mode(0L)
    on.exit(flx_mode(mode))
    outputs <- run(inputs)
    if (bitwAnd(mode, FLX_RECORD) && !is.null(backward)) {
      flx_autograd_record(token(), inputs, outputs)
      flx_state$recorded <- (if (is.null(flx_state$recorded)) 0 else flx_state$recorded) + 1
    }
    one_or_all(outputs)
  }
  structure(op, class = c("flexor_operator", "function"), name = name)
}
as_r <- function(a) if (is.null(a)) NULL else { v <- as.array(a); if (length(dim(v)) == 1L) as.vector(v) else v }
from_r <- function(v, like) nd_array(v, dtype_of(like), device = place_of(like))
#' @export
print.flexor_operator <- function(x, ...) {
  cat("<operator ", attr(x, "name"), " of one's own>\n", sep = "")
  invisible(x)
}

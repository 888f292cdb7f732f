# SPDX-License-Identifier: Apache-2.0
# Networks: a description that R holds as plain values (so saveRDS keeps it), a layer of the library made of it when it is wanted, and a function to call.

#' A network
#'
#' `network()` is an empty one; `network() |> layer_dense(10)` puts a layer behind it, and so on. It describes layers and holds no parameters: those are a
#' list that [init_params()] makes, or part of a fitted model. A network is a function: `net(x, params)` is its output for `x`.
#' @param ... networks, which are joined
#' @return a function of class `flexor_network`
#' @examples
#' net <- network() |> layer_dense(8, activation = "relu") |> layer_dense(2)
#' net
#' p <- init_params(net, input = c(NA, 3), seed = 1)
#' net(matrix(1:6, 2), p)
#' @export
network <- function(...) make_network(do.call(c, lapply(list(...), network_layers)))

make_network <- function(layers) {
  self <- new.env(parent = environment(make_network))
  self$self <- self
  self$layers <- layers
  f <- eval(quote(function(x, params = NULL) run_network(self, x, params)), self)
  structure(f, class = c("flexor_network", "function"))
}
is_network <- function(x) inherits(x, "flexor_network")
network_layers <- function(net) {
  if (!is_network(net)) bad("[network] a network was expected, as network() gives, given ", class(net)[1], ". Layers go behind one: network() |> layer_dense(10)")
  environment(net)$layers
}

# A layer of the library behind a network, or (with one argument more) another network.
add_layer <- function(network, kind, name = NULL, settings = NULL, children = list()) {
  before <- network_layers(network)
  if (is_network(kind)) return(make_network(c(before, network_layers(kind))))
  children <- lapply(children, network_layers)
  flx_layer_create(kind, name, settings) # a wrong setting is told where it was written
  make_network(c(before, list(list(kind = kind, name = name, settings = settings, children = children))))
}

#' A layer of one's own
#'
#' Makes a layer from the shapes of its parameters and a function. It runs on arrays in loops of one's own, and is traced into the model when it is fitted or
#' saved, so that other languages can run it.
#' @param name its name in summaries
#' @param params a function of the input's sizes (the batch is `NA`) that gives a list of [param()]; NULL: no parameters
#' @param forward a function of the input and the list of parameters that gives the output. Where it is traced, sizes of the batch are not known: write
#'   `x * p$scale`, not what depends on `dim(x)[1]`.
#' @return a function that puts the layer behind a network: `net |> my_layer()`
#' @examples
#' scale_shift <- new_layer("scale_shift",
#'   params  = function(input) list(scale = param(input[-1], "ones"),
#'                                  shift = param(input[-1], "zeros")),
#'   forward = function(x, p) x * p$scale + p$shift)
#' network() |> layer_flatten() |> scale_shift() |> layer_dense(10)
#' @export
new_layer <- function(name, params = NULL, forward) {
  if (!is.function(forward)) bad("[new_layer] `forward` is a function of the input and its parameters")
  definition <- list(kind = "own", name = name, params = params, forward = forward)
  function(network) make_network(c(network_layers(network), list(definition)))
}

#' @rdname new_layer
#' @param dim the parameter's sizes
#' @param initializer how it begins: a name (`"ones"`, `"zeros"`, `"xavier"`, `"Normal(sigma=0.02)"`) or an initializer such as [init_normal()]
#' @export
param <- function(dim, initializer = "Xavier") {
  if (anyNA(dim)) bad("[param] a parameter's sizes must be known: leave the batch out, as input[-1] does", status = FLX_ERROR_SHAPE)
  structure(list(dim = as.numeric(dim), initializer = value_text(initializer)), class = "flexor_param")
}

is_own <- function(layer) identical(layer$kind, "own")
has_own <- function(layers) any(vapply(layers, function(l) is_own(l) || any(vapply(l$children, has_own, NA)), NA))

core_layer <- function(layer, shape = NULL) {
  if (is_own(layer)) return(traced_layer(layer, shape))
  h <- flx_layer_create(layer$kind, layer$name, layer$settings)
  for (child in layer$children) flx_layer_add(h, if (length(child) == 1L) core_layer(child[[1L]], shape) else sequence_of(child, shape))
  h
}
sequence_of <- function(layers, shape = NULL) {
  h <- flx_layer_create("Sequential", NULL, NULL)
  own <- has_own(layers)
  for (layer in layers) {
    one <- core_layer(layer, shape)
    flx_layer_add(h, one)
    if (own) shape <- output_shape(one, shape)
  }
  h
}
shape_options <- function(shape) c(data = tuple_text(shape))
output_shape <- function(handle, shape) {
  out <- flx_layer_apply(handle, "", list(flx_symbol_variable("data", c(shape = tuple_text(shape)))))
  flx_symbol_shape(flx_symbol_infer(out, NULL, 0L), FLX_OUTPUT, 0L)[[3]]
}
traced_layer <- function(layer, shape) {
  if (is.null(shape)) bad("[", layer$name, "] a layer of one's own needs the input's shape here: give `input`", status = FLX_ERROR_STATE)
  x <- flx_symbol_variable("data", c(shape = tuple_text(c(NA, shape[-1L])))) # any batch
  p <- own_params(layer, shape)
  vars <- Map(function(q, n) flx_symbol_variable(n, c(shape = tuple_text(q$dim), init = q$initializer)), p, names(p))
  out <- layer$forward(x, vars)
  if (!is_symbol(out)) bad("[", layer$name, "] forward must compute its result from the input by operators; it gave ", class(out)[1])
  flx_layer_from_symbol(out, layer$name, "data")
}
own_params <- function(layer, shape) {
  p <- if (is.null(layer$params)) list() else layer$params(c(NA, shape[-1L]))
  odd <- if (is.list(p)) names(p)[!vapply(p, inherits, NA, "flexor_param")] else "all of it"
  if (!is.list(p) || length(odd) || (length(p) && is.null(names(p)))) bad("[", layer$name, "] `params` gives a named list of param()")
  p
}

# The library's layer of a network. `shape` is the input's, with the batch; only layers of one's own need it, and are traced with it.
layer_handle <- function(net, shape = NULL) {
  self <- environment(net)
  own <- has_own(self$layers)
  if (!is.null(shape)) shape[is.na(shape)] <- 1
  key <- if (own) paste(shape[-1L], collapse = "x") else "any"
  if (!is.list(self$handles)) self$handles <- list()
  h <- self$handles[[key]]
  if (is.null(h) || !is_alive(h)) self$handles[[key]] <- h <- sequence_of(self$layers, if (own) shape)
  h
}
is_alive <- function(h) .Call(R_swig_flx_r_alive, h, FALSE)

params_handle <- function(params) {
  if (is_kind(params, "flexor_params")) return(params)
  h <- flx_params_create()
  for (n in names(params)) flx_params_set(h, n, params[[n]])
  h
}

run_network <- function(self, x, params) {
  if (!is_array(x)) x <- nd_array(x, device = if (is.list(params)) place_of(params))
  if (!is.null(params) && !is.list(params) && !is_kind(params, "flexor_params")) bad("[network] `params` is a list of arrays, as init_params() gives, given ", class(params)[1])
  if (is.list(params)) params <- lapply(unclass(params), function(a) if (is_array(a)) a else nd_array(a))
  if (!any(vapply(self$layers, is_own, NA))) {
    h <- self$handles[["any"]]
    if (is.null(h) || !is_alive(h)) h <- layer_handle_of(self, dim(x))
    return(one_or_all(flx_layer_run(h, params_handle(params), flx_mode(), list(x))))
  }
  for (k in seq_along(self$layers)) {
    layer <- self$layers[[k]]
    prefix <- paste0(k - 1L, ".")
    mine <- params[startsWith(names(params), prefix)]
    names(mine) <- substring(names(mine), nchar(prefix) + 1L)
    if (is_own(layer)) {
      wanted <- names(own_params(layer, dim(x)))
      if (length(lost <- setdiff(wanted, names(mine)))) bad("[", layer$name, "] `params` has no ", paste0(prefix, lost, collapse = ", "), status = FLX_ERROR_STATE)
      x <- layer$forward(x, mine)
    } else {
      key <- paste0("layer", k, if (has_own(list(layer))) paste(dim(x)[-1L], collapse = "x"))
      h <- self$handles[[key]]
      if (is.null(h) || !is_alive(h)) {
        if (!is.list(self$handles)) self$handles <- list()
        self$handles[[key]] <- h <- core_layer(layer, dim(x))
      }
      x <- one_or_all(flx_layer_run(h, params_handle(mine), flx_mode(), list(x)))
    }
  }
  x
}
layer_handle_of <- function(self, shape) {
  net <- structure(function() NULL, class = "flexor_network")
  environment(net) <- self
  layer_handle(net, shape)
}

#' First values of a network's parameters
#'
#' @param network a network
#' @param input the input's sizes, `NA` for the batch
#' @param seed decides the values; without it, it is drawn from R's generator, so that `set.seed()` makes them repeatable
#' @param initializer for parameters whose layer says nothing: a name or an initializer such as [init_normal()]; NULL: Xavier
#' @param dtype of the parameters
#' @param device where they are made, as `"gpu(0)"`; NULL: on the CPU. They have the same values everywhere; [to_device()] moves them.
#' @return a named list of arrays. Attribute `states` names those that training changes without a gradient, such as running means.
#' @examples
#' net <- network() |> layer_dense(2)
#' init_params(net, input = c(NA, 3), seed = 1)
#' @export
init_params <- function(network, input, seed = NULL, initializer = NULL, dtype = "float32", device = NULL) {
  network_layers(network)
  input[is.na(input)] <- 1
  if (is.null(seed)) seed <- draw_seed()
  p <- flx_params_init(layer_handle(network, input), c(shape_options(input), dtype = dtype, device = device), initializer_handle(initializer), seed)
  params_list(p)
}
initializer_handle <- function(x) {
  if (is.null(x)) NULL
  else if (inherits(x, "flexor_initializer")) flx_initializer_create(x$name, x$settings)
  else flx_initializer_create(x, NULL)
}
params_list <- function(handle) {
  n <- flx_params_count(handle)
  flx_params_attach(handle, "write")
  out <- lapply(seq_len(n) - 1L, function(i) flx_params_at(handle, i))
  names(out) <- vapply(seq_len(n) - 1L, function(i) flx_params_name(handle, i), "")
  states <- names(out)[vapply(out, function(a) is.null(flx_autograd_grad(a)), NA)]
  structure(out, class = "flexor_parameters", states = if (length(states)) states)
}
#' @export
print.flexor_parameters <- function(x, ...) {
  cat("<", length(x), " parameters>\n", sep = "")
  for (n in names(x)) cat("  ", format(n, width = max(nchar(names(x)))), "  ", dtype_of(x[[n]]), " ", paste(dim(x[[n]]), collapse = " x "), if (!is.null(at <- place_of(x[[n]]))) paste0(" on ", at), if (n %in% attr(x, "states")) "  (state)", "\n", sep = "")
  invisible(x)
}
#' @export
`[.flexor_parameters` <- function(x, i) structure(unclass(x)[i], class = "flexor_parameters", states = intersect(attr(x, "states"), names(unclass(x)[i])))

layer_line <- function(layer, indent = "  ") {
  settings <- layer$settings
  line <- paste0(indent, if (is.null(layer$name)) layer$kind else layer$name, "(", paste(names(settings), settings, sep = " = ", collapse = ", "), ")")
  c(line, unlist(lapply(layer$children, function(child) unlist(lapply(child, layer_line, paste0(indent, "  "))))))
}
#' @rdname network
#' @param x a network
#' @export
print.flexor_network <- function(x, ...) {
  layers <- network_layers(x)
  cat("<network> of ", length(layers), if (length(layers) == 1L) " layer\n" else " layers\n", sep = "")
  for (l in layers) cat(paste0(layer_line(l), "\n"), sep = "")
  invisible(x)
}
#' @rdname network
#' @param object a network
#' @param input the input's sizes, `NA` for the batch
#' @export
summary.flexor_network <- function(object, input, ...) {
  input[is.na(input)] <- 1
  structure(list(text = flx_layer_summary(layer_handle(object, input), shape_options(input), min(getOption("width"), 120L))), class = "summary.flexor_network")
}
#' @export
print.summary.flexor_network <- function(x, ...) {
  cat(x$text)
  invisible(x)
}

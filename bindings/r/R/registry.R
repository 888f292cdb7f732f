# SPDX-License-Identifier: Apache-2.0
# What the functions made from the registry (registered.R) lean on: settings as texts, indices that count from 1, inputs that are lists.
tuple_of <- function(x) if (is.null(x)) "None" else tuple_text(x)

zero_based <- function(x, what) {
  if (is.null(x)) return(NULL)
  if (!is.numeric(x) && !all(is.na(x))) bad("[", what, "] whole numbers were expected, given ", class(x)[1])
  if (any(x == 0, na.rm = TRUE)) bad("[", what, "] counts from 1 (negative: from the end), given 0", status = FLX_ERROR_INDEX)
  ifelse(is.na(x) | x < 0, x, x - 1)
}
axis_text <- function(x, tuple) {
  x <- zero_based(x, "axis")
  if (is.null(x)) "None" else if (tuple || length(x) != 1L) tuple_text(x) else number_text(as.numeric(x))
}
begin_text <- function(x, tuple) {
  x <- zero_based(x, "begin")
  if (is.null(x)) "None" else if (tuple) tuple_text(x) else number_text(as.numeric(x))
}

several <- function(...) {
  x <- list(...)
  if (length(x) == 1L && is.list(x[[1]]) && !is.data.frame(x[[1]])) x[[1]] else x
}
one_or_all <- function(out) if (length(out) == 1L) out[[1L]] else out

# Indices and classes count from 1 in R, from 0 in the library. With `like`, labels of its shape are probabilities and stay as they are.
from_one <- function(x, like = NULL) {
  if (is.null(x)) return(NULL)
  if (is.factor(x)) x <- as.integer(x)
  if (!is.null(like) && !is_symbol(x) && identical(as.numeric(if (is.null(dim(x))) length(x) else dim(x)), as.numeric(dim(like)))) return(x)
  if (is_symbol(x) || is_array(x)) call_one("_minus_scalar", list(x), c(scalar = "1")) else x - 1
}
to_one <- function(out) c(list(call_one("_plus_scalar", out[1L], c(scalar = "1"))), out[-1L])
indices_out <- function(out, what) {
  if (what == "indices") return(to_one(out))
  if (what == "both") return(c(out[1L], to_one(out[2L])))
  out
}
indices_from_one <- function(network) add_layer(network, "Operator", "FromOne", c(op = "_minus_scalar", attrs = "scalar=1"))

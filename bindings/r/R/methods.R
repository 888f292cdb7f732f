# SPDX-License-Identifier: Apache-2.0
# R's functions on arrays: mathematics, summaries, matrix products, joining. The same for symbols, which a layer of one's own is traced with.
matmul <- function(x, y) {
  if (is_array(x) && is_array(y) && dtype_of(x) == dtype_of(y)) return(.Call(R_swig_flx_r_quick, "dot", x, y, FALSE))
  if (is_symbol(x) || is_symbol(y)) return(call_one("dot", list(x, y)))
  if (!is_array(x)) x <- nd_array(x, dtype_of(y), device = place_of(y))
  if (!is_array(y)) y <- nd_array(y, dtype_of(x), device = place_of(x))
  call_one("dot", common_dtype(x, y))
}
setOldClass("flexor_ndarray")
setOldClass("flexor_symbol")
if (getRversion() < "4.3.0") {
  setMethod("show", "flexor_ndarray", function(object) print(object))
  setMethod("show", "flexor_symbol", function(object) print(object))
  for (one in c("flexor_ndarray", "flexor_symbol")) {
    setMethod("%*%", signature(one, "ANY"), function(x, y) matmul(x, y))
    setMethod("%*%", signature("ANY", one), function(x, y) matmul(x, y))
    for (other in c("flexor_ndarray", "flexor_symbol")) setMethod("%*%", signature(one, other), function(x, y) matmul(x, y))
  }
  rm(one, other)
}

flx_math <- c(abs = "abs", sign = "sign", sqrt = "sqrt", floor = "floor", ceiling = "ceil", trunc = "trunc", exp = "exp", expm1 = "expm1", log1p = "log1p", cos = "cos",
              sin = "sin", tan = "tan", cosh = "cosh", sinh = "sinh", tanh = "tanh", acos = "arccos", asin = "arcsin", atan = "arctan", acosh = "arccosh", asinh = "arcsinh",
              atanh = "arctanh", gamma = "gamma", lgamma = "gammaln", log2 = "log2", log10 = "log10")

#' Mathematics and summaries of arrays
#'
#' R's functions, element by element or over all elements. The result is an array, also of one element: `as.numeric()` makes a number of it.
#' @param x,a an array
#' @param ... more arrays for `sum`, `prod`, `max`, `min`; `digits` for `round`, `base` for `log`
#' @param na.rm whether NaN is left out (`sum`, `prod`)
#' @param axis the axes, from 1, negative from the end; NULL: all
#' @param keepdims whether these axes stay, with size 1
#' @param perm the order of the axes
#' @param resize not used
#' @return an array
#' @name Math.flexor_ndarray
#' @examples
#' x <- nd_array(matrix(1:6, 2))
#' sqrt(x)
#' sum(x)
#' mean(x, axis = 1)
#' aperm(x, c(2, 1))
#' @export
#' @symbols
Math.flexor_ndarray <- function(x, ...) {
  if (.Generic == "round") return(round_array(x, ...))
  if (.Generic == "log") return(log_array(x, ...))
  name <- unname(flx_math[.Generic])
  if (is.na(name)) bad("[", .Generic, "] is not there for arrays. ", .Generic, "(as.array(x)) works on R's values.", status = FLX_ERROR_UNSUPPORTED)
  call_one(name, list(x))
}
round_array <- function(x, digits = 0) { # R rounds a half to the even neighbour
  if (digits != 0) return(round_array(x * 10^digits) / 10^digits)
  up <- floor(x + 0.5)
  up - arith(6L, up, x + 0.5) * (up %% 2)
}
log_array <- function(x, base) if (missing(base)) call_one("log", list(x)) else call_one("log", list(x)) / log(base)

#' @rdname Math.flexor_ndarray
#' @export
#' @symbols
Summary.flexor_ndarray <- function(..., na.rm = FALSE) {
  parts <- list(...)
  name <- switch(.Generic, sum = if (na.rm) "nansum" else "_np_sum", prod = if (na.rm) "nanprod" else "_np_prod", max = "_np_max", min = "_np_min",
                 bad("[", .Generic, "] is not there for arrays. ", .Generic, "(as.array(x)) works on R's values.", status = FLX_ERROR_UNSUPPORTED))
  parts <- lapply(parts, function(p) call_one(name, list(if (is_array(p)) no_bool(p) else p)))
  join <- switch(.Generic, sum = 0L, prod = 2L, max = 12L, min = 13L)
  Reduce(function(a, b) arith(join, a, b), parts)
}
#' @rdname Math.flexor_ndarray
#' @export
#' @symbols
mean.flexor_ndarray <- function(x, axis = NULL, keepdims = FALSE, ...) {
  x <- no_bool(x)
  call_one("_np_mean", list(x), if (!is.null(axis) || keepdims) c(axis = axis_text(axis, TRUE), keepdims = value_text(keepdims)))
}
#' @rdname Math.flexor_ndarray
#' @export
#' @symbols
t.flexor_ndarray <- function(x) {
  if (is_array(x) && length(dim(x)) == 1L) return(reshape_to(x, c(1, length(x))))
  call_one("transpose", list(x))
}
#' @rdname Math.flexor_ndarray
#' @export
#' @symbols
aperm.flexor_ndarray <- function(a, perm = NULL, resize = TRUE, ...) call_one("transpose", list(a), if (!is.null(perm)) c(axes = axis_text(perm, TRUE)))

#' The larger or smaller of two, element by element
#'
#' What `pmax` and `pmin` are for R's vectors.
#' @param x,y arrays, or numbers of R
#' @return an array; NaN where either is
#' @examples
#' nd_maximum(nd_array(c(-1, 2)), 0)
#' @export
nd_maximum <- function(x, y) arith(12L, x, y)
#' @rdname nd_maximum
#' @export
nd_minimum <- function(x, y) arith(13L, x, y)

#' Join arrays
#'
#' `c` joins the elements of vectors, `cbind` and `rbind` matrices by columns and rows. [nd_concat()] joins along any axis, [nd_stack()] along a new one.
#' @param ... arrays, and R's vectors and matrices
#' @param deparse.level not used
#' @return an array
#' @name cbind.flexor_ndarray
#' @examples
#' x <- nd_array(matrix(1:4, 2))
#' cbind(x, c(5, 6))
#' rbind(x, x)
#' @export
cbind.flexor_ndarray <- function(..., deparse.level = 1) bind(list(...), 2L)
#' @rdname cbind.flexor_ndarray
#' @export
rbind.flexor_ndarray <- function(..., deparse.level = 1) bind(list(...), 1L)
#' @rdname cbind.flexor_ndarray
#' @export
c.flexor_ndarray <- function(...) {
  near <- place_of(list(...))
  parts <- lapply(list(...), function(p) if (is_array(p)) { if (length(dim(p)) > 1L) reshape_to(call_one("transpose", list(p)), length(p)) else p } else nd_array(as.vector(p), device = near))
  call_one("Concat", same_dtype(parts), c(num_args = as.character(length(parts)), dim = "0"))
}
bind <- function(parts, axis) {
  parts <- Filter(Negate(is.null), parts)
  near <- place_of(parts)
  n <- max(vapply(parts, function(p) if (length(dim(p)) == 2L) dim(p)[3L - axis] else 0L, 0L))
  if (n == 0) n <- max(lengths(parts))
  parts <- lapply(parts, function(p) {
    if (!is_array(p)) p <- nd_array(if (is.null(dim(p))) rep_len(p, n) else p, device = near)
    if (length(dim(p)) == 1L) reshape_to(p, if (axis == 2L) c(length(p), 1) else c(1, length(p))) else p
  })
  call_one("Concat", same_dtype(parts), c(num_args = as.character(length(parts)), dim = as.character(axis - 1L)))
}
same_dtype <- function(parts) {
  dtypes <- vapply(parts, dtype_of, "")
  to <- names(which.max(flx_ranks[dtypes]))
  lapply(parts, function(p) if (dtype_of(p) == to) p else call_one("Cast", list(p), c(dtype = to)))
}
#' @rdname dim.flexor_ndarray
#' @export
as.list.flexor_ndarray <- function(x, ...) lapply(seq_len(dim(x)[1L]), function(i) flx_ndarray_at(x, i - 1L, flx_mode()))
#' @rdname dim.flexor_ndarray
#' @export
is.na.flexor_ndarray <- function(x) x != x
#' @rdname dim.flexor_ndarray
#' @param target,current two arrays, or an array and R's values
#' @param ... goes on
#' @export
all.equal.flexor_ndarray <- function(target, current, ...) all.equal(as.array(target), if (is_array(current)) as.array(current) else current, ...)

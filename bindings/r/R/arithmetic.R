# SPDX-License-Identifier: Apache-2.0
# R's operators and functions on arrays. The order of flx_operators is that of the table in bindings/swig/r_arrays.i, which does the common cases.
flx_operators <- c("+", "-", "*", "/", "^", "%%", "==", "!=", ">", "<", ">=", "<=", "pmax", "pmin")
flx_binary <- c("broadcast_add", "broadcast_sub", "broadcast_mul", "broadcast_div", "broadcast_power", "broadcast_mod", "broadcast_equal", "broadcast_not_equal",
                "broadcast_greater", "broadcast_lesser", "broadcast_greater_equal", "broadcast_lesser_equal", "broadcast_maximum", "broadcast_minimum")
flx_right <- c("_plus_scalar", "_minus_scalar", "_mul_scalar", "_div_scalar", "_power_scalar", "_mod_scalar", "_equal_scalar", "_not_equal_scalar",
               "_greater_scalar", "_lesser_scalar", "_greater_equal_scalar", "_lesser_equal_scalar", "_maximum_scalar", "_minimum_scalar")
flx_left <- replace(flx_right, c(2, 4, 5, 6, 9, 10, 11, 12), c("_rminus_scalar", "_rdiv_scalar", "_rpower_scalar", "_rmod_scalar", "_lesser_scalar", "_greater_scalar",
                                                              "_lesser_equal_scalar", "_greater_equal_scalar"))

arith <- function(which, x, y) .Call(R_swig_flx_r_arith, which, x, y, FALSE, FALSE)
# What is left: symbols, vectors and matrices of R, and arrays of unequal dtypes.
arith_slow <- function(which, x, y) {
  if (is_symbol(x) || is_symbol(y)) {
    if (is_symbol(x) && is_symbol(y)) return(call_one(flx_binary[which + 1L], list(x, y)))
    number <- if (is_symbol(x)) y else x
    if (is.numeric(number) && length(number) == 1L)
      return(call_one((if (is_symbol(x)) flx_right else flx_left)[which + 1L], list(if (is_symbol(x)) x else y), c(scalar = number_text(as.numeric(number)))))
    return(call_one(flx_binary[which + 1L], list(x, y)))
  }
  if (!is_array(x)) x <- like_r(x, y)
  if (!is_array(y)) y <- like_r(y, x)
  both <- common_dtype(x, y)
  .Call(R_swig_flx_r_arith, which, both[[1]], both[[2]], TRUE, FALSE)
}
# R's values beside an array, by R's rules: a vector is recycled down the columns, a matrix or array must have the array's sizes (or 1).
like_r <- function(v, array) {
  if (!is.numeric(v) && !is.logical(v)) bad("numbers or arrays were expected, given ", class(v)[1], status = FLX_ERROR_TYPE)
  size <- dim(array)
  dtype <- if (dtype_of(array) %in% flx_floats) dtype_of(array) else "float32"
  if (is.null(dim(v)) && length(v) != 1L) {
    if (length(v) == prod(size)) dim(v) <- size
    else {
      k <- match(length(v), cumprod(size))
      if (is.na(k)) bad("a vector of ", length(v), " elements does not go into an array of ", shape_text(size), " evenly", status = FLX_ERROR_SHAPE)
      dim(v) <- c(size[seq_len(k)], rep(1L, length(size) - k))
    }
  }
  nd_array(v, dtype, dim = if (is.null(dim(v)) && length(v) == 1L) rep(1L, max(1L, length(size))) else NULL, device = place_of(array))
}
flx_ranks <- c(bool = 0, uint8 = 1, int8 = 2, uint16 = 3, int16 = 4, uint32 = 5, int32 = 6, uint64 = 7, int64 = 8, bfloat16 = 9, float16 = 10, float32 = 11, float64 = 12)
common_dtype <- function(x, y) {
  a <- dtype_of(x)
  b <- dtype_of(y)
  to <- if (flx_ranks[[a]] >= flx_ranks[[b]]) a else b
  list(if (a == to) x else call_one("Cast", list(x), c(dtype = to)), if (b == to) y else call_one("Cast", list(y), c(dtype = to)))
}
as_bool <- function(x) if (is_array(x)) call_one("Cast", list(x), c(dtype = "bool")) else x
no_bool <- function(x) if (is_array(x) && dtype_of(x) == "bool") call_one("Cast", list(x), c(dtype = "float32")) else x

#' Arithmetic on arrays
#'
#' Arithmetic, comparison and logic element by element, and matrix products.
#'
#' Between two arrays axes of size 1 are stretched. A vector of R beside an array is recycled down the columns as R does; plain numbers never change the
#' array's dtype. Arrays of unequal dtypes meet in the wider one, floating-point before integers. Comparisons give bool arrays.
#' @param e1,e2,x,y arrays, or numbers of R
#' @return an array
#' @name Ops.flexor_ndarray
#' @aliases %*%,flexor_ndarray,ANY-method %*%,ANY,flexor_ndarray-method %*%,flexor_symbol,ANY-method %*%,ANY,flexor_symbol-method %*%,flexor_ndarray,flexor_ndarray-method %*%,flexor_ndarray,flexor_symbol-method %*%,flexor_symbol,flexor_ndarray-method %*%,flexor_symbol,flexor_symbol-method show,flexor_ndarray-method show,flexor_symbol-method
#' @examples
#' x <- nd_array(matrix(1:4, 2))
#' 1 / (x + c(10, 20))
#' x > 2
#' x %*% t(x)
NULL
#' @export
#' @symbols
`+.flexor_ndarray` <- function(e1, e2) if (missing(e2)) e1 else .Call(R_swig_flx_r_arith, 0L, e1, e2, FALSE, FALSE)
#' @export
#' @symbols
`-.flexor_ndarray` <- function(e1, e2) if (missing(e2)) call_one("negative", list(e1)) else .Call(R_swig_flx_r_arith, 1L, e1, e2, FALSE, FALSE)
#' @export
#' @symbols
`*.flexor_ndarray` <- function(e1, e2) .Call(R_swig_flx_r_arith, 2L, e1, e2, FALSE, FALSE)
#' @export
#' @symbols
`/.flexor_ndarray` <- function(e1, e2) .Call(R_swig_flx_r_arith, 3L, e1, e2, FALSE, FALSE)
#' @export
#' @symbols
`^.flexor_ndarray` <- function(e1, e2) .Call(R_swig_flx_r_arith, 4L, e1, e2, FALSE, FALSE)
#' @export
#' @symbols
`%%.flexor_ndarray` <- function(e1, e2) .Call(R_swig_flx_r_arith, 5L, e1, e2, FALSE, FALSE)
#' @export
#' @symbols
`%/%.flexor_ndarray` <- function(e1, e2) call_one("floor", list(arith(3L, e1, e2)))
#' @export
#' @symbols
`==.flexor_ndarray` <- function(e1, e2) as_bool(arith(6L, e1, e2))
#' @export
#' @symbols
`!=.flexor_ndarray` <- function(e1, e2) as_bool(arith(7L, e1, e2))
#' @export
#' @symbols
`>.flexor_ndarray` <- function(e1, e2) as_bool(arith(8L, e1, e2))
#' @export
#' @symbols
`<.flexor_ndarray` <- function(e1, e2) as_bool(arith(9L, e1, e2))
#' @export
#' @symbols
`>=.flexor_ndarray` <- function(e1, e2) as_bool(arith(10L, e1, e2))
#' @export
#' @symbols
`<=.flexor_ndarray` <- function(e1, e2) as_bool(arith(11L, e1, e2))
#' @export
#' @symbols
`!.flexor_ndarray` <- function(x) as_bool(call_one("logical_not", list(no_bool(x))))
#' @export
#' @symbols
`&.flexor_ndarray` <- function(e1, e2) as_bool(call_one("broadcast_logical_and", pair(e1, e2)))
#' @export
#' @symbols
`|.flexor_ndarray` <- function(e1, e2) as_bool(call_one("broadcast_logical_or", pair(e1, e2)))
pair <- function(x, y) {
  if (is_symbol(x) || is_symbol(y)) return(list(x, y))
  if (!is_array(x)) x <- like_r(x, y)
  if (!is_array(y)) y <- like_r(y, x)
  common_dtype(no_bool(x), no_bool(y))
}

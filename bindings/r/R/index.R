# SPDX-License-Identifier: Apache-2.0
# Elements of arrays by R's rules: positive, negative and logical indices, matrices of indices, drop. Everything is an operator, so it is recorded and traced.

#' Elements of an array
#'
#' Indices work as for R's arrays: they count from 1, negative ones leave out, logical ones select, a matrix with a column for each axis picks single
#' elements, one index alone counts down the columns, and axes of size 1 are dropped unless `drop = FALSE`. `NA` is an error.
#'
#' An assignment gives a new array, as in R: other variables that held the old one keep it. Both are recorded by [gradient()].
#' @param x an array
#' @param ... indices, one for each axis (nothing: all), or one alone
#' @param drop whether axes of size 1 go
#' @param value numbers or an array, recycled
#' @return an array
#' @name Extract.flexor_ndarray
#' @examples
#' x <- nd_array(matrix(1:6, 2))
#' x[1, ]
#' x[, -1]
#' x[x > 2]
#' x[2, 2] <- 0
#' x
#' @export
#' @symbols
`[.flexor_ndarray` <- function(x, ..., drop = TRUE) {
  size <- dim(x)
  at <- arguments(...)
  if (length(at) == 1L) return(take_alone(x, size, at[[1]]))
  if (length(at) != length(size)) bad("[[] ", length(at), " indices for an array of ", length(size), " axes (", shape_text(size), ")", status = FLX_ERROR_INDEX)
  at <- lapply(seq_along(at), function(k) places(at[[k]], size[k], k))
  take_box(x, size, at, drop)
}
#' @rdname Extract.flexor_ndarray
#' @export
#' @symbols
`[[.flexor_ndarray` <- function(x, ...) x[..., drop = TRUE]
#' @rdname Extract.flexor_ndarray
#' @export
#' @symbols
`[<-.flexor_ndarray` <- function(x, ..., value) {
  size <- dim(x)
  at <- arguments(...)
  if (length(at) == 1L && (length(size) != 1L || is.matrix(at[[1]]))) at <- alone_grid(size, at[[1]])
  else {
    if (length(at) != length(size)) bad("[[<-] ", length(at), " indices for an array of ", length(size), " axes (", shape_text(size), ")", status = FLX_ERROR_INDEX)
    at <- lapply(seq_along(at), function(k) places(at[[k]], size[k], k))
    at <- lapply(seq_along(at), function(k) if (is.null(at[[k]])) seq_len(size[k]) else at[[k]])
    if (all(vapply(at, is_range, NA))) return(put_box(x, at, value))
    at <- as.matrix(expand.grid(at, KEEP.OUT.ATTRS = FALSE))
  }
  put_places(x, size, at, value)
}

# The indices given, NULL for one that was left out.
arguments <- function(...) {
  given <- as.list(substitute(list(...)))[-1L]
  out <- vector("list", length(given))
  for (k in seq_along(given)) if (!identical(given[[k]], quote(expr = ))) out[[k]] <- index_value(...elt(k))
  out
}
index_value <- function(i) {
  if (is_array(i)) i <- if (dtype_of(i) == "bool") as.array(i) == TRUE else as.array(i)
  if (is.factor(i)) i <- as.integer(i)
  if (is.null(i)) integer() else i
}

# The places along an axis of size n, from 1; NULL: all of them.
places <- function(i, n, axis) {
  if (is.null(i)) return(NULL)
  if (anyNA(i)) bad("[[] an index is NA (axis ", axis, ")", status = FLX_ERROR_INDEX)
  if (is.logical(i)) {
    if (length(i) > n) bad("[[] a logical index of ", length(i), " elements is too long for axis ", axis, " of size ", n, status = FLX_ERROR_INDEX)
    return(which(rep_len(i, n)))
  }
  if (!is.numeric(i)) bad("[[] indices are numbers or logical, given ", class(i)[1], ": arrays have no names", status = FLX_ERROR_INDEX)
  i <- trunc(as.vector(i))
  i <- i[i != 0]
  if (any(i < 0)) {
    if (any(i > 0)) bad("[[] negative and positive indices do not go together", status = FLX_ERROR_INDEX)
    return(seq_len(n)[if (length(i)) i else TRUE])
  }
  if (any(i > n)) bad("[[] index ", max(i), " is out of bounds: axis ", axis, " has size ", n, status = FLX_ERROR_INDEX)
  i
}
is_range <- function(i) length(i) > 0L && (length(i) == 1L || all(diff(i) == 1))

take_box <- function(x, size, at, drop) {
  new <- vapply(seq_along(size), function(k) if (is.null(at[[k]])) as.numeric(size[k]) else as.numeric(length(at[[k]])), 0)
  if (any(new == 0)) x <- nd_array(numeric(), dtype_of(x), dim = new, device = place_of(x))
  else {
    range <- vapply(at, function(i) is.null(i) || is_range(i), NA)
    cut <- range & !vapply(at, is.null, NA)
    if (any(cut))
      x <- call_one("slice", list(x), c(begin = tuple_text(ifelse(cut, vapply(at, function(i) if (length(i)) i[1] - 1 else NA_real_, 0), NA)),
                                        end = tuple_text(ifelse(cut, vapply(at, function(i) if (length(i)) as.numeric(i[length(i)]) else NA_real_, 0), NA))))
    for (k in which(!range)) x <- call_one("take", list(x, index_array(at[[k]] - 1, x)), c(axis = number_text(k - 1), mode = "clip"))
  }
  if (drop && any(new == 1)) {
    keep <- new[new != 1]
    x <- reshape_any(x, if (length(keep)) keep else 1)
  }
  x
}
# Indices for x, where x is.
index_array <- function(i, x) flx_ndarray_create_from(as.double(i), FLX_FLOAT64, FLX_COLUMN_MAJOR, if (is.null(dim(i))) length(i) else dim(i), FLX_INT64, place_of(x))
reshape_any <- function(x, size) if (is_symbol(x)) call_one("Reshape", list(x), c(shape = tuple_text(size))) else reshape_to(x, size)

# x[i] with one index: places down the columns, or rows of a matrix of indices.
take_alone <- function(x, size, i) {
  if (is.null(i)) return(x)
  if (length(size) == 1L && !is.matrix(i)) return(take_box(x, size, list(places(i, size, 1L)), FALSE))
  if (is.matrix(i) && is.numeric(i) && ncol(i) == length(size)) {
    grid <- alone_grid(size, i)
    if (!nrow(grid)) return(nd_array(numeric(), dtype_of(x), dim = 0, device = place_of(x)))
    return(call_one("gather_nd", list(x, index_array(t(grid) - 1, x))))
  }
  i <- places(i, prod(size), 1L)
  if (!length(i)) return(nd_array(numeric(), dtype_of(x), dim = 0, device = place_of(x)))
  flat <- reshape_any(if (length(size) > 1L) call_one("transpose", list(x)) else x, -1)
  call_one("take", list(flat, index_array(i - 1, x)), c(axis = "0", mode = "clip"))
}
# The places of one index alone, as a matrix with a row for each.
alone_grid <- function(size, i) {
  if (is.null(i)) i <- seq_len(prod(size))
  if (is.matrix(i) && is.numeric(i) && ncol(i) == length(size)) {
    for (k in seq_along(size)) if (anyNA(i[, k]) || any(i[, k] < 1 | i[, k] > size[k])) bad("[[] an index is out of bounds: axis ", k, " has size ", size[k], status = FLX_ERROR_INDEX)
    return(trunc(i))
  }
  i <- places(i, prod(size), 1L)
  if (length(i)) arrayInd(i, size) else matrix(0, 0, length(size))
}

put_box <- function(x, at, value) {
  new <- lengths(at)
  options <- c(begin = tuple_text(vapply(at, function(i) i[1] - 1, 0)), end = tuple_text(vapply(at, function(i) as.numeric(i[length(i)]), 0)))
  if (!is_array(value) && !is_symbol(value) && length(value) == 1L)
    return(call_one("_slice_assign_scalar", list(x), c(options, scalar = number_text(as.numeric(value)))))
  call_one("_slice_assign", list(x, filling(x, value, new)), options)
}
put_places <- function(x, size, grid, value) {
  if (!nrow(grid)) return(x)
  call_one("_scatter_set_nd", list(x, filling(x, value, nrow(grid)), index_array(t(grid) - 1, x)), c(shape = tuple_text(as.numeric(size))))
}
# What is assigned, with the sizes that are wanted and the array's dtype.
filling <- function(x, value, size) {
  n <- prod(size)
  if (is_symbol(value)) return(value)
  count <- length(value)
  if (!count || n %% count) bad("[[<-] ", count, " elements do not go into ", n, " places evenly", status = FLX_ERROR_SHAPE)
  if (is_array(value)) {
    value <- call_one("Cast", list(value), c(dtype = dtype_of(x)))
    return(if (count == n) redim(value, size) else nd_array(array(as.vector(as.array(value)), size), dtype_of(x), device = place_of(x)))
  }
  nd_array(array(as.vector(value), size), dtype_of(x), device = place_of(x))
}

# SPDX-License-Identifier: Apache-2.0
# Arrays: made from R's values, read back as R's values, asked what they are.
flx_dtypes <- c(float32 = FLX_FLOAT32, float64 = FLX_FLOAT64, float16 = FLX_FLOAT16, uint8 = FLX_UINT8, int32 = FLX_INT32, int8 = FLX_INT8, int64 = FLX_INT64,
                bool = FLX_BOOL, int16 = FLX_INT16, uint16 = FLX_UINT16, uint32 = FLX_UINT32, uint64 = FLX_UINT64, bfloat16 = FLX_BFLOAT16)
flx_floats <- c("float32", "float64", "float16", "bfloat16")

bad <- function(..., status = FLX_ERROR_ARGUMENT, hint = NULL) flx_raise(status, paste0(...), if (!is.null(hint)) list(hint = hint) else list())

dtype_code <- function(dtype) {
  code <- if (is.character(dtype) && length(dtype) == 1L) flx_dtypes[dtype] else NA
  if (is.na(code)) bad("[dtype] one of ", paste(names(flx_dtypes), collapse = ", "), " was expected, given ", paste(format(dtype), collapse = " "), status = FLX_ERROR_TYPE)
  unname(code)
}

#' Arrays
#'
#' `nd_array()` makes an array of Flexor from a vector, matrix, array, factor, data frame or another array.
#'
#' Plain numbers become float32 whatever R's type is: that is what networks compute in. `dtype = "float64"` keeps R's doubles bit by bit. In a floating-point
#' array `NA` becomes NaN (in float64 it comes back as `NA`); an integer or bool array cannot hold it, so there it is an error. Doubles beyond 2^53, where
#' whole numbers are no longer exact, do not go into int64 arrays, and such elements are not read from them. A factor gives its codes, from 1.
#' Reading back, float arrays are doubles, small integers are integers, bool is logical.
#'
#' An array is a reference to its elements, which [update.flexor_optimizer()] changes in place; an assignment `x[i] <- 0` makes a new array. [nd_copy()] is another one with the same elements.
#' @param x a vector, matrix, array, factor, data frame of numbers, or an array of Flexor
#' @param dtype float32, float64, float16, bfloat16, bool, or int or uint with 8, 16, 32 or 64 behind it
#' @param dim the sizes, if they are not those of `x`; one number fills them
#' @param device where it is made, as `"gpu(0)"`; NULL: on the CPU, or where `x` is. See [device()].
#' @return an array of class `flexor_ndarray`
#' @examples
#' x <- nd_array(matrix(1:6, 2))
#' x + 1
#' dim(x)
#' as.matrix(x %*% t(x))
#' @export
nd_array <- function(x, dtype = NULL, dim = NULL, device = NULL) {
  if (is_array(x)) {
    if (!is.null(dtype) && dtype != dtype_of(x)) x <- to_device(call_one("Cast", list(x), c(dtype = dtype)), device)
    else x <- flx_ndarray_copy(x, device)
    return(if (is.null(dim)) x else redim(x, dim))
  }
  if (is.data.frame(x)) {
    odd <- names(x)[!vapply(x, function(v) is.numeric(v) || is.logical(v), NA)]
    if (length(odd)) bad("[nd_array] a data frame of numbers was expected; no numbers are in ", paste(odd, collapse = ", "), ". model.matrix() makes numbers of factors.")
    x <- data.matrix(x)
  }
  if (is.list(x)) x <- simplify_list(x)
  size <- if (!is.null(dim)) dim else if (is.null(base::dim(x))) length(x) else base::dim(x)
  dtype <- if (is.null(dtype)) "float32" else dtype
  code <- dtype_code(dtype)
  if (is.factor(x)) x <- as.integer(x)
  if (is.raw(x)) x <- as.integer(x)
  if (!is.numeric(x) && !is.logical(x))
    bad("[nd_array] numbers were expected, given ", class(x)[1], if (is.character(x)) ". factor() makes classes of strings." else "", status = FLX_ERROR_TYPE)
  if (length(x) == 1L && prod(size) != 1 && is.finite(x) && abs(x) <= 2^53) return(flx_ndarray_create_full(as.numeric(size), code, device, as.numeric(x)))
  if (length(x) != prod(size)) bad("[nd_array] ", length(x), " elements do not fill an array of ", shape_text(size), status = FLX_ERROR_SHAPE)
  if (!dtype %in% flx_floats) {
    if (anyNA(x)) bad("[nd_array] an array of ", dtype, " cannot hold NA. Use float32, where NA is NaN, or take the missing values out.")
    if (dtype %in% c("int64", "uint64") && is.double(x) && any(abs(x) > 2^53))
      bad("[nd_array] whole numbers beyond 2^53 are not exact in R, and do not go into an ", dtype, " array. Use float64.")
    if (is.double(x)) return(flx_ndarray_create_from(x, FLX_FLOAT64, FLX_COLUMN_MAJOR, size, code, device))
  }
  if (!is.double(x) && anyNA(x)) x <- as.double(x)
  if (is.double(x)) flx_ndarray_create_from(x, FLX_FLOAT64, FLX_COLUMN_MAJOR, size, code, device)
  else flx_ndarray_create_from(if (is.integer(x)) x else as.integer(x), FLX_INT32, FLX_COLUMN_MAJOR, size, code, device)
}

simplify_list <- function(x) {
  plain <- lapply(x, function(v) if (is_array(v)) as.array(v) else v)
  if (!length(plain)) return(numeric())
  dims <- unique(lapply(plain, function(v) if (is.null(dim(v))) length(v) else dim(v)))
  if (length(dims) != 1L) bad("[nd_array] a list becomes an array when its elements have one size, given ", paste(vapply(dims, shape_text, ""), collapse = ", "), status = FLX_ERROR_SHAPE)
  size <- dims[[1]]
  if (identical(as.numeric(size), 1)) return(unlist(plain))
  n <- length(size)
  aperm(array(unlist(plain), c(size, length(plain))), c(n + 1L, seq_len(n)))
}

shape_text <- function(size) if (length(size) == 1L) paste0("(", size, ",)") else paste0("(", paste(size, collapse = ", "), ")")
dtype_of <- function(x) names(flx_dtypes)[match(flx_ndarray_describe(x)[[1]], flx_dtypes)]
reshape_to <- function(x, size) flx_ndarray_reshape(x, as.numeric(size), flx_mode()) # the library's order: the last axis runs first
# R's order: the first axis runs first.
redim <- function(x, size) {
  if (identical(as.numeric(dim(x)), as.numeric(size))) return(x)
  flip <- function(a) if (length(dim(a)) > 1L) call_one("transpose", list(a)) else a
  if (prod(size) != length(x)) bad("[dim] ", length(x), " elements do not fill an array of ", shape_text(size), status = FLX_ERROR_SHAPE)
  flip(reshape_to(flip(x), rev(size)))
}

# The elements as R's values, in R's order.
read_values <- function(x) {
  what <- flx_ndarray_describe(x)
  code <- what[[1]]
  n <- prod(what[[2]])
  if (code %in% c(FLX_UINT8, FLX_INT8, FLX_INT16, FLX_UINT16, FLX_BOOL)) {
    out <- integer(n)
    flx_ndarray_read(x, out, FLX_INT32, FLX_COLUMN_MAJOR, -1)
    return(if (code == FLX_BOOL) as.logical(out) else out)
  }
  out <- numeric(n)
  flx_ndarray_read(x, out, FLX_FLOAT64, FLX_COLUMN_MAJOR, -1)
  if (code == FLX_INT32) return(if (any(out == -2147483648)) out else as.integer(out)) # -2^31 is R's NA
  if (code %in% c(FLX_INT64, FLX_UINT64) && any(beyond <- abs(out) >= 2^53) && !all(exact_53(x, code, which(beyond))))
    bad("[as.array] this ", names(flx_dtypes)[flx_dtypes == code], " array has whole numbers beyond 2^53, which R's numbers cannot hold. Cast it, or read a part.")
  out
}
# Whether elements that are 2^53 as doubles are so exactly: by their bytes.
exact_53 <- function(x, code, places) {
  bytes <- raw(8 * prod(dim(x)))
  flx_ndarray_read(x, bytes, code, FLX_COLUMN_MAJOR, -1)
  bytes <- matrix(bytes, 8)
  vapply(places, function(i) {
    v <- bytes[, i]
    identical(v, as.raw(c(0, 0, 0, 0, 0, 0, 0x20, 0))) || (code == FLX_INT64 && identical(v, as.raw(c(0, 0, 0, 0, 0, 0, 0xe0, 0xff))))
  }, NA)
}

#' Arrays as R's values
#'
#' The elements of an array as a vector, matrix or array of R. Waits until they are computed.
#' @param x an array
#' @param mode what as.vector makes
#' @param ... not used
#' @return R's values: `as.array` keeps the sizes (an array of one axis is a vector with `dim`), `as.matrix` wants two axes (a vector becomes a column),
#'   `as.numeric`, `as.integer`, `as.logical` and `as.vector` drop them; `as.data.frame` has a column for each column
#' @name as.array.flexor_ndarray
#' @examples
#' x <- nd_array(1:6, dim = c(2, 3))
#' as.array(x)
#' as.numeric(x[1, ])
#' @export
as.array.flexor_ndarray <- function(x, ...) {
  size <- dim(x)
  v <- read_values(x)
  if (length(size)) array(v, size) else v
}
#' @rdname as.array.flexor_ndarray
#' @export
as.matrix.flexor_ndarray <- function(x, ...) {
  size <- dim(x)
  if (length(size) > 2L) bad("[as.matrix] two axes were expected, given ", shape_text(size), ". as.array() gives all of them.", status = FLX_ERROR_SHAPE)
  v <- read_values(x)
  if (length(size) == 2L) matrix(v, size[1], size[2]) else matrix(v, ncol = 1L)
}
#' @rdname as.array.flexor_ndarray
#' @export
as.vector.flexor_ndarray <- function(x, mode = "any") as.vector(read_values(x), mode)
#' @rdname as.array.flexor_ndarray
#' @export
as.double.flexor_ndarray <- function(x, ...) as.double(read_values(x))
#' @rdname as.array.flexor_ndarray
#' @export
as.integer.flexor_ndarray <- function(x, ...) as.integer(read_values(x))
#' @rdname as.array.flexor_ndarray
#' @export
as.logical.flexor_ndarray <- function(x, ...) as.logical(read_values(x))
#' @rdname as.array.flexor_ndarray
#' @export
as.character.flexor_ndarray <- function(x, ...) as.character(read_values(x))
#' @rdname as.array.flexor_ndarray
#' @export
as.data.frame.flexor_ndarray <- function(x, ...) as.data.frame(as.matrix(x), ...)

#' Size and dtype of an array
#' @param x an array
#' @param value the new sizes, of as many elements in all, in R's order. [nd_reshape()] keeps the order of other languages, last axis first.
#' @return `dim` and `length` as for R's arrays; `dtype` a string
#' @name dim.flexor_ndarray
#' @examples
#' x <- nd_array(1:6, dim = c(2, 3))
#' dim(x)
#' dtype(x)
#' @export
dim.flexor_ndarray <- function(x) {
  size <- flx_ndarray_describe(x)[[2]]
  if (all(size <= .Machine$integer.max)) as.integer(size) else size
}
#' @rdname dim.flexor_ndarray
#' @export
`dim<-.flexor_ndarray` <- function(x, value) redim(x, value)
#' @rdname dim.flexor_ndarray
#' @export
length.flexor_ndarray <- function(x) {
  n <- prod(flx_ndarray_describe(x)[[2]])
  if (n <= .Machine$integer.max) as.integer(n) else n
}
#' @rdname dim.flexor_ndarray
#' @export
dtype <- function(x) {
  if (!is_array(x)) bad("[dtype] an array was expected, given ", class(x)[1])
  dtype_of(x)
}
#' @rdname nd_array
#' @export
is_nd_array <- function(x) is_array(x)

#' Print an array
#' @param x an array
#' @param ... goes on to print
#' @param max how many elements at most
#' @return `x`, invisibly
#' @examples
#' nd_array(matrix(1:6, 2))
#' print(nd_array(1:1000), max = 5)
#' @export
print.flexor_ndarray <- function(x, ..., max = 1000L) {
  size <- dim(x)
  cat("<nd_array ", dtype_of(x), " ", if (length(size)) paste(size, collapse = " x ") else "scalar", if (!is.null(at <- place_of(x))) paste0(" on ", at), ">\n", sep = "")
  v <- tryCatch(as.array(x), flexor_argument_error = function(e) NULL)
  if (is.null(v)) cat(flx_ndarray_text(x, -1)[[2]], "\n")
  else if (length(size) < 2L) print(as.vector(v), max = max, ...)
  else print(v, max = max, ...)
  invisible(x)
}
#' @rdname print.flexor_ndarray
#' @export
format.flexor_ndarray <- function(x, ...) format(as.array(x), ...)

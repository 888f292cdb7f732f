# SPDX-License-Identifier: Apache-2.0
# Symbols: what a layer of one's own computes on while it is traced. R's users meet them only there.

#' Symbols
#'
#' While a layer of one's own is traced, its input and parameters are symbols: they stand for arrays that come later. All operators, R's arithmetic and `[`
#' work on them as on arrays; their elements cannot be read. `dim()` gives the sizes as far as they are known.
#' @param x a symbol
#' @param ... not used
#' @return `dim`: the sizes, `NA` for unknown ones
#' @examples
#' half <- new_layer("half", forward = function(x, p) {
#'   if (inherits(x, "flexor_symbol")) print(x)
#'   x / 2
#' })
#' p <- init_params(network() |> half() |> layer_dense(2), c(NA, 3)) # the layer is traced
#' @name dim.flexor_symbol
#' @export
dim.flexor_symbol <- function(x) {
  known <- flx_symbol_shape(flx_symbol_infer(x, NULL, 1L), FLX_OUTPUT, 0L)
  if (known[[2]] == 0L) return(NULL)
  size <- known[[3]]
  ifelse(size < 0, NA_integer_, as.integer(size))
}
#' @rdname dim.flexor_symbol
#' @export
length.flexor_symbol <- function(x) {
  n <- prod(dim(x))
  if (is.na(n)) 1L else as.integer(n)
}
#' @rdname dim.flexor_symbol
#' @export
print.flexor_symbol <- function(x, ...) {
  size <- dim(x)
  cat("<symbol ", flx_symbol_name(x, FLX_OUTPUT, 0L), if (length(size)) paste0(" ", paste(size, collapse = " x ")), ">\n", sep = "")
  invisible(x)
}
#' @rdname dim.flexor_symbol
#' @export
as.array.flexor_symbol <- function(x, ...)
  bad("[as.array] a symbol has no elements: this layer is being traced, to be fitted or saved. Use operators, or new_operator() for R's own functions.", status = FLX_ERROR_UNSUPPORTED)
#' @rdname dim.flexor_symbol
#' @export
as.double.flexor_symbol <- function(x, ...) as.array.flexor_symbol(x)

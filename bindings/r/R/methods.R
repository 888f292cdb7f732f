# SPDX-License-Identifier: Apache-2.0
# R's functions on arrays: mathematics, summaries, matrix products, joining.
matmul <- function(x, y) {
  out <- .Call(R_swig_flx_r_quick, "dot", x, y, FALSE)
  if (!is.null(out)) return(out)
  if (is_symbol(x) || is_symbol(y)) return(call_one("dot", list(x, y)))
  if (!is_array(x)) x <- nd_array(x, dtype_of(y))
  if (!is_array(y)) y <- nd_array(y, dtype_of(x))
  call_one("dot", common_dtype(x, y))
}
setOldClass("flexor_ndarray")
setOldClass("flexor_symbol")
if (getRversion() < "4.3.0") {
  setMethod("show", "flexor_ndarray", function(object) print(object))
  setMethod("show", "flexor_symbol", function(object) print(object))
  for (left in c("flexor_ndarray", "flexor_symbol")) {
    setMethod("%*%", signature(left, "ANY"), function(x, y) matmul(x, y))
    setMethod("%*%", signature("ANY", left), function(x, y) matmul(x, y))
  }
  for (left in c("flexor_ndarray", "flexor_symbol")) for (right in c("flexor_ndarray", "flexor_symbol"))
    setMethod("%*%", signature(left, right), function(x, y) matmul(x, y))
}

# SPDX-License-Identifier: Apache-2.0
#' Deep learning with arrays, formulas and pipes
#'
#' Arrays that differentiate, networks built by pipes, and a formula interface, on a library that other languages share.
#'
#' Indices, axes, classes and ranks count from 1, rows are observations, classes are factors. Arrays have R's element order: element (i, j) is element (i, j).
#' Where to begin: [nd_array()] for arrays, [network()] and [layer_dense()] for networks, [gradient()] for training loops of one's own.
#' @examples
#' fit <- flexor(Species ~ ., iris, epochs = 5, seed = 1, progress = FALSE)
#' table(predict(fit, iris), iris$Species)
#' @name flexor-package
#' @aliases flexor-package
#' @keywords package
NULL

flx_state <- new.env(parent = emptyenv())

.onLoad <- function(libname, pkgname) {
  flx_abi_require(FLX_ABI_VERSION)
  follow_options()
  offer_digits(topenv())
}

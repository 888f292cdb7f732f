# SPDX-License-Identifier: Apache-2.0
# `digits`, kept as bytes in the package (sysdata.rda: digit_bytes, digit_labels) and expanded to numbers when it is first looked at.

expand_digits <- function() {
  x <- as.integer(digit_bytes) / 256
  dim(x) <- c(28L, 28L, 1L, length(digit_labels)) # a scan's columns vary fastest in the file
  list(x = aperm(x, c(4L, 3L, 2L, 1L)), y = factor(as.integer(digit_labels), levels = 0:9))
}
# Called when the package is loaded.
offer_digits <- function(namespace) delayedAssign("digits", expand_digits(), environment(), namespace)

#' Handwritten digits
#'
#' 10,000 scans of handwritten digits with their labels, a subset of MNIST (Yann LeCun, Corinna Cortes and Christopher J. C. Burges).
#'
#' A list of `x`, an array of 10000 x 1 x 28 x 28 (scan, channel, row, column) with 0 for paper and 255/256 for ink (MNISTIter's numbers), and `y`, a factor with the levels 0 to 9. The first
#' 8000 are meant for training, the last 2000 for testing. It is made when it is first looked at, and takes 63 MB from then on.
#' @format a list of an array and a factor
#' @examples
#' dim(digits$x)
#' table(digits$y)
#' image(t(digits$x[1, 1, 28:1, ]), col = gray(seq(1, 0, length.out = 32)), asp = 1, axes = FALSE)
#' @export
digits <- NULL

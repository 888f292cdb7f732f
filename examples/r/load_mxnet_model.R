# SPDX-License-Identifier: Apache-2.0
# A model that MXNet saved years ago, loaded and used: Rscript load_mxnet_model.R [PREFIX-0000.params]
# PREFIX-symbol.json beside it is the graph. tests/golden/files/models/lenet_bn_01 is such a pair: a small convolutional network for one channel of 10 x 10, five classes.
library(flexor)

file <- commandArgs(trailingOnly = TRUE)[1]
if (is.na(file)) {
  here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
  file <- file.path(here, "../../tests/golden/files/models/lenet_bn_01-0000.params")
}
model <- load_model(file)
print(summary(model))
print(vapply(coef(model), function(p) paste(dim(p), collapse = " x "), ""))

# scans without their margin, shrunk to 10 x 10 by the mean of 2 x 2 pixels
shrink <- function(x) {
  x <- x[, , 5:24, 5:24, drop = FALSE]
  odd <- seq(1, 19, 2)
  (x[, , odd, odd, drop = FALSE] + x[, , odd + 1, odd, drop = FALSE] + x[, , odd, odd + 1, drop = FALSE] + x[, , odd + 1, odd + 1, drop = FALSE]) / 4
}
scans <- shrink(digits$x[1:5, , , , drop = FALSE])
chance <- predict(model, scans, type = "prob")
print(chance)
stopifnot(all(abs(rowSums(chance) - 1) < 1e-5))
print(predict(model, scans))

# and kept as a model file of Flexor
copy <- tempfile(fileext = ".flx")
save_model(model, copy)
stopifnot(identical(predict(load_model(copy), scans), predict(model, scans)))

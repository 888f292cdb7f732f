# SPDX-License-Identifier: Apache-2.0
# fit.R SAMPLES EPOCHS: as fit.py, by flexor().
library(flexor)
arguments <- as.integer(commandArgs(trailingOnly = TRUE))
told <- function(what) {
  cat(what, sprintf("%.6f", as.numeric(Sys.time())), "\n")
  flush(stdout())
}
lenet <- network() |> layer_conv2d(20, 5) |> layer_batch_norm() |> layer_activation("relu") |> layer_max_pool2d(2) |> layer_conv2d(50, 5) |> layer_batch_norm() |>
  layer_activation("relu") |> layer_max_pool2d(2) |> layer_flatten() |> layer_dense(500, activation = "relu") |> layer_dropout(0.5) |> layer_dense(10)
rows <- seq_len(arguments[1])
x <- digits$x[rows, , , , drop = FALSE]
y <- digits$y[rows]
set.seed(1)
told("begin")
tryCatch(
  fit <- flexor(x = x, y = y, network = lenet, epochs = arguments[2], batch_size = 64, optimizer = adam(0.001), progress = FALSE,
                callbacks = list(function(state) told("epoch"))),
  interrupt = function(e) told("stopped"))

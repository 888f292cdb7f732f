# SPDX-License-Identifier: Apache-2.0
# The tour's part (e): several workers, each with its share of the digits. flexor-launch -n 4 -s 2 Rscript target.R [EPOCHS]
library(flexor)
lenet <- network() |>
  layer_conv2d(20, kernel = 5, activation = "tanh") |> layer_max_pool2d(2) |>
  layer_conv2d(50, kernel = 5, activation = "tanh") |> layer_max_pool2d(2) |>
  layer_flatten() |> layer_dense(500, activation = "tanh") |> layer_dense(10)
epochs <- as.integer(c(commandArgs(TRUE), "10")[1])

store <- kv_store("dist_sync")
part <- shard(nrow(digits$x), store)                            # this worker's rows
fit <- flexor(digits$x[part, , , , drop = FALSE], digits$y[part], network = lenet, epochs = epochs, store = store)
if (store$rank == 1) save_model(fit, "lenet.flx")               # ranks are 1-based here like everything else

# SPDX-License-Identifier: Apache-2.0
# First of three: R trains a network for the iris flowers, on half of them, and writes FILE. Rscript train.R FILE
library(flexor)

file <- commandArgs(trailingOnly = TRUE)[1]
half <- seq(1, nrow(iris), 2)
net <- network() |> layer_standardize() |> layer_dense(16, activation = "relu") |> layer_dense(3)
fit <- flexor(x = as.matrix(iris[half, 1:4]), y = iris$Species[half], network = net, epochs = 10, optimizer = adam(0.01), seed = 1, progress = FALSE)
cat(sprintf("R: loss %.4f\n", tail(as.data.frame(fit$history)$loss, 1)))
save_model(fit, file)

# SPDX-License-Identifier: Apache-2.0
# A layer, an operation and a training loop of one's own: Rscript custom.R
library(flexor)

# A layer: the shapes of its parameters from the input's shape, and a function. It runs at once on arrays, and is traced when it is fitted.
scale_shift <- new_layer("scale_shift",
  params  = function(input) list(scale = param(input[-1], "ones"), shift = param(input[-1], "zeros")),
  forward = function(x, p) x * p$scale + p$shift)

# An operation with a gradient of its own, in plain R on plain arrays. It runs on R's thread, wherever it is used.
clip01 <- new_operator("clip01", forward = function(x) pmin(pmax(x, 0), 1), backward = function(dy, x, y) dy * (x > 0 & x < 1))
clip <- new_layer("clip", forward = function(x, p) clip01(x))

rows <- 1:2000
x <- digits$x[rows, , , , drop = FALSE]
y <- digits$y[rows]
net <- network() |> layer_flatten() |> scale_shift() |> layer_dense(64) |> clip() |> layer_dense(10)
fit <- flexor(x, y, network = net, epochs = 8, batch_size = 50, optimizer = adam(0.003), seed = 1)
stopifnot(tail(fit$history$accuracy, 1) > 0.9)
print(summary(fit))

# A loop of one's own: the parameters are a named list of arrays, the network holds no state.
net <- network() |> layer_flatten() |> layer_dense(64, activation = "relu") |> layer_dense(10)
params <- init_params(net, input = c(NA, 1, 28, 28), seed = 1)
opt <- sgd(0.1, momentum = 0.9)
for (epoch in 1:3) {
  total <- 0
  for (batch in batches(x, y, size = 50, shuffle = TRUE, seed = epoch)) {
    g <- gradient(params, function(p) mean(softmax_cross_entropy(net(batch$x, p), batch$y)))
    opt <- update(opt, params, g) # params are updated in place
    total <- total + as.numeric(g$value)
  }
  cat(sprintf("epoch %d  loss %.4f\n", epoch, total / batch$count))
}
guess <- max.col(as.matrix(net(nd_array(digits$x[9001:9500, , , , drop = FALSE]), params)))
right <- mean(levels(digits$y)[guess] == digits$y[9001:9500])
cat(sprintf("test accuracy %.1f %%\n", 100 * right))
stopifnot(right > 0.85)

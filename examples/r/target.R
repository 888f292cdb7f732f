# SPDX-License-Identifier: Apache-2.0
# A tour of the package: Rscript target.R. Rows are observations, classes are factors, indices start at 1.
library(flexor)

# The files that it writes and reads go to a folder of their own; among them a model that MXNet saved.
here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
setwd(tempdir())
golden <- file.path(here, "../../tests/golden/files/models/lenet_bn_01")
stopifnot(file.copy(paste0(golden, c("-0000.params", "-symbol.json")), c("mxnet-lenet-0010.params", "mxnet-lenet-symbol.json")))

## (a) a data frame, a formula: numeric columns are scaled, factors expanded, the factor on the left makes it a classifier
set.seed(1)                                    # flexor draws its seed from R's generator: this line makes the run repeatable
train <- sample(nrow(iris), 100)
fit <- flexor(Species ~ ., iris[train, ], hidden = c(16, 8), epochs = 60, validation = 0.2, progress = FALSE)
fit                                            # one line on the network, one on the last epoch
predict(fit, iris[-train, ])                   # a factor with the levels of Species
head(predict(fit, iris[-train, ], type = "prob"))
table(truth = iris$Species[-train], predicted = predict(fit, iris[-train, ]))

# the same with a network of one's own, an array as x, and nothing hidden; `digits` comes with the package: $x is 10000 x 1 x 28 x 28 in [0, 1], $y a factor
lenet <- network() |>
  layer_conv2d(20, kernel = 5, activation = "tanh") |> layer_max_pool2d(2) |>
  layer_conv2d(50, kernel = 5, activation = "tanh") |> layer_max_pool2d(2) |>
  layer_flatten() |> layer_dense(500, activation = "tanh") |> layer_dense(10)
fit <- flexor(x = digits$x[1:8000, , , , drop = FALSE], y = digits$y[1:8000], network = lenet, epochs = 10, batch_size = 64,
              optimizer = adam(0.001), validation = list(digits$x[8001:10000, , , , drop = FALSE], digits$y[8001:10000]),
              callbacks = list(early_stop("valid.accuracy", patience = 3), function(state) if (state$epoch == 5) message("half way")))

## (b) a training loop of one's own
params <- init_params(lenet, input = c(NA, 1, 28, 28), seed = 1)       # a named list of arrays; the network itself holds no state
opt <- sgd(0.05, momentum = 0.9)
for (epoch in 1:3) {
  total <- 0
  for (batch in batches(digits$x, digits$y, size = 64, shuffle = TRUE, seed = epoch)) {
    g <- gradient(params, function(p) mean(softmax_cross_entropy(lenet(batch$x, p), batch$y)))
    opt <- update(opt, params, g)                               # params are updated in place
    total <- total + as.numeric(g$value)
  }
  cat(sprintf("epoch %d  loss %.4f\n", epoch, total / batch$count))
}

## (c) a layer of one's own: parameter shapes from the input's shape, and a function. It runs eagerly, and is traced when fitted
scale_shift <- new_layer("scale_shift",
  params  = function(input) list(scale = param(input[-1], "ones"), shift = param(input[-1], "zeros")),
  forward = function(x, p) x * p$scale + p$shift)
net <- network() |> layer_flatten() |> scale_shift() |> layer_dense(10)

# and an operation with its own gradient, written in plain R on plain matrices: it runs on R's thread, wherever it is used
clip01 <- new_operator("clip01", forward = function(x) pmin(pmax(x, 0), 1), backward = function(dy, x, y) dy * (x > 0 & x < 1))

## (d) saving: saveRDS works, workspaces and parallel workers too; the file format is the same in every language
saveRDS(fit, "lenet.rds");          fit  <- readRDS("lenet.rds")
save_model(fit, "lenet.flx");       same <- load_model("lenet.flx")          # opens in Python, Julia, Scala and C as well
stopifnot(identical(predict(fit, digits$x[1:5, , , , drop = FALSE]), predict(same, digits$x[1:5, , , , drop = FALSE])))
old <- load_model("mxnet-lenet-0010.params")                                  # MXNet's pair of files; ONNX by its extension

## (e) looking at it
summary(fit)                         # layer, output shape, parameters; totals; memory in training and in use
plot(fit)                            # loss and accuracy by epoch, training and validation, base graphics
plot(lenet, input = c(NA, 1, 28, 28))# the network, with shapes on its edges
as.data.frame(fit$history)           # epoch loss accuracy valid.loss valid.accuracy seconds
x <- nd_array(matrix(rnorm(6), 2)); x %*% t(x); as.matrix(x); dim(x); x[1, ]
tryCatch(x %*% x, flexor_shape_error = function(e) conditionMessage(e))
#> [dot] the inner lengths must agree: lhs is (2, 3) and rhs is (2, 3), so 3 meets 2. Transpose one of them?
stopifnot(tail(fit$history$valid.accuracy, 1) > 0.97, total / batch$count < 0.1)

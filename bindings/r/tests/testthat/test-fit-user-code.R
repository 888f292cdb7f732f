# SPDX-License-Identifier: Apache-2.0
# Callbacks, metrics, operators and data sources are ordinary R code on R's thread: they see the fit, may end it, and their errors come out as they are.
options(flexor.progress = FALSE)
quiet <- flexor # the call of a fit is evaluated again by update() and fitted(): a wrapper with dots would hide it
own_error <- function(message) structure(class = c("my_error", "error", "condition"), list(message = message, call = NULL, extra = 42))
# The error with the names of the functions that were on the stack when it was raised.
caught <- function(code) {
  stack <- NULL
  e <- tryCatch(withCallingHandlers(code, my_error = function(e) stack <<- vapply(sys.calls(), function(c) deparse(c[[1]])[1], "")), my_error = identity)
  list(error = e, stack = stack)
}

test_that("a callback sees the state and may stop the fit", {
  seen <- list()
  fit <- quiet(Species ~ ., iris, epochs = 5, validation = 0.2, callbacks = list(function(state) seen[[length(seen) + 1L]] <<- state))
  expect_length(seen, 5)
  expect_identical(seen[[2]]$epoch, 2L)
  expect_equal(seen[[2]]$epochs, 5)
  expect_equal(seen[[3]]$loss, fit$history$loss[3])
  expect_equal(seen[[3]]$valid.accuracy, fit$history$valid.accuracy[3])
  expect_identical(nrow(seen[[4]]$history), 4L)
  stopped <- quiet(Species ~ ., iris, epochs = 50, callbacks = function(state) state$epoch < 3)
  expect_length(stopped$history$epoch, 3)
  called <- quiet(Species ~ ., iris, epochs = 50, callbacks = function(state) { if (state$epoch == 2) stop_training(); TRUE })
  expect_length(called$history$epoch, 2)
  expect_s3_class(predict(called, iris), "factor")
  expect_error(stop_training(), "no fit is running")
})

test_that("early stopping ends a fit, and may restore the best parameters", {
  set.seed(4)
  noise <- data.frame(y = rnorm(60), a = rnorm(60), b = rnorm(60))
  fit <- quiet(y ~ ., noise, hidden = 32, epochs = 300, validation = 0.3, optimizer = adam(0.02), callbacks = early_stop("valid.loss", patience = 3, restore_best = TRUE))
  n <- length(fit$history$epoch)
  expect_lt(n, 300)
  best <- which.min(fit$history$valid.loss)
  expect_identical(n, best + 3L)
  stopper <- early_stop("loss", patience = 2, min_delta = 10)
  for (i in 1:2) expect_length(quiet(y ~ ., noise, epochs = 9, callbacks = stopper)$history$epoch, 3) # serves twice
  expect_error(quiet(y ~ ., noise, epochs = 2, callbacks = early_stop("valid.loss")), "validation data", class = "flexor_name_error")
  expect_error(quiet(y ~ ., noise, epochs = 2, callbacks = "stop"), "callbacks must be", class = "flexor_argument_error")
  set.seed(4)
  held <- sample(60, 20)
  kept <- quiet(y ~ ., noise[-held, ], hidden = 32, epochs = 60, validation = noise[held, ], optimizer = adam(0.02), callbacks = early_stop(patience = 3, restore_best = TRUE))
  expect_equal(evaluate(kept, noise[held, ])[["loss"]], min(kept$history$valid.loss), tolerance = 1e-5)
})

test_that("an R function is a metric", {
  share <- function(p, truth) {
    stopifnot(is.matrix(p), identical(colnames(p), levels(iris$Species)), is.factor(truth), nrow(p) == length(truth))
    mean(colnames(p)[max.col(p, "first")] == truth)
  }
  fit <- quiet(Species ~ ., iris, epochs = 3, validation = 0.2, metrics = list("accuracy", mine = share))
  expect_equal(fit$history$mine, fit$history$accuracy, tolerance = 1e-6)
  expect_equal(fit$history$valid.mine, fit$history$valid.accuracy, tolerance = 1e-6)
  number <- quiet(mpg ~ wt, mtcars, epochs = 2, metrics = list("mae", mine = function(p, truth) mean(abs(p - truth))))
  expect_equal(number$history$mine, number$history$mae, tolerance = 1e-5)
  e <- evaluate(fit, iris, metrics = list("accuracy", mine = share))
  expect_equal(e[["mine"]], e[["accuracy"]])
})

test_that("a function gives the batches", {
  rows <- split(sample(150), rep(1:5, 30))
  at <- 0
  source <- function() {
    at <<- at + 1
    if (at > 5) { at <<- 0; return(NULL) }
    i <- rows[[at]]
    list(as.matrix(iris[i, 1:4]), iris$Species[i])
  }
  net <- network() |> layer_dense(16, activation = "relu") |> layer_dense(3)
  fit <- flexor(source, network = net, epochs = 20, optimizer = adam(0.02), progress = FALSE)
  expect_length(fit$history$epoch, 20)
  expect_gt(mean(predict(fit, as.matrix(iris[1:4])) == iris$Species), 0.9)
})

test_that("errors of user code come out as they are, with their own call stack", {
  deep <- function() stop(own_error("from the depths"))
  calls <- list(
    callback = function() quiet(Species ~ ., iris, epochs = 3, callbacks = function(state) deep()),
    metric = function() quiet(Species ~ ., iris, epochs = 3, metrics = list(mine = function(p, truth) deep())),
    source = function() {
      n <- 0
      quiet(function() { n <<- n + 1; if (n > 2) deep(); list(as.matrix(iris[1:4]), iris$Species) }, network = network() |> layer_dense(3), epochs = 3)
    },
    operator = function() {
      broken <- new_operator("broken", forward = function(x) deep(), backward = function(dy, x, y) dy)
      quiet(as.matrix(iris[1:4]), iris$Species, network = network() |> layer_dense(4) |> new_layer("b", forward = function(x, p) broken(x))() |> layer_dense(3), epochs = 2)
    })
  for (what in names(calls)) {
    got <- caught(calls[[what]]())
    expect_s3_class(got$error, "my_error")
    expect_identical(got$error$extra, 42, info = what)
    expect_true("deep" %in% got$stack, info = what)
    expect_s3_class(predict(quiet(Species ~ ., iris, epochs = 1), iris), "factor") # and the next fit works
  }
})

test_that("weights count in the loss", {
  x <- matrix(c(rep(0, 50), rep(0, 50)))
  y <- rep(c(0, 1), each = 50) # the same x has two answers; weights choose between them
  w <- rep(c(1, 9), each = 50)
  heavy <- quiet(x, y, weights = w, scale = FALSE, hidden = 0, epochs = 200, optimizer = sgd(0.05), batch_size = 100, seed = 1)
  expect_equal(unname(predict(heavy, x[1, , drop = FALSE])), 0.9, tolerance = 0.02)
})

test_that("two classes by one score", {
  x <- cbind(a = c(rnorm(50, -2), rnorm(50, 2)), b = rnorm(100))
  y <- rep(c("no", "yes"), each = 50)
  one <- quiet(x, y, epochs = 20, seed = 1, optimizer = adam(0.02), network = network() |> layer_dense(8, activation = "relu") |> layer_dense(1))
  expect_identical(dim(predict(one, x, type = "prob")), c(100L, 2L))
  expect_gt(mean(predict(one, x) == y), 0.9)
  expect_equal(evaluate(one, x, y)[["accuracy"]], mean(predict(one, x) == y))
  expect_gt(tail(one$history$accuracy, 1), 0.9)
})

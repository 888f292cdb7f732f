# SPDX-License-Identifier: Apache-2.0
options(flexor.progress = FALSE)
quiet <- flexor # the call of a fit is evaluated again by update() and fitted(): a wrapper with dots would hide it

test_that("a formula makes a classifier that learns", {
  set.seed(1)
  train <- sample(nrow(iris), 100)
  fit <- quiet(Species ~ ., iris[train, ], hidden = c(16, 8), epochs = 60, validation = 0.2)
  p <- predict(fit, iris[-train, ])
  expect_s3_class(p, "factor")
  expect_identical(levels(p), levels(iris$Species))
  expect_gt(mean(p == iris$Species[-train]), 0.9)
  q <- predict(fit, iris[-train, ], type = "prob")
  expect_identical(colnames(q), levels(iris$Species))
  expect_identical(rownames(q), rownames(iris)[-train])
  expect_equal(unname(rowSums(q)), rep(1, 50), tolerance = 1e-5)
  expect_identical(as.character(p), colnames(q)[max.col(q)])
  expect_identical(names(as.data.frame(fit$history)), c("epoch", "loss", "accuracy", "valid.loss", "valid.accuracy", "seconds"))
  expect_identical(nrow(as.data.frame(fit$history)), 60L)
  expect_identical(fit$rows, c(training = 80L, validation = 20L))
})

test_that("set.seed repeats a fit to the last bit, and another seed gives another one", {
  one <- function(seed) { set.seed(seed); coef(quiet(Species ~ ., iris, epochs = 2, validation = 0.2)) }
  expect_identical(one(7), one(7))
  expect_false(identical(one(7), one(8)))
  expect_identical(coef(quiet(Species ~ ., iris, epochs = 1, seed = 3)), coef(quiet(Species ~ ., iris, epochs = 1, seed = 3)))
})

test_that("formula and x/y say the same of the same numbers", {
  a <- quiet(Species ~ ., iris, epochs = 3, seed = 5)
  b <- quiet(as.matrix(iris[1:4]), iris$Species, epochs = 3, seed = 5)
  c <- quiet(iris[1:4], iris$Species, epochs = 3, seed = 5)
  expect_equal(unname(predict(a, iris, type = "prob")), unname(predict(b, as.matrix(iris[1:4]), type = "prob")))
  expect_identical(predict(c, iris[1:4], type = "prob"), predict(a, iris, type = "prob"))
  shuffled <- iris[, 4:1] # columns are found by name
  expect_identical(predict(b, as.matrix(shuffled)), predict(b, as.matrix(iris[1:4])))
  expect_identical(predict(c, shuffled), predict(c, iris[1:4]))
})

test_that("factors are expanded by the rules of model.matrix, and new data by the same", {
  d <- data.frame(y = rnorm(60), f = factor(rep(c("a", "b", "c"), 20)), g = ordered(rep(c("low", "mid", "high"), each = 20), c("low", "mid", "high")), x = rnorm(60))
  fit <- quiet(y ~ f * x + g + poly(x, 2), d, epochs = 2, contrasts = list(f = "contr.sum"))
  expected <- model.matrix(y ~ f * x + g + poly(x, 2), d, contrasts.arg = list(f = "contr.sum"))
  expect_identical(fit$blueprint$columns, colnames(expected)[-1])
  whole <- predict(fit, d)
  expect_equal(unname(predict(fit, d[7, ])), unname(whole[7]), tolerance = 1e-5) # poly() knows its basis
  expect_error(predict(fit, transform(d, f = "z")), "new level")
  expect_error(predict(fit, d["y"]), "no column", class = "flexor_name_error")
  none <- quiet(y ~ 0 + f, d, epochs = 1)
  expect_identical(none$blueprint$columns, c("fa", "fb", "fc"))
})

test_that("inputs are scaled by the training data unless the network is one's own", {
  d <- data.frame(y = rnorm(200), x = 1e4 + 50 * rnorm(200))
  fit <- quiet(y ~ x, d, epochs = 1)
  states <- coef(fit)
  expect_equal(as.vector(states[[grep("mean$", names(states))]]), mean(d$x), tolerance = 1e-5)
  expect_equal(as.vector(states[[grep("deviation$", names(states))]]), sd(d$x), tolerance = 1e-2)
  own <- quiet(y ~ x, d, epochs = 1, network = network() |> layer_dense(1))
  expect_false(any(grepl("deviation", names(coef(own)))))
  both <- quiet(y ~ x, d, epochs = 1, network = network() |> layer_dense(1), scale = TRUE)
  expect_true(any(grepl("deviation", names(coef(both)))))
})

test_that("numbers, several columns, fitted values and residuals", {
  set.seed(2)
  fit <- quiet(mpg ~ wt + hp, mtcars, epochs = 200, optimizer = adam(0.02))
  p <- predict(fit, mtcars)
  expect_identical(names(p), rownames(mtcars))
  expect_gt(cor(p, mtcars$mpg), 0.85)
  expect_identical(fitted(fit), p)
  expect_equal(unname(residuals(fit)), unname(mtcars$mpg - p))
  expect_identical(names(as.data.frame(fit$history)), c("epoch", "loss", "mae", "seconds"))
  many <- quiet(cbind(mpg, qsec) ~ wt + hp, mtcars, epochs = 3)
  expect_identical(dim(predict(many, mtcars)), c(32L, 2L))
  expect_identical(colnames(predict(many, mtcars)), c("mpg", "qsec"))
  expect_identical(dim(residuals(many)), c(32L, 2L))
  expect_identical(deparse(formula(fit)), "mpg ~ wt + hp")
  expect_identical(nobs(fit), 32L)
})

test_that("the target may be text, logical or a factor with two levels", {
  x <- cbind(a = c(rnorm(50, -2), rnorm(50, 2)), b = rnorm(100))
  for (y in list(rep(c(FALSE, TRUE), each = 50), rep(c("no", "yes"), each = 50), factor(rep(c("no", "yes"), each = 50)))) {
    fit <- quiet(x, y, epochs = 20, seed = 1)
    p <- predict(fit, x)
    expect_s3_class(p, "factor")
    expect_gt(mean(as.character(p) == as.character(y)), 0.9)
  }
})

test_that("missing values are left out of a fit and give NA", {
  d <- iris
  d$Sepal.Width[c(3, 77)] <- NA
  fit <- quiet(Species ~ ., d, epochs = 2)
  expect_identical(unname(as.integer(fit$na.action)), c(3L, 77L))
  expect_message(quiet(Species ~ ., d, epochs = 1), "2 of 150 rows")
  p <- predict(fit, d)
  expect_identical(which(is.na(p)), c(3L, 77L))
  expect_identical(unname(which(is.na(predict(fit, d, type = "prob")[, 1]))), c(3L, 77L))
  expect_error(quiet(Species ~ ., d, epochs = 1, na.action = na.fail), "missing values")
  m <- as.matrix(d[1:4])
  expect_message(xy <- quiet(m, d$Species, epochs = 1), "2 of 150 rows")
  expect_identical(which(is.na(predict(xy, m))), c(3L, 77L))
  expect_error(quiet(m, d$Species, epochs = 1, na.action = na.fail), "missing values", class = "flexor_error")
  expect_true(all(is.na(predict(fit, d[3, ]))))
})

test_that("subset", {
  fit <- quiet(Species ~ ., iris, subset = Sepal.Length > 5, epochs = 1)
  expect_identical(nobs(fit), sum(iris$Sepal.Length > 5))
})

test_that("validation as a list or a data frame", {
  set.seed(3)
  i <- sample(150, 50)
  x <- as.matrix(iris[1:4])
  a <- quiet(x[-i, ], iris$Species[-i], validation = list(x[i, ], iris$Species[i]), epochs = 2, seed = 1)
  b <- quiet(Species ~ ., iris[-i, ], validation = iris[i, ], epochs = 2, seed = 1)
  expect_equal(a$history$valid.loss, b$history$valid.loss, tolerance = 1e-6)
  expect_equal(unname(evaluate(b, iris[i, ])), c(b$history$valid.loss[2], b$history$valid.accuracy[2]), tolerance = 1e-5)
  expect_equal(evaluate(a, x[i, ], iris$Species[i]), evaluate(b, iris[i, ]), tolerance = 1e-5)
})

test_that("arrays go into networks of one's own", {
  x <- array(runif(40 * 1 * 8 * 8), c(40, 1, 8, 8))
  y <- factor(rep(c("a", "b"), 20))
  x[y == "b", 1, 1:4, ] <- x[y == "b", 1, 1:4, ] + 2
  net <- network() |> layer_conv2d(4, kernel = 3, activation = "relu") |> layer_max_pool2d(2) |> layer_flatten() |> layer_dense(2)
  fit <- quiet(x, y, network = net, epochs = 20, seed = 1, optimizer = adam(0.01))
  expect_gt(mean(predict(fit, x) == y), 0.9)
  expect_error(predict(fit, x[, , 1:4, , drop = FALSE]), "expected observations of shape", class = "flexor_shape_error")
  flat <- quiet(x, y, epochs = 1) # without a network an array is laid flat
  expect_length(predict(flat, x), 40)
})

test_that("a fit goes on from another", {
  first <- quiet(Species ~ ., iris, epochs = 3, seed = 1)
  more <- quiet(Species ~ ., iris, network = first, epochs = 2, seed = 2)
  expect_identical(more$history$epoch, 1:5)
  expect_lt(more$history$loss[4], first$history$loss[1])
  again <- update(first, epochs = 1, seed = 9)
  expect_identical(nrow(as.data.frame(again$history)), 1L)
})

test_that("what is printed and summarised", {
  fit <- quiet(Species ~ ., iris, hidden = 5, epochs = 2, seed = 1)
  out <- capture.output(print(fit))
  expect_length(out, 2)
  expect_match(out[1], "classifier of 3 classes \\(setosa, versicolor, virginica\\)")
  expect_match(out[2], "^epoch 2: loss")
  text <- capture.output(summary(fit))
  expect_true(any(grepl("Dense", text)) && any(grepl("(NA, 5)", text, fixed = TRUE)) && any(grepl("memory", text)))
  printed <- capture.output(invisible(flexor(Species ~ ., iris, epochs = 2, seed = 1, progress = TRUE)))
  expect_length(printed, 2)
  lines <- character()
  flexor(Species ~ ., iris, epochs = 2, progress = function(line) lines <<- c(lines, line))
  expect_length(lines, 2)
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  expect_silent(plot(fit))
  net <- network() |> layer_conv2d(2, kernel = 3, activation = "relu") |> layer_flatten() |> layer_dense(3)
  expect_silent(plot(net, input = c(NA, 1, 8, 8)))
  grDevices::dev.off()
  svg <- tempfile(fileext = ".svg")
  plot(net, input = c(NA, 1, 8, 8), file = svg)
  expect_match(readLines(svg)[1], "<svg")
})

test_that("what cannot be fitted is said clearly", {
  x <- as.matrix(iris[1:4])
  expect_error(quiet(x, rep("a", 150)), "one class only, `a`", class = "flexor_argument_error")
  expect_error(quiet(x, iris$Species[1:10]), "x has 150 rows and y has 10", class = "flexor_shape_error")
  expect_error(quiet(x, iris$Species, network = network() |> layer_dense(2)), "gives 2 numbers .* 3 classes", class = "flexor_shape_error")
  expect_error(quiet(x, iris$Species, epochs = -1), "epochs must be", class = "flexor_argument_error")
  expect_error(quiet(x, iris$Species, no_such_option = 1), "no_such_option", class = "flexor_error")
  expect_error(quiet(Species ~ ., iris, hiden = 3), "`hiden`. Did you mean `hidden`?", class = "flexor_name_error", fixed = TRUE)
  expect_error(quiet(x, iris$Species, metrics = "acuracy"), "acuracy", class = "flexor_error")
  expect_error(quiet(x, iris$Species, optimizer = "adan"), "adan", class = "flexor_error")
  expect_error(quiet(x), "y is missing")
  expect_error(quiet(~ Sepal.Length, iris), "no left side")
  expect_error(quiet(Species ~ 1, iris), "no variable")
  expect_error(quiet(list(1, 2), 1:2), "x must be a data frame")
  expect_error(quiet(x, iris$Species, validation = 1e-6), "no row")
  expect_error(quiet(x, iris$Species, validation = "some"), "validation must be")
  expect_error(quiet(x, iris$Species, hidden = -3), "hidden must be")
  expect_error(predict(quiet(x, iris$Petal.Width, epochs = 1), x, type = "class"), "for classes")
  expect_error(quiet(matrix(letters[1:10]), 1:10), "x must be")
})

test_that("an iterator of the library gives the batches", {
  folder <- tempfile()
  dir.create(folder)
  file <- function(name) file.path(folder, name)
  write.table(iris[1:4], file("x.csv"), sep = ",", row.names = FALSE, col.names = FALSE)
  write.table(as.integer(iris$Species) - 1, file("y.csv"), row.names = FALSE, col.names = FALSE)
  source <- iter_csv(file("x.csv"), 4, label_csv = file("y.csv"), batch_size = 30)
  net <- network() |> layer_standardize() |> layer_dense(16, activation = "relu") |> layer_dense(3)
  fit <- quiet(source, network = net, levels = levels(iris$Species), validation = iter_csv(file("x.csv"), 4, label_csv = file("y.csv"), batch_size = 50), epochs = 60, optimizer = adam(0.02))
  expect_gt(mean(predict(fit, as.matrix(iris[1:4])) == iris$Species), 0.9)
  expect_gt(tail(fit$history$valid.accuracy, 1), 0.9)
})

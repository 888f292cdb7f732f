# SPDX-License-Identifier: Apache-2.0
# Indexing held against base R on random cases.
random_index <- function(n) {
  switch(sample(7, 1), sample(n, 1), sort(sample(n, sample(n, 1))), sample(n, sample(2 * n, 1), TRUE), -sample(n, sample(n - 1, 1)), rep_len(c(TRUE, FALSE), n),
         seq_len(n), TRUE)
}
test_that("reading elements is base R's, random cases", {
  set.seed(1)
  for (case in 1:150) {
    size <- sample(2:5, sample(3, 1), TRUE)
    v <- array(round(rnorm(prod(size)), 3), size)
    x <- nd_array(v, "float64")
    at <- lapply(size, function(n) if (runif(1) < 0.2) quote(expr = ) else random_index(n))
    drop <- runif(1) < 0.5
    want <- do.call(`[`, c(list(v), at, drop = drop))
    got <- do.call(`[`, c(list(x), at, drop = drop))
    expect_equal(as.vector(as.array(got)), as.vector(want))
    expect_equal(as.numeric(dim(got)), as.numeric(if (is.null(dim(want))) length(want) else dim(want)))
  }
})
test_that("writing elements is base R's, random cases", {
  set.seed(2)
  for (case in 1:150) {
    size <- sample(2:5, sample(3, 1), TRUE)
    v <- array(round(rnorm(prod(size)), 3), size)
    x <- nd_array(v, "float64")
    at <- lapply(size, function(n) if (runif(1) < 0.2) quote(expr = ) else sort(sample(n, sample(n, 1))))
    n <- length(do.call(`[`, c(list(v), at)))
    value <- if (runif(1) < 0.4) 7 else round(rnorm(n), 3)
    want <- do.call(`[<-`, c(list(v), at, list(value = value)))
    got <- do.call(`[<-`, c(list(x), at, list(value = value)))
    expect_equal(as.vector(as.array(got)), as.vector(want))
    got <- do.call(`[<-`, c(list(x), at, list(value = nd_array(value, "float64"))))
    expect_equal(as.vector(as.array(got)), as.vector(want))
  }
})
test_that("one index alone counts down the columns", {
  v <- array(1:24 + 0, c(2, 3, 4))
  x <- nd_array(v)
  for (i in list(5, c(24, 1), -1, v > 10, c(TRUE, FALSE), cbind(1:2, 2:3, c(4, 1)))) expect_equal(as.vector(as.array(x[i])), as.vector(v[i]))
  expect_equal(as.vector(as.array(x[x > 10])), v[v > 10])
  x[x > 10] <- 0
  expect_equal(as.array(x), ifelse(v > 10, 0, v))
  y <- nd_array(v)
  w <- v
  y[cbind(1:2, 2:3, c(4, 1))] <- c(-1, -2)
  w[cbind(1:2, 2:3, c(4, 1))] <- c(-1, -2)
  expect_equal(as.array(y), w)
  expect_equal(length(x[integer()]), 0)
  expect_equal(as.array(nd_array(v)[]), v)
})
test_that("what is wrong is an index error", {
  x <- nd_array(matrix(1:6, 2))
  expect_error(x[3, 1], "axis 1 has size 2", class = "flexor_index_error")
  expect_error(x[1, 2, 3], "3 indices", class = "flexor_index_error")
  expect_error(x[NA, 1], "NA", class = "flexor_index_error")
  expect_error(x["a", 1], class = "flexor_index_error")
  expect_error(x[c(-1, 1), 1], class = "flexor_index_error")
  expect_error(x[7], class = "flexor_index_error")
  expect_error(x[1, ] <- 1:2, "evenly", class = "flexor_shape_error")
  expect_equal(conditionCall(tryCatch(x[3, 1], error = identity)), quote(x[3, 1]))
})

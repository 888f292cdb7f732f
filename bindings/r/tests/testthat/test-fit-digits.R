# SPDX-License-Identifier: Apache-2.0
options(flexor.progress = FALSE)

test_that("the digits are what their page says", {
  expect_identical(dim(digits$x), c(10000L, 1L, 28L, 28L))
  expect_identical(range(digits$x), c(0, 255 / 256))
  expect_identical(levels(digits$y), as.character(0:9))
  expect_length(digits$y, 10000)
  # a scan stands upright: a one is higher than it is wide
  one <- digits$x[which(digits$y == "1")[1], 1, , ]
  expect_gt(diff(range(which(rowSums(one) > 0))), diff(range(which(colSums(one) > 0))))
})

test_that("a small network learns digits", {
  rows <- 1:2000
  net <- network() |> layer_flatten() |> layer_dense(64, activation = "relu") |> layer_dense(10)
  fit <- flexor(x = digits$x[rows, , , , drop = FALSE], y = digits$y[rows], network = net, epochs = 6, batch_size = 50, optimizer = adam(0.003), seed = 1)
  test <- 9001:9500
  expect_gt(mean(predict(fit, digits$x[test, , , , drop = FALSE]) == digits$y[test]), 0.85)
})

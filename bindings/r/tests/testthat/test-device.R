# SPDX-License-Identifier: Apache-2.0
# Devices: arrays, networks and fits on one that is no CPU, the emulated one of the library's tests; what one that is not there says.
module <- file.path(Sys.getenv("FLEXOR_TEST_BUILD"), "tests", "device", "libflx_emulated_device.so")
if (file.exists(module)) flexor_config("FLEXOR_TEST_DEVICE", module)
emulated <- function() testthat::skip_if_not(file.exists(module), "the emulated device is not built (target flx_emulated_device)")
emu <- "emu(0)"

test_that("a device that is not there is an error that names it", {
  expect_error(nd_array(1:3, device = "gpu(99)"), "gpu\\(99\\)", class = "flexor_device_error")
  expect_error(nd_random_normal(shape = 3, device = "gpu(99)"), "gpu\\(99\\)", class = "flexor_device_error")
  expect_error(to_device(nd_array(1), "gpu(99)"), class = "flexor_device_error")
  expect_error(nd_array(1, device = "gpu(x"), class = "flexor_argument_error")
  expect_equal(device(nd_array(1)), "cpu(0)")
  expect_equal(device_count("cpu"), 1)
  expect_gte(device_count("gpu"), 0)
  expect_gte(device_properties()$cores, 1)
  expect_null(synchronize())
  expect_error(device(1), "an array", class = "flexor_argument_error")
})
test_that("arrays are made, computed with, copied and printed", {
  emulated()
  made <- list(nd_array(matrix(1:6, 2), device = emu), nd_array(1, dim = c(2, 2), device = emu), nd_array(1:3, "int64", device = emu), nd_array(nd_array(1:3), device = emu),
               nd_array(nd_array(1:3), "float64", device = emu), nd_zeros(shape = c(2, 2), device = emu), nd_ones(shape = 2, device = emu), nd_full(shape = 2, value = 3, device = emu),
               nd_arange(start = 4, device = emu), nd_random_uniform(shape = 3, device = emu))
  expect_equal(vapply(made, device, ""), rep(emu, length(made)))
  x <- made[[1]]
  expect_identical(as.array(x), matrix(1:6, 2) + 0)
  expect_output(print(x), "on emu\\(0\\)")
  results <- list(x + 1, x + c(1, 2), matrix(1, 2, 3) * x, x %*% diag(3), x[2, ], x[x > 2], x[c(2, 1), c(TRUE, FALSE, TRUE)], x[0, ], sum(x), rbind(x, 1:3), nd_softmax(x), nd_copy(x),
                  nd_take(x, c(2, 1)), 2 ^ x)
  expect_equal(vapply(results, device, ""), rep(emu, length(results)))
  expect_equal(as.array(results[[3]]), as.array(x))
  expect_equal(as.numeric(x[x > 2]), 3:6)
  y <- x
  y[1, ] <- c(7, 8, 9)
  y[2, 2] <- 0
  expect_equal(as.matrix(y), rbind(c(7, 8, 9), c(2, 0, 6)))
  expect_equal(device(y), emu)
  there <- to_device(x, "emu(1)")
  expect_equal(c(device(there), device(to_device(there, "cpu")), device(to_device(x, NULL))), c("emu(1)", "cpu(0)", emu))
  expect_equal(as.array(there), as.array(x))
  expect_error(x + nd_array(matrix(1, 2, 3)), "emu\\(0\\).*cpu\\(0\\)", class = "flexor_device_error")
  set.seed(1)
  here <- as.numeric(nd_random_normal(shape = 4))
  set.seed(1)
  expect_equal(as.numeric(nd_random_normal(shape = 4, device = emu)), here, tolerance = 1e-6)
  expect_equal(device_count("emu"), 2)
  expect_equal(device_properties(emu)$memory, 2^30)
  synchronize(emu)
  expect_gt(flexor_memory(device = emu)[["live"]], 0)
  expect_gte(flexor_memory(device = emu, reset_peak = TRUE, release_unused = TRUE)[["peak"]], 0)
})
test_that("a loop of one's own gives what it gives on the CPU", {
  emulated()
  net <- network() |> layer_dense(8, activation = "tanh") |> layer_dense(3)
  x <- as.matrix(iris[c(1:10, 51:60, 101:110), 1:4])
  y <- iris$Species[c(1:10, 51:60, 101:110)]
  losses <- lapply(c("cpu", emu), function(place) {
    params <- init_params(net, input = c(NA, 4), seed = 1, device = place)
    expect_equal(device(params), if (place == emu) emu else "cpu(0)")
    data <- nd_array(x, device = place)
    opt <- adam(0.05)
    for (i in 1:3) {
      g <- gradient(params, function(p) mean(softmax_cross_entropy(net(data, p), y)))
      opt <- update(opt, params, g)
    }
    expect_equal(device(g[[1]]), device(params))
    expect_equal(device(net(x, params)), device(params))
    as.numeric(g$value)
  })
  expect_equal(losses[[1]], losses[[2]], tolerance = 1e-4)
  params <- to_device(init_params(net, input = c(NA, 4), seed = 1), emu)
  expect_s3_class(params, "flexor_parameters")
  expect_output(print(params), "on emu")
  expect_error(net(nd_array(x), params), "is on emu\\(0\\)", class = "flexor_device_error")
  twice <- new_operator("twice", function(x) 2 * x, function(dy, x, y) 2 * dy)
  g <- gradient(list(x = nd_array(1:3, device = emu)), function(p) sum(twice(p$x)))
  expect_equal(as.numeric(g$x), c(2, 2, 2))
  expect_equal(device(g$x), emu)
})
test_that("a fit computes there, is moved and loaded", {
  emulated()
  fits <- lapply(c("cpu", emu), function(place) {
    set.seed(1)
    flexor(Species ~ ., iris, epochs = 2, progress = FALSE, device = place)
  })
  expect_equal(device(fits[[2]]), emu)
  p <- lapply(fits, predict, iris, type = "prob")
  expect_equal(p[[1]], p[[2]], tolerance = 1e-3)
  file <- tempfile(fileext = ".flx")
  save_model(fits[[2]], file)
  loaded <- load_model(file, device = emu)
  expect_equal(c(device(loaded), device(load_model(file))), c(emu, "cpu(0)"))
  expect_equal(predict(loaded, iris, type = "prob"), p[[2]], tolerance = 1e-6)
  expect_equal(device(to_device(loaded, "cpu")), "cpu(0)")
  expect_equal(predict(loaded, iris, type = "prob"), p[[2]], tolerance = 1e-5)
  kept <- unserialize(serialize(fits[[2]], NULL))
  expect_equal(device(kept), "cpu(0)")
})

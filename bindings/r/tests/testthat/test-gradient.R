# SPDX-License-Identifier: Apache-2.0
# gradient() against finite differences; layers, operators and loops of one's own.
numeric_gradient <- function(f, v, step = 1e-6) vapply(seq_along(v), function(i) {
  up <- down <- v
  up[i] <- v[i] + step
  down[i] <- v[i] - step
  (f(up) - f(down)) / (2 * step)
}, 0)
check <- function(f, v) {
  got <- gradient(nd_array(v, "float64"), f)
  want <- numeric_gradient(function(w) as.numeric(f(nd_array(array(w, if (is.null(dim(v))) length(v) else dim(v)), "float64"))), v)
  expect_equal(as.vector(as.array(got$x)), want, tolerance = 1e-5)
  expect_equal(as.numeric(got$value), as.numeric(f(nd_array(v, "float64"))))
}
test_that("gradients are those of finite differences", {
  v <- matrix(c(0.5, 1.5, 2, 0.3, 0.25, 0.7), 2)
  m <- nd_array(matrix(c(1, 2, 3, 4, 5, 6) / 10, 3), "float64")
  check(function(x) sum(x^2 * exp(-x)), v)
  check(function(x) mean(log(x) / (x + 1) - 2 / x), v)
  check(function(x) sum(tanh(x %*% m)), v)
  check(function(x) sum(t(x) %*% x), v)
  check(function(x) sum(x[1, ] * x[2, c(3, 1, 1)]) + sum(x[x > 0.4]), v)
  check(function(x) { x[1, 2] <- 3; sum(x^2) }, v)
  check(function(x) sum(nd_softmax(x)^2), v)
  check(function(x) sum(c(1, 2) * x - x %% 10), v)
  check(function(x) sum(sqrt(cbind(x, x)) * 2) + max(x), v)
})
test_that("lists of parameters, $value, states, second derivatives", {
  p <- list(a = nd_array(2), b = nd_array(3))
  g <- gradient(p, function(p) sum(p$a^2 * p$b))
  expect_equal(names(g), c("a", "b"))
  expect_equal(as.numeric(g$a), 12)
  expect_equal(as.numeric(g[["b"]]), 4)
  expect_equal(as.numeric(g$value), 12)
  x <- nd_array(c(1, 2, 3))
  second <- gradient(x, function(x) sum(gradient(x, function(x) sum(x^3))$x))
  expect_equal(as.numeric(second$x), c(6, 12, 18))
})
test_that("what gradient() refuses", {
  x <- nd_array(c(1, 2))
  expect_error(gradient(x, function(x) x), "one element", class = "flexor_shape_error")
  expect_error(gradient(x, function(x) 3), "one element")
  expect_error(gradient(x, function(x) nd_array(sum(as.numeric(x)))), "recorded", class = "flexor_state_error")
  expect_error(gradient(list(x = 1), function(p) p$x), "given numeric")
  expect_error(gradient(nd_array(1, "int32"), function(x) sum(x)), class = "flexor_type_error")
  e <- tryCatch(gradient(x, function(x) stop("mine")), error = identity)
  expect_equal(conditionMessage(e), "mine")
  expect_equal(flexor:::flx_mode(), 0L) # nothing records any more
})
clip01 <- new_operator("clip01", forward = function(x) pmin(pmax(x, 0), 1), backward = function(dy, x, y) dy * (x > 0 & x < 1))
test_that("an operator of one's own has its gradient, on plain matrices", {
  x <- nd_array(matrix(c(-1, 0.5, 0.2, 3), 2))
  expect_equal(as.array(clip01(x)), matrix(c(0, 0.5, 0.2, 1), 2), tolerance = 1e-6)
  expect_equal(as.array(gradient(x, function(x) sum(clip01(x)^2))$x), matrix(c(0, 1, 0.4, 0), 2), tolerance = 1e-6)
  two <- new_operator("two", function(x, y) list(x + y, x * y), function(d1, d2, x, y, s, p) list(d1 + d2 * y, d1 + d2 * x))
  g <- gradient(list(x = nd_array(2), y = nd_array(5)), function(p) { r <- two(p$x, p$y); sum(r[[1]] * 3 + r[[2]]) })
  expect_equal(c(as.numeric(g$x), as.numeric(g$y)), c(8, 5))
  seen <- NULL
  shape <- new_operator("shape", function(x) { seen <<- dim(x); x }, function(dy, x, y) dy)
  shape(x)
  expect_equal(seen, c(2L, 2L))
})
test_that("an error in it comes out with its own class and call, and all goes on", {
  odd <- structure(class = c("odd", "error", "condition"), list(message = "50 %s \U1F600", call = quote(mine())))
  broken <- new_operator("broken", function(x) x, function(dy, x, y) stop(odd))
  e <- tryCatch(gradient(nd_array(1), function(x) sum(broken(x))), error = identity)
  expect_identical(e, odd)
  broken <- new_operator("broken", function(x) stop(odd))
  expect_identical(tryCatch(broken(nd_array(1)), error = identity), odd)
  wrong <- new_operator("wrong", function(x, y) x, function(dy, x, y, z) dy)
  expect_error(gradient(nd_array(1), function(x) sum(wrong(x, x))), "2 inputs")
  expect_equal(as.numeric(gradient(nd_array(3), function(x) sum(clip01(x * 0.1) * x))$x), 0.6, tolerance = 1e-6)
})
test_that("host functions are forgotten when no tape needs them", {
  for (i in 1:50) {
    f <- new_operator("f", function(x) x, function(dy, x, y) dy)
    gradient(nd_array(1), function(x) sum(f(x)))
  }
  invisible(gc())
  flexor:::forget_hosts()
  expect_lt(length(ls(flexor:::flx_hosts)), 20)
})
scale_shift <- new_layer("scale_shift", params = function(input) list(scale = param(input[-1], "ones"), shift = param(input[-1], "zeros")),
                         forward = function(x, p) x * p$scale + p$shift)
test_that("a layer of one's own runs eagerly and traced alike", {
  net <- network() |> layer_flatten() |> scale_shift() |> layer_dense(3)
  p <- init_params(net, c(NA, 2, 2), seed = 1)
  expect_equal(names(p), c("1.scale", "1.shift", "2.weight", "2.bias"))
  expect_equal(dim(p[["1.scale"]]), 4)
  x <- array(1:12 / 12, c(3, 2, 2))
  eager <- net(x, p)
  traced <- flexor:::flx_layer_run(flexor:::layer_handle(net, c(5, 2, 2)), flexor:::params_handle(unclass(p)), 0L, list(nd_array(x)))[[1]]
  expect_equal(as.array(eager), as.array(traced))
  g <- gradient(p, function(p) sum(net(x, p)))
  expect_equal(dim(g[["1.shift"]]), 4)
  inner <- network() |> layer_residual(network() |> scale_shift())
  expect_equal(as.array(inner(x[, , 1], init_params(inner, c(NA, 2)))), 2 * x[, , 1], tolerance = 1e-6)
  expect_error(net(x, p["2.weight"]), "1.scale", class = "flexor_state_error")
  reader <- new_layer("reader", forward = function(x, p) x * as.numeric(sum(x)))
  expect_error(init_params(network() |> reader(), c(NA, 2)), "traced", class = "flexor_unsupported_error")
  expect_error(network() |> new_layer("bad", function(input) 3, function(x, p) x)() |> init_params(c(NA, 2)), "param()", fixed = TRUE)
})
test_that("an operator of one's own in a layer is fitted, on R's thread, and its errors come out of the fit", {
  calls <- 0
  thread <- NULL
  squash <- new_operator("squash", forward = function(x) { calls <<- calls + 1; x / (1 + abs(x)) }, backward = function(dy, x, y) dy / (1 + abs(x))^2)
  layer <- new_layer("squash", forward = function(x, p) squash(x))
  net <- network() |> layer_dense(8) |> layer() |> layer_dense(3)
  set.seed(1)
  x <- scale(as.matrix(iris[1:4]))
  fit <- flexor(x, iris$Species, network = net, epochs = 15, batch_size = 16, optimizer = adam(0.02), progress = FALSE)
  expect_gt(calls, 15 * 9)
  expect_gt(mean(predict(fit, x) == iris$Species), 0.85)
  soft <- as.matrix(nd_softmax(net(x, coef(fit))))
  expect_equal(unname(predict(fit, x, type = "prob")), soft, tolerance = 1e-4, ignore_attr = TRUE)
  odd <- structure(class = c("odd", "error", "condition"), list(message = "50 %s", call = quote(mine())))
  broken <- new_operator("broken", forward = function(x) x, backward = function(dy, x, y) stop(odd))
  layer <- new_layer("broken", forward = function(x, p) broken(x))
  e <- tryCatch(flexor(x, iris$Species, network = network() |> layer_dense(3) |> layer(), epochs = 2, progress = FALSE), error = identity)
  expect_identical(e, odd)
  expect_s3_class(flexor(x, iris$Species, hidden = 4, epochs = 1, progress = FALSE), "flexor_fit") # all goes on
})

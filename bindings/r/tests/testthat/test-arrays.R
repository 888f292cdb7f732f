# SPDX-License-Identifier: Apache-2.0
# Arrays made of R's values and read back: element order, dtypes, NA, factors, 2^53.
test_that("element (i, j) is element (i, j)", {
  for (size in list(3, c(2, 3), c(2, 3, 4), c(1, 1, 5), c(0, 3), 0)) {
    v <- array(seq_len(prod(size)) + 0.5, size)
    expect_identical(as.array(nd_array(v)), v)
    expect_identical(as.numeric(dim(nd_array(v))), as.numeric(size))
  }
  m <- matrix(1:6, 2)
  expect_identical(as.matrix(nd_array(m)), m + 0)
  expect_identical(as.numeric(nd_array(m)), as.numeric(m))
  expect_identical(as.matrix(nd_array(1:3)), matrix(c(1, 2, 3)))
})
test_that("plain numbers become float32, float64 keeps every bit", {
  expect_equal(dtype(nd_array(1:3)), "float32")
  expect_equal(dtype(nd_array(c(TRUE, FALSE))), "float32")
  v <- c(pi, -0, 5e-324, .Machine$double.xmax, NaN, NA, Inf, -Inf, 2^53 + 2)
  back <- as.numeric(nd_array(v, "float64"))
  expect_identical(writeBin(back, raw()), writeBin(v, raw()))
  expect_true(is.na(back[6]) && !is.nan(back[6]))
})
test_that("every dtype comes back as R's nearest type", {
  for (d in names(flexor:::flx_dtypes)) {
    x <- nd_array(c(0, 1, 1), d)
    expect_equal(dtype(x), d)
    v <- as.vector(x)
    expect_true(if (d == "bool") is.logical(v) else if (d %in% c("uint8", "int8", "int16", "uint16", "int32")) is.integer(v) else is.double(v))
    expect_equal(as.numeric(v), c(0, 1, 1))
  }
  expect_error(nd_array(1, "float31"), class = "flexor_type_error")
})
test_that("NA: NaN in floating point, an error elsewhere", {
  expect_equal(is.nan(as.numeric(nd_array(c(1L, NA)))), c(FALSE, TRUE))
  expect_equal(is.nan(as.numeric(nd_array(c(TRUE, NA)))), c(FALSE, TRUE))
  expect_equal(is.nan(as.numeric(nd_array(factor(c("a", NA))))), c(FALSE, TRUE))
  for (d in c("int32", "int64", "uint8", "bool")) expect_error(nd_array(c(1, NA), d), "NA", class = "flexor_argument_error")
})
test_that("whole numbers beyond 2^53 are refused both ways", {
  expect_error(nd_array(2^53 + 2, "int64"), "2^53", fixed = TRUE)
  expect_identical(as.numeric(nd_array(c(2^53, -2^53), "int64")), c(2^53, -2^53))
  big <- nd_array(2^53, "int64") + nd_array(1, "int64")
  expect_error(as.numeric(big), "2^53", fixed = TRUE)
  expect_output(print(big), "9007199254740993")
  expect_identical(as.vector(nd_array(-2147483648, "int32")), -2147483648)
})
test_that("factors, data frames, lists, raw", {
  f <- factor(c("b", "a", "c"), levels = c("a", "b", "c"))
  expect_equal(as.numeric(nd_array(f)), c(2, 1, 3))
  expect_equal(as.matrix(nd_array(data.frame(a = 1:2, b = c(TRUE, FALSE)))), cbind(1:2, c(1, 0)))
  expect_error(nd_array(iris), "Species")
  expect_equal(as.matrix(nd_array(list(1:3, 4:6))), rbind(1:3, 4:6))
  expect_error(nd_array(list(1:3, 4:5)), class = "flexor_shape_error")
  expect_equal(as.numeric(nd_array(as.raw(c(1, 255)))), c(1, 255))
  expect_error(nd_array("a"), "factor", class = "flexor_type_error")
  expect_error(nd_array(NULL))
})
test_that("sizes", {
  x <- nd_array(1:6)
  dim(x) <- c(2, 3)
  expect_identical(dim(x), c(2L, 3L))
  expect_identical(length(x), 6L)
  expect_error(dim(x) <- c(4, 2), class = "flexor_shape_error")
  expect_equal(as.numeric(nd_array(7, dim = c(2, 2))), rep(7, 4))
  expect_error(nd_array(1:3, dim = c(2, 2)), "3 elements do not fill", class = "flexor_shape_error")
})
test_that("copies are copies, assignment makes a new array", {
  x <- nd_array(1:3)
  y <- x
  y[2] <- 10
  expect_equal(as.numeric(x), 1:3)
  expect_equal(as.numeric(y), c(1, 10, 3))
})
test_that("print, format, str do not fail", {
  expect_output(print(nd_array(matrix(1:6, 2))), "float32 2 x 3")
  expect_output(print(nd_array(numeric(0))), "float32 0")
  expect_output(str(nd_array(1)), "flexor_ndarray")
  expect_match(format(nd_array(1.5)), "1.5")
})

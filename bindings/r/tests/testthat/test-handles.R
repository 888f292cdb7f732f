# SPDX-License-Identifier: Apache-2.0
# Handles: freed early and twice, by the collector at any moment, at exit, after fork, from a saved workspace.
flx <- asNamespace("flexor")

test_that("what was freed is refused", {
  a <- nd_array(matrix(1:6, 2))
  flx$flx_free(a)
  for (use in list(function() dim(a), function() a + 1, function() as.array(a), function() a[1, ], function() nd_array(matrix(1:6, 2)) + a, function() nd_relu(a)))
    expect_error(use(), class = "flexor_handle_error")
})

test_that("freeing twice does nothing", {
  before <- live()
  a <- nd_array(matrix(0, 2, 3))
  b <- nd_array(matrix(1, 2, 3))
  for (i in 1:3) flx$flx_free(a)
  c <- nd_array(matrix(7, 2, 3)) # may take the place of what was freed
  flx$flx_free(a)
  expect_equal(as.matrix(c), matrix(7, 2, 3))
  expect_equal(as.matrix(b), matrix(1, 2, 3))
  rm(a, b, c)
  expect_equal(live(), before)
})

test_that("other things than arrays are refused", {
  call <- flx$flx_call_create("relu", NULL)
  for (wrong in list(call, "text", 7, NULL, list())) expect_error(flx$flx_ndarray_nbytes(wrong))
})

test_that("views outlive their array", {
  a <- nd_array(matrix(1:12, 3))
  row <- a[2, ]
  rm(a)
  gc()
  expect_equal(as.numeric(row), c(2, 5, 8, 11))
})

test_that("the collector may come at every allocation", {
  work <- function() {
    x <- nd_array(c(1, 2, 3))
    y <- nd_array(matrix(1:6, 2))
    list(as.numeric(x * 2 + 1), as.matrix(y %*% t(y)), tryCatch(y %*% y, flexor_shape_error = conditionMessage), dim(y))
  }
  want <- work()
  before <- live()
  gctorture2(step = 23)
  on.exit(gctorture2(step = 0))
  got <- lapply(1:3, function(i) work())
  gctorture2(step = 0)
  for (g in got) expect_identical(g, want)
  rm(got, g)
  expect_equal(live(), before)
})

test_that("garbage does not pile up", {
  kept <- lapply(1:16, function(i) nd_array(matrix(0, 256, 1024))) # 16 MiB
  gc()
  flx$flx_memory_release_unused(NULL)
  base <- flx$flx_memory_stat(NULL, "live")
  flx$flx_memory_peak_reset(NULL)
  x <- kept[[1]]
  for (i in 1:1024) x <- x + 1 # a gigabyte of garbage
  expect_equal(as.matrix(x)[1, 1], 1024)
  expect_lt(flx$flx_memory_stat(NULL, "peak"), base + 2^29)
})

test_that("a session ends in good order with everything alive", {
  for (ending in c("", "quit(save = 'no', status = 0)", "invisible(gc())")) {
    done <- program(fit_program, 'a <- nd_array(matrix(1, 1000, 1000))', 'b <- a %*% a', 'invisible(reg.finalizer(globalenv(), function(e) NULL, onexit = TRUE))',
      'running <- task(rows = 200000, batch_size = "1", epochs = "100")', 'stopifnot(flx$flx_task_next(running, 20) == flx$FLX_PENDING)', ending)
    expect_equal(done, list(out = character(), status = 0L))
  }
})

test_that("children of fork work", {
  skip_on_os("windows")
  a <- nd_array(matrix(1:6, 2))
  b <- a %*% t(a) # the parent has used its threads
  got <- parallel::mclapply(1:3, function(i) {
    c(sum(as.matrix(a) + i), as.matrix(a %*% t(a))[1, 1], as.numeric(nd_sum(nd_array(rep(i, 64)))))
  }, mc.cores = 2)
  expect_equal(got, lapply(1:3, function(i) c(21 + 6 * i, 35, 64 * i)))
  expect_equal(as.matrix(b)[1, 1], 35)
})

test_that("a fork in the middle of a fit works", {
  done <- program(fit_program, 'running <- task(rows = 20000, batch_size = "1", epochs = "2")', 'stopifnot(flx$flx_task_next(running, 30) == flx$FLX_PENDING)',
    'child <- parallel::mcparallel({ finish(task()); "fitted" })', 'cat(parallel::mccollect(child)[[1]], "\\n")', 'flx$flx_task_stop(running)', 'finish(running)')
  expect_equal(done, list(out = "fitted ", status = 0L))
})

test_that("an array from a saved workspace says what it is", {
  a <- nd_array(1:3)
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(a, file)
  again <- readRDS(file)
  # Either it is saved with its elements, or it is refused: never read as something else.
  got <- tryCatch(as.numeric(again), flexor_handle_error = function(e) "refused")
  expect_true(identical(got, c(1, 2, 3)) || identical(got, "refused"))
})

# SPDX-License-Identifier: Apache-2.0
# Ctrl-C during a fit, in a process of its own: it is stopped at the next batch, returns to where it was called, and the model so far is in last_fit().
test_that("twenty interrupts of long fits, each answered at once, the model usable each time", {
  skip_on_os("windows")
  script <- tempfile(fileext = ".R")
  log <- tempfile()
  libraries <- paste(deparse(.libPaths()), collapse = "")
  writeLines(c(sprintf(".libPaths(%s)", libraries), "library(flexor)", "
    set.seed(1)
    x <- matrix(rnorm(20000 * 20), 20000)
    y <- factor(sample(c('a', 'b'), 20000, TRUE))
    invisible(flexor(x, y, epochs = 1, progress = FALSE)) # everything loaded and warm
    for (round in 1:20) {
      before <- last_fit()
      system(sprintf('(sleep %.2f; kill -INT %d) > /dev/null 2>&1 &', 0.25 + 0.01 * round, Sys.getpid()))
      started <- proc.time()[['elapsed']]
      got <- tryCatch(flexor(x, y, epochs = 1e6, hidden = c(64, 64), progress = FALSE), interrupt = function(i) i)
      took <- proc.time()[['elapsed']] - started
      stopifnot(inherits(got, 'interrupt'), inherits(got$fit, 'flexor_fit'), isTRUE(got$fit$interrupted), took < 10)
      stopifnot(!identical(last_fit()$model, before$model), nlevels(predict(last_fit(), x[1:5, ])) == 2)
      cat('interrupted', round, '\\n')
    }
    stopifnot(length(predict(flexor(x, y, epochs = 1, progress = FALSE), x[1:3, ])) == 3)
    cat('done\\n')"), script)
  status <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), stdout = log, stderr = log)
  out <- readLines(log)
  expect_identical(status, 0L, info = paste(tail(out, 20), collapse = "\n"))
  expect_identical(sum(grepl("^interrupted", out) & !grepl("epochs", out)), 20L)
  expect_identical(tail(out, 1), "done")
})

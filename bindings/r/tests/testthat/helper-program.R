# SPDX-License-Identifier: Apache-2.0
# program("lines of R", ...): runs them in an R of their own and gives list(out=, status=); `environment` is c("NAME=value").
program <- function(..., environment = character(), packages = .libPaths()) {
  file <- tempfile(fileext = ".R")
  writeLines(c(...), file)
  on.exit(unlink(file))
  out <- suppressWarnings(system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", file), stdout = TRUE, stderr = TRUE, timeout = 120,
    env = c(paste0("R_LIBS=", paste(packages, collapse = ":")), environment)))
  list(out = as.character(out), status = if (is.null(attr(out, "status"))) 0L else attr(out, "status"))
}
live <- function() {
  gc()
  flexor:::flx_handle_live(NULL)
}
# A fit of the ABI's own, to drive by hand.
fit_program <- '
library(flexor)
flx <- asNamespace("flexor")
task <- function(rows = 64, ..., batch_size = "8") {
  x <- nd_array(matrix(runif(2 * rows), rows))
  y <- nd_array(seq_len(rows) %% 2)
  batches <- flx$flx_iter_from_arrays(list(x, y), c("data", "label"), c(batch_size = batch_size))
  model <- flx$flx_model_create(flx$flx_layer_create("Dense", NULL, c(units = "1")), NULL)
  sgd <- flx$flx_optimizer_create("SGD", c(learning_rate = "0.1"))
  flx$flx_fit_start(model, flx$flx_layer_create("L2Loss", NULL, NULL), sgd, batches, NULL, c(seed = "1", epochs = "1", ...))
}
finish <- function(task) while (flx$flx_task_next(task, -1) != flx$FLX_DONE) NULL
'

# SPDX-License-Identifier: Apache-2.0
# The ABI called from R, by the glue that SWIG makes from the header and the functions that generate.py makes over it: Rscript calls_test.R FLEXOR_SO FLEXOR_R.
options(warn = 2)
arguments <- commandArgs(trailingOnly = TRUE)
dll <- dyn.load(arguments[1])
for (symbol in getDLLRegisteredRoutines(dll)$.Call) assign(symbol$name, symbol) # as useDynLib(flexor, .registration = TRUE) does in a package
source(arguments[2])

make <- function(values, dims, dtype = FLX_FLOAT32) flx_ndarray_create_from(as.double(values), FLX_FLOAT64, FLX_COLUMN_MAJOR, dims, dtype, NULL)
dims_of <- function(a) flx_ndarray_describe(a)[[2]]
read <- function(a) {
  out <- numeric(prod(dims_of(a)))
  stopifnot(flx_ndarray_read(a, out, FLX_FLOAT64, FLX_COLUMN_MAJOR, -1))
  out
}
fails <- function(call, words, class = "flexor_error") { # the error of a call that must fail, its message with all `words`
  e <- tryCatch({ call; NULL }, error = identity)
  if (is.null(e)) stop("nothing failed: ", deparse(substitute(call)))
  for (w in words) if (!grepl(w, conditionMessage(e), fixed = TRUE)) stop("`", w, "` is not in: ", conditionMessage(e))
  stopifnot(inherits(e, class))
  e
}
fit_task <- function(rows, ..., batch_size = "8") {
  x <- make((seq_len(2 * rows) * 7) %% 11 / 11, c(rows, 2))
  y <- make(seq_len(rows) %% 2, rows)
  batches <- flx_iter_from_arrays(list(x, y), c("data", "label"), c(batch_size = batch_size))
  net <- flx_layer_create("Dense", NULL, c(units = "1"))
  flx_fit_start(flx_model_create(net, NULL), flx_layer_create("L2Loss", NULL, NULL), flx_optimizer_create("SGD", c(learning_rate = "0.1")), batches, NULL,
                c(seed = "1", ...))
}
finish <- function(task) {
  flx_task_stop(task)
  while (flx_task_next(task, -1) != FLX_DONE) NULL
}

tests <- list(
  version_and_constants = function() {
    flx_abi_require(FLX_ABI_VERSION)
    stopifnot(flx_abi_version() >= FLX_ABI_VERSION, FLX_COLUMN_MAJOR == 1L, FLX_ERROR_SHAPE == 4L, nchar(flx_version()) >= 5)
    fails(flx_abi_require(FLX_ABI_VERSION + 1000), "flx_abi_require")
  },
  array_from_host_memory_and_back = function() {
    m <- matrix(c(1, 2, 3, 4, 5, 6), 2, 3)
    a <- make(m, dim(m))
    stopifnot(identical(flx_ndarray_describe(a), list(FLX_FLOAT32, c(2, 3))), identical(read(a), as.double(m)))
    rows <- numeric(6)
    flx_ndarray_read(a, rows, FLX_FLOAT64, FLX_ROW_MAJOR, -1)
    stopifnot(identical(rows, c(1, 3, 5, 2, 4, 6)), flx_ndarray_nbytes(a) == 24)
    ints <- integer(2)
    flx_ndarray_read(make(c(3, 4), 2), ints, FLX_INT32, FLX_ROW_MAJOR, -1)
    stopifnot(identical(ints, c(3L, 4L)))
  },
  prepared_call = function() {
    add <- flx_call_create("broadcast_add", NULL)
    stopifnot(identical(read(flx_call_binary(add, 0, make(1:2, 2), make(c(10, 20), 2))), c(11, 22)))
    plus <- flx_call_create("_plus_scalar", c(scalar = "1"))
    stopifnot(identical(read(flx_call_run(plus, 0L, list(make(1:2, 2)), NULL)[[1]]), c(2, 3)))
    stopifnot(identical(read(flx_call_run(plus, 0L, list(make(1:2, 2)), 0.5)[[1]]), c(1.5, 2.5)))
  },
  invoke_with_options = function() {
    total <- flx_invoke("sum", 0, list(make(1:4, c(2, 2))), c(axis = "1", keepdims = "True"))
    stopifnot(length(total) == 1, identical(dims_of(total[[1]]), c(2, 1)), identical(read(total[[1]]), c(4, 6)))
    target <- make(c(0, 0), 2)
    flx_invoke_into("square", 0, list(make(3:4, 2)), NULL, list(target))
    stopifnot(identical(read(target), c(9, 16)))
  },
  many_results = function() {
    parts <- flx_invoke("SliceChannel", 0, list(make(1:6, c(2, 3))), c(num_outputs = "3", axis = "1"))
    stopifnot(identical(lapply(parts, read), list(c(1, 2), c(3, 4), c(5, 6))))
    many <- flx_invoke("SliceChannel", 0, list(make(1:1000, 1000)), c(num_outputs = "1000", axis = "0"))
    stopifnot(length(many) == 1000, read(many[[1000]]) == 1000)
  },
  symbols = function() {
    a <- flx_symbol_variable("a", c(shape = "(2,)"))
    b <- flx_symbol_variable("b", NULL)
    total <- flx_symbol_compose("elemwise_add", "total", list(a, b), c("rhs", "lhs"), NULL)
    stopifnot(flx_symbol_count(total, FLX_ARGUMENT) == 2, flx_symbol_name(total, FLX_ARGUMENT, 0) == "b")
    stopifnot(identical(flx_symbol_shape(flx_symbol_infer(total, NULL, 0), FLX_OUTPUT, 0)[[3]], 2))
    graph <- flx_graph_create(flx_symbol_from_json(flx_symbol_to_json(total)), NULL)
    stopifnot(identical(read(flx_graph_run(graph, 0, list(make(1:2, 2), make(c(10, 20), 2)))[[1]]), c(11, 22)))
  },
  error_becomes_condition = function() {
    e <- fails(flx_invoke("dot", 0, list(make(rep(0, 4), c(2, 2)), make(rep(0, 6), c(3, 2))), NULL), c("[dot]", "(2, 2)", "(3, 2)"))
    stopifnot(e$status == FLX_ERROR_SHAPE, nzchar(e$kind))
    fails(flx_call_create("Activatoin", NULL), "Activation")
  },
  wrong_arguments = function() {
    a <- make(1, 1)
    fails(flx_ndarray_nbytes("no handle"), "handle", "error")
    fails(flx_ndarray_create(1.5, 0, NULL), "whole number", "error")
    fails(flx_ndarray_create(1, "x", NULL), "number", "error")
    fails(flx_invoke("sum", 0, list(a), "1"), "named vector", "error")
    fails(flx_invoke("sum", 0, a, NULL), "list of Flexor handles", "error")
    fails(flx_call_create(NA_character_, NULL), "string", "error")
    fails(flx_ndarray_write(a, "text", 0, 0), "vector of numbers", "error")
    flx_free(a)
    flx_free(a)
    fails(flx_ndarray_nbytes(a), "freed")
    fails(flx_ndarray_nbytes(NULL), "null")
  },
  texts = function() {
    a <- make(1:2, 2)
    stopifnot(flx_ndarray_device(a) == "cpu(0)", flx_handle_kind(a) == "ndarray") # borrowed
    text <- flx_ndarray_text(a, -1) # owned
    stopifnot(text[[1]], grepl("(2", text[[2]], fixed = TRUE))
    net <- flx_layer_create("Dense", "gr\u00f6\u00dfe", c(units = "3"))
    stopifnot(identical(flx_layer_text(net, "name"), "gr\u00f6\u00dfe"))
    state <- flx_random_save()
    stopifnot(is.raw(state), is.null(flx_random_load(state)))
    stopifnot(identical(flx_log_next(), list(-1L, NULL)))
  },
  gradient = function() {
    x <- make(1:3, 3)
    flx_autograd_attach(x, "write", NULL)
    y <- flx_invoke("square", FLX_RECORD, list(x), NULL)
    flx_autograd_backward(y, NULL, 0)
    stopifnot(identical(read(flx_autograd_grad(x)), c(2, 4, 6)))
  },
  fit_polled = function() {
    task <- fit_task(64, epochs = "3")
    losses <- NULL
    repeat {
      event <- flx_task_next(task, 20)
      if (event == FLX_EPOCH) losses <- c(losses, flx_task_number(task, "loss"))
      if (event == FLX_DONE) break
    }
    stopifnot(length(losses) == 3, losses[3] < losses[1], flx_task_column_name(task, 1) == "loss")
  },
  waiting_is_interruptible = function() {
    task <- fit_task(100000, batch_size = "1", epochs = "1000")
    system(paste("(sleep 0.2; kill -INT", Sys.getpid(), ") > /dev/null 2>&1 &"))
    got <- tryCatch(flx_task_next(task, -1), interrupt = function(i) "interrupted")
    finish(task)
    stopifnot(identical(got, "interrupted"))
  },
  timeouts = function() {
    task <- fit_task(100000, batch_size = "1", epochs = "1000")
    stopifnot(flx_task_next(task, 0) == FLX_PENDING, flx_task_next(task, 150) == FLX_PENDING)
    finish(task)
  },
  collector_frees = function() {
    invisible(gc())
    before <- flx_handle_live(NULL)
    kept <- lapply(1:100, function(i) make(i, 1))
    stopifnot(flx_handle_live(NULL) == before + 100)
    kept <- NULL
    invisible(gc())
    stopifnot(flx_handle_live(NULL) == before)
  }
)
passed <- failed <- 0
for (name in names(tests)) {
  e <- tryCatch({ tests[[name]](); NULL }, error = identity)
  if (is.null(e)) { passed <- passed + 1; cat("passed", name, "\n") }
  else { failed <- failed + 1; print(e); cat("FAILED", name, "\n") }
}
cat(sprintf("%d passed, %d failed\n", passed, failed))
quit(status = if (failed) 1 else 0)

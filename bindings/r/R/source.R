# SPDX-License-Identifier: Apache-2.0
# Data from an R function that gives a batch each time it is called, and NULL at the end of an epoch. One batch is read ahead: it tells the shape and the classes.

input_source <- function(f) {
  first <- source_batch(f())
  if (is.null(first)) flexor_stop("[flexor] the function that gives batches gave none.", "argument")
  y <- first$y
  target <- if (is.factor(y)) target_of(factor(levels(y), levels = levels(y))) # a batch need not have all classes
            else if (is.numeric(y)) target_of(y)
            else flexor_stop(sprintf("[flexor] y of a batch must be a factor with all its levels, or numbers, given %s.", described(y)), "argument")
  waiting <- first
  one_batch <- function(what, arrays) {
    b <- if (is.null(waiting)) source_batch(f()) else waiting
    waiting <<- NULL
    if (is.null(b)) return(list())
    list(data_array(b$x), labels_of(b$y, target))
  }
  list(target = target, blueprint = list(kind = "array", dims = dim(first$x)[-1L], columns = if (length(dim(first$x)) == 2L) colnames(first$x)),
       source = function(target) flx_iter_from_host(host_function(one_batch), c("data", "label"), c(batch_size = whole_text(rows_of(first$x)))))
}
source_batch <- function(b) {
  if (is.null(b) || (is.list(b) && !length(b))) return(NULL)
  if (!is.list(b) || is.data.frame(b) || length(b) != 2L) flexor_stop(sprintf("[flexor] a batch is list(x, y), or NULL at the end of an epoch, given %s.", described(b)), "argument")
  x <- if (is.data.frame(b[[1L]])) as.matrix(b[[1L]]) else b[[1L]]
  x <- plain_x(x)
  if (rows_of(x) != rows_of(b[[2L]])) flexor_stop(sprintf("[flexor] x of a batch has %d rows and y has %d.", rows_of(x), rows_of(b[[2L]])), "shape")
  list(x = x, y = b[[2L]])
}

# An iterator of the library: each one made is a new one, so that looking at its first batch takes nothing from the fit.
input_iter <- function(source, levels) {
  look <- source$make()
  if (flx_iter_next(look, -1) != FLX_BATCH) flexor_stop(sprintf("[flexor] %s gave no batch.", source$name), "argument")
  target <- if (is.null(levels)) list(task = "regression", classes = NULL, columns = NULL)
            else list(task = "classification", classes = as.character(levels), columns = NULL)
  list(target = target, blueprint = list(kind = "array", dims = dim(flx_iter_arrays(look)[[1L]])[-1L]), source = function(target) source$make())
}

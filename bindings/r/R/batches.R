# SPDX-License-Identifier: Apache-2.0
# Batches for a `for` loop. R's loops go over vectors, so this is a list with an element for each batch; each knows only its number, and its arrays are fetched when they
# are asked for. The source holds the arrays of one batch at a time; an earlier one is made again.

#' Batches of data for a loop
#'
#' `for (batch in batches(x, y, size = 64))` goes over the data once. Each batch has `$x`, `$y` (or the names given), `$index`, `$count` (how many batches there
#' are) and `$rows`. Its arrays are made when they are asked for, and only those of one batch are held at a time.
#'
#' A factor becomes its codes, from 1, which losses take as classes.
#' @param x the data: an array, matrix or data frame whose first axis are the samples, or what an `iter_` function gives
#' @param y what belongs to it: a factor, numbers, an array; NULL: nothing
#' @param size samples in a batch
#' @param shuffle whether the samples are taken in random order
#' @param seed decides the order; without it, it is drawn from R's generator
#' @param last what becomes of the last samples when they do not fill a batch: keep (a smaller batch), drop, or pad
#' @param ... more arrays, by name
#' @return a list of batches for a `for` loop
#' @examples
#' for (batch in batches(matrix(1:10, 5), factor(c("a", "b", "a", "b", "a")), size = 2))
#'   cat(batch$index, "of", batch$count, ":", as.numeric(batch$y), "\n")
#' @export
batches <- function(x, y = NULL, size = 32, shuffle = FALSE, seed = NULL, last = c("keep", "drop", "pad"), ...) {
  last <- match.arg(last)
  if (inherits(x, "flexor_source")) return(batches_of(x$make, NULL))
  if (is.null(seed)) seed <- if (shuffle) draw_seed() else 0
  arrays <- Filter(Negate(is.null), list(x = x, y = y, ...))
  arrays <- lapply(arrays, function(a) if (is_array(a)) a else nd_array(a))
  rows <- vapply(arrays, function(a) dim(a)[1L], 0)
  if (any(rows != rows[1])) bad("[batches] the first axis counts the samples and must agree: ", paste0(names(rows), " has ", rows, collapse = ", "), status = FLX_ERROR_SHAPE)
  options <- texts(list(batch_size = size, shuffle = shuffle, seed = seed, last = last))
  names <- names(arrays)
  make <- function() flx_iter_from_arrays(arrays, names, options)
  batches_of(make, if (last == "drop") rows[[1]] %/% size else ceiling(rows[[1]] / size))
}

batches_of <- function(make, count) {
  source <- new.env(parent = emptyenv())
  source$make <- make
  source$iter <- make()
  source$at <- 0
  if (is.null(count)) {
    source$count <- count <- count_batches(make())
  }
  source$count <- count
  structure(lapply(seq_len(count), function(i) structure(list(i), source = source, class = "flexor_batch")), class = "flexor_batches")
}
count_batches <- function(iter) {
  n <- 0
  while (flx_iter_next(iter, -1) == FLX_BATCH) n <- n + 1
  n
}
fetch_batch <- function(batch) {
  source <- attr(batch, "source")
  i <- unclass(batch)[[1L]]
  if (source$at == i) return(source$arrays)
  if (source$at > i || !is_alive(source$iter)) {
    source$iter <- source$make()
    source$at <- 0
  }
  source$arrays <- NULL
  while (source$at < i) {
    if (flx_iter_next(source$iter, -1) != FLX_BATCH) bad("[batches] batch ", i, " is not there: the data has become shorter", status = FLX_ERROR_STATE)
    source$at <- source$at + 1
  }
  arrays <- flx_iter_arrays(source$iter)
  names(arrays) <- vapply(seq_along(arrays) - 1L, function(k) flx_iter_name(source$iter, k), "")
  source$rows <- if (length(arrays)) dim(arrays[[1L]])[1L] - flx_iter_pad(source$iter) else 0L
  source$arrays <- arrays
}
#' @export
`$.flexor_batch` <- function(x, name) {
  switch(name, index = unclass(x)[[1L]], count = attr(x, "source")$count, rows = { fetch_batch(x); attr(x, "source")$rows }, fetch_batch(x)[[name]])
}
#' @export
`[[.flexor_batch` <- function(x, i) if (is.character(i)) eval(call("$", x, i)) else fetch_batch(x)[[i]]
#' @export
names.flexor_batch <- function(x) names(fetch_batch(x))
#' @export
print.flexor_batch <- function(x, ...) {
  arrays <- fetch_batch(x)
  cat("<batch ", unclass(x)[[1L]], " of ", attr(x, "source")$count, ">\n", sep = "")
  for (n in names(arrays)) cat("  ", n, ": ", dtype_of(arrays[[n]]), " ", paste(dim(arrays[[n]]), collapse = " x "), "\n", sep = "")
  invisible(x)
}
#' @export
print.flexor_batches <- function(x, ...) {
  cat("<", length(x), " batches>\n", sep = "")
  invisible(x)
}
new_iter <- function(name, settings) {
  force(settings)
  make <- function() flx_iter_create(name, settings)
  make()
  structure(list(name = name, make = make), class = "flexor_source")
}
#' @export
print.flexor_source <- function(x, ...) {
  cat("<source of batches ", x$name, ">\n", sep = "")
  invisible(x)
}

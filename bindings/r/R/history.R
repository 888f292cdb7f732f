# SPDX-License-Identifier: Apache-2.0
# The history of a fit: a row for each epoch, as the core counted it.

task_history <- function(task) {
  names <- vapply(seq_len(flx_task_column_count(task)) - 1L, function(i) flx_task_column_name(task, i), "")
  values <- as.array(flx_task_history(task))
  dim(values) <- c(length(values) / length(names), length(names))
  columns <- lapply(seq_along(names), function(i) values[, i])
  names(columns) <- names
  columns$epoch <- as.integer(columns$epoch)
  structure(columns, class = "flexor_history")
}
join_history <- function(first, second) { # a fit that goes on from another
  if (is.null(first)) return(second)
  both <- intersect(names(first), names(second))
  out <- lapply(both, function(n) c(first[[n]], if (n == "epoch") second[[n]] + max(c(0L, first[[n]])) else second[[n]]))
  names(out) <- both
  structure(out, class = "flexor_history")
}

#' @export
as.data.frame.flexor_history <- function(x, row.names = NULL, optional = FALSE, ...) {
  out <- as.data.frame(unclass(x), row.names = row.names, optional = TRUE, ...)
  names(out) <- names(x)
  out
}
#' @export
print.flexor_history <- function(x, ...) {
  print(as.data.frame(x), row.names = FALSE, ...)
  invisible(x)
}
#' @export
length.flexor_history <- function(x) length(unclass(x))

epochs_of <- function(history) length(history$epoch)
epoch_line <- function(history, row = epochs_of(history)) {
  if (!row) return("not fitted")
  columns <- setdiff(names(history), c("epoch", "seconds"))
  values <- vapply(columns, function(n) format(signif(history[[n]][row], 4)), "")
  sprintf("epoch %d: %s", history$epoch[row], paste(columns, values, collapse = ", "))
}

#' @rdname plot.flexor_fit
#' @export
plot.flexor_history <- function(x, ...) {
  columns <- setdiff(names(x), c("epoch", "seconds"))
  kinds <- unique(sub("^valid\\.", "", columns))
  if (!epochs_of(x)) flexor_stop("[plot] there is no epoch to show.", "state")
  old <- graphics::par(mfrow = c(1, length(kinds)))
  on.exit(graphics::par(old))
  for (kind in kinds) {
    train <- x[[kind]]
    valid <- x[[paste0("valid.", kind)]]
    seen <- c(train, valid)
    graphics::plot(x$epoch, train, type = "o", pch = 20, ylim = if (any(is.finite(seen))) range(seen[is.finite(seen)]) else c(0, 1), xlab = "epoch", ylab = kind, main = kind, ...)
    if (!is.null(valid)) {
      graphics::lines(x$epoch, valid, type = "o", pch = 1, lty = 2)
      graphics::legend("right", c("training", "validation"), lty = 1:2, pch = c(20, 1), bty = "n")
    }
  }
  invisible(x)
}

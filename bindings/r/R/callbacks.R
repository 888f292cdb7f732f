# SPDX-License-Identifier: Apache-2.0
# Callbacks: functions of one argument, the state of the fit after an epoch. FALSE, or a call of stop_training(), ends the fit after this epoch.

as_callbacks <- function(callbacks) {
  if (is.null(callbacks)) return(list())
  if (is.function(callbacks)) callbacks <- list(callbacks)
  if (!is.list(callbacks) || !all(vapply(callbacks, is.function, NA)))
    flexor_stop(sprintf("[flexor] callbacks must be functions, or a list of them, given %s.", described(callbacks)), "argument")
  callbacks
}

# TRUE if the fit should go on.
run_callbacks <- function(callbacks, state) {
  go_on <- TRUE
  for (f in callbacks) {
    answer <- withRestarts(f(state), flexor_stop_training = function() FALSE)
    if (identical(answer, FALSE)) go_on <- FALSE
  }
  go_on
}

#' End a fit from a callback
#'
#' Ends the fit that is running after this epoch. A callback may as well return `FALSE`.
#' @return does not return to the callback
#' @examples
#' fit <- flexor(Species ~ ., iris, epochs = 50, progress = FALSE,
#'               callbacks = function(state) if (state$accuracy > 0.5) stop_training())
#' nrow(as.data.frame(fit$history))
#' @export
stop_training <- function() {
  if (is.null(computeRestarts_named("flexor_stop_training"))) flexor_stop("[stop_training] no fit is running: it is called from a callback of flexor().", "state")
  invokeRestart("flexor_stop_training")
}
computeRestarts_named <- function(name) {
  for (r in computeRestarts()) if (identical(r$name, name)) return(r)
  NULL
}

#' Stop when nothing gets better
#'
#' A callback for [flexor()] that ends the fit when a column of the history was not better for some epochs.
#' @param monitor a column of the history
#' @param patience how many epochs to wait for something better
#' @param min_delta what counts as better must be better by this
#' @param mode whether less or more is better; by default what the name says: losses and errors down, everything else up
#' @param restore_best whether the model ends with the parameters of its best epoch
#' @return a callback
#' @examples
#' fit <- flexor(Species ~ ., iris, epochs = 100, validation = 0.2, progress = FALSE,
#'               callbacks = early_stop("valid.loss", patience = 2))
#' nrow(as.data.frame(fit$history))
#' @export
early_stop <- function(monitor = "valid.loss", patience = 3, min_delta = 0, mode = c("auto", "min", "max"), restore_best = FALSE) {
  mode <- match.arg(mode)
  if (!is.numeric(patience) || length(patience) != 1L || is.na(patience) || patience < 1)
    flexor_stop(sprintf("[early_stop] patience must be a number of epochs, at least 1, given %s.", described(patience)), "argument")
  if (mode == "auto") mode <- if (grepl("loss|mae|mse|rmse|perplexity|error|entropy", monitor, ignore.case = TRUE)) "min" else "max"
  best <- since <- bytes <- NULL
  structure(function(state) {
    value <- state[[monitor, exact = TRUE]]
    if (is.null(value)) {
      known <- setdiff(names(state$history), c("epoch", "seconds"))
      flexor_stop(sprintf("[early_stop] there is no `%s` to watch; this fit has %s.%s", monitor, paste(known, collapse = ", "),
                          if (startsWith(monitor, "valid.")) " Give flexor() validation data?" else ""), "name")
    }
    if (state$epoch == 1L) best <<- since <<- bytes <<- NULL # the same object may serve several fits
    better <- is.finite(value) && (is.null(best) || (if (mode == "min") value < best - min_delta else value > best + min_delta))
    if (better) {
      best <<- value
      since <<- 0L
      if (restore_best) bytes <<- state$bytes()
    } else {
      since <<- if (is.null(since)) 1L else since + 1L
    }
    if (since < patience) return(TRUE)
    if (!is.null(bytes)) state$restore(bytes)
    FALSE
  }, class = c("flexor_callback", "function"), label = sprintf("early_stop(\"%s\", patience = %g)", monitor, patience))
}

#' @export
print.flexor_callback <- function(x, ...) {
  cat(attr(x, "label"), "\n")
  invisible(x)
}

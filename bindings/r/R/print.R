# SPDX-License-Identifier: Apache-2.0
# What a fit says of itself.

plural <- function(n, word) sprintf("%s %s%s", format(n, big.mark = ",", trim = TRUE, scientific = FALSE), word, if (n == 1) "" else if (grepl("s$", word)) "es" else "s")

fit_table <- function(object) {
  dims <- object$blueprint$dims
  if (is.null(dims)) return(NULL)
  tryCatch(layer_table(flx_model_layer(model_handle(object$model)), c(NA, dims)), flexor_error = function(e) NULL)
}
fit_title <- function(object, table = fit_table(object)) {
  what <- if (identical(object$task, "classification") && is.null(object$classes)) "classifier"
          else if (identical(object$task, "classification")) sprintf("classifier of %s (%s)", plural(length(object$classes), "class"), few_plain(object$classes))
          else if (identical(object$task, "regression")) if (length(object$target$columns) > 1L) sprintf("regression of %s", few_plain(object$target$columns)) else "regression"
          else "model"
  parts <- c(if (!is.null(object$blueprint$dims)) sprintf("inputs %s", paste(object$blueprint$dims, collapse = " x ")),
             if (!is.null(table)) c(plural(sum(vapply(table$rows, function(r) !(r$kind %in% c("Sequential", "Concurrent")), NA)), "layer"), plural(table$totals$parameters, "parameter")))
  paste0("Flexor ", what, if (length(parts)) ": ", paste(parts, collapse = ", "))
}
few_plain <- function(words, most = 6L) paste0(paste(utils::head(words, most), collapse = ", "), if (length(words) > most) ", ..." else "")

#' @rdname flexor_fit
#' @export
print.flexor_fit <- function(x, ...) {
  cat(fit_title(x), "\n", sep = "")
  if (epochs_of(x$history)) cat(epoch_line(x$history), if (isTRUE(x$interrupted)) " (interrupted)", "\n", sep = "")
  invisible(x)
}

#' @rdname flexor_fit
#' @export
summary.flexor_fit <- function(object, ...) {
  table <- fit_table(object)
  parameters <- if (is.null(table)) sum(vapply(model_params(model_handle(object$model)), function(a) prod(dim(a)), 0)) else table$totals$parameters
  bytes <- if (is.null(table)) 4 * parameters else table$totals$bytes
  structure(list(fit = object, table = table, layers = if (!is.null(table)) layer_frame(table), parameters = parameters, memory = fit_memory(object, bytes, table)), class = "flexor_summary")
}
# The layers as a data frame: path, kind, output, parameters.
layer_frame <- function(table) {
  rows <- table$rows
  data.frame(layer = vapply(rows, function(r) paste0(r$path, if (nzchar(r$path)) " ", r$kind, if (nzchar(r$name)) paste0(" ", r$name)), ""),
             output = vapply(rows, function(r) paste(vapply(r$outputs, function(o) shape_words(json_shape(o$shape)), ""), collapse = " "), ""),
             parameters = vapply(rows, function(r) r$parameters, 0), stringsAsFactors = FALSE)
}
shape_words <- function(shape) paste0("(", paste(ifelse(is.na(shape), "NA", format(shape, trim = TRUE, scientific = FALSE)), collapse = ", "), ")")
# Bytes: the parameters, and what the layers give for a batch.
fit_memory <- function(object, bytes, table) {
  outputs <- if (is.null(table)) NA_real_ else sum(vapply(table$rows, function(r) if (r$kind %in% c("Sequential", "Concurrent")) 0 else
    sum(vapply(r$outputs, function(o) 4 * prod(json_shape(o$shape), na.rm = TRUE), 0)), 0))
  c(parameters = bytes, batch = outputs * (if (is.null(object$batch_size)) 1 else object$batch_size))
}

#' @export
print.flexor_summary <- function(x, ...) {
  fit <- x$fit
  cat(fit_title(fit, x$table), "\n", sep = "")
  if (!is.null(x$layers)) {
    cat("\n")
    print_columns(x$layers)
    cat("\n")
  }
  cat(sprintf("%s", plural(x$parameters, "parameter")))
  if (!is.null(x$table)) cat(sprintf(", %s trained", format(x$table$totals$trained, big.mark = ",", scientific = FALSE)))
  cat(sprintf("\nmemory: %s of parameters", size_text(x$memory[["parameters"]])))
  if (!is.na(x$memory[["batch"]])) cat(sprintf("; at least %s in training (parameters, gradients, outputs of %s rows)", size_text(2 * x$memory[["parameters"]] + x$memory[["batch"]]), whole_text(fit$batch_size)))
  cat("\n")
  if (!is.null(fit$loss)) cat(sprintf("loss %s, seed %s, batches of %s", fit$loss, whole_text(fit$seed), whole_text(fit$batch_size)))
  if (!is.null(fit$rows)) cat(sprintf(", %s", paste(format(fit$rows, trim = TRUE), names(fit$rows), "rows", collapse = ", ")))
  if (!is.null(fit$loss)) cat("\n")
  if (epochs_of(fit$history)) cat(epoch_line(fit$history), "\n", sep = "")
  invisible(x)
}
print_columns <- function(frame) {
  text <- rbind(names(frame), do.call(cbind, lapply(frame, function(c) if (is.numeric(c)) format(c, big.mark = ",", scientific = FALSE, trim = TRUE) else c)))
  width <- apply(nchar(text), 2L, max)
  right <- vapply(frame, is.numeric, NA)
  for (i in seq_len(nrow(text))) {
    cat(trimws(paste(mapply(formatC, text[i, ], width = ifelse(right, width, -width)), collapse = "  "), "right"), "\n", sep = "")
    if (i == 1L) cat(strrep("-", sum(width) + 2L * (length(width) - 1L)), "\n", sep = "")
  }
}

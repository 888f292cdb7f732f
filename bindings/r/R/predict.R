# SPDX-License-Identifier: Apache-2.0
# Predictions of a fit, as R has them: a factor with the levels of the response, a matrix of probabilities, numbers.

to_probability <- function(raw, link) switch(link,
  softmax = flx_invoke("softmax", 0, list(raw), c(axis = if (length(dim(raw)) > 2L) "1" else "-1"))[[1L]],
  sigmoid = flx_invoke("sigmoid", 0, list(raw), NULL)[[1L]],
  raw)

# An array of the core's outputs, first axis the rows, as R users want it.
shape_output <- function(values, target, type, names = NULL) {
  if (is.null(dim(values))) dim(values) <- length(values)
  k <- length(target$classes)
  if (type == "prob" && k == 2L && (length(dim(values)) == 1L || ncol(values) == 1L)) values <- cbind(1 - as.vector(values), as.vector(values))
  if (length(dim(values)) == 1L || (length(dim(values)) == 2L && ncol(values) == 1L && type != "prob")) return(stats::setNames(as.vector(values), names))
  if (length(dim(values)) == 2L) {
    columns <- if (type == "prob" || k == ncol(values)) target$classes else target$columns
    dimnames(values) <- list(names, if (length(columns) == ncol(values)) columns)
  }
  values
}
# NA for the rows that had missing values.
spread_rows <- function(values, keep) {
  if (length(keep) == 1L || all(keep)) return(values)
  index <- rep(NA_integer_, length(keep))
  index[keep] <- seq_len(sum(keep))
  take_rows(values, index)
}

# Raw outputs for an array of R or the core, as an array of the core.
raw_outputs <- function(model, x, batch_size) {
  data <- flx_iter_from_arrays(list(data_array(x)), "data", c(batch_size = whole_text(batch_size)))
  task <- flx_predict_start(model_handle(model), data)
  run_task(task, function(event) TRUE)
  flx_task_arrays(task)
}

#' Predict with a fit
#'
#' Predictions for new data: classes as a factor with the levels that were fitted, their probabilities, or numbers.
#'
#' New data has the form of the data that was fitted. Columns of a data frame, or of a matrix with names, are found by name. Rows with missing values give `NA`.
#' @param object a fit of [flexor()], or what [load_model()] gives
#' @param newdata a data frame, matrix or array; without it the data that was fitted
#' @param type `"class"`, a factor (the default of a classifier); `"prob"`, a matrix with a column for each class; `"response"`, numbers (the default of a regression); `"raw"`, what the network's last layer gives
#' @param batch_size rows that are computed at a time
#' @param ... not used
#' @return a factor, a matrix, numbers, or for networks with several outputs a list of arrays
#' @examples
#' set.seed(1)
#' fit <- flexor(Species ~ ., iris, epochs = 20, progress = FALSE)
#' predict(fit, iris[c(1, 51, 101), ])
#' predict(fit, iris[c(1, 51, 101), ], type = "prob")
#' @export
predict.flexor_fit <- function(object, newdata, type = c("default", "class", "prob", "response", "raw"), batch_size = 256, ...) {
  type <- match.arg(type)
  classifier <- identical(object$task, "classification")
  if (type == "default") type <- if (classifier) "class" else if (is.null(object$task)) "raw" else "response"
  if (type %in% c("class", "prob") && !classifier) flexor_stop(sprintf("[predict] type = \"%s\" is for classes; this model predicts numbers.", type), "argument")
  if (missing(newdata)) newdata <- training_data(object)
  one_number(batch_size, "batch_size", 1, whole = TRUE)
  given <- apply_blueprint(object$blueprint, newdata)
  outputs <- if (rows_of(given$x)) raw_outputs(object$model, given$x, batch_size) else NULL
  if (is.null(outputs)) {
    if (!classifier) return(if (length(object$target$columns) > 1L) matrix(NA_real_, length(given$keep), length(object$target$columns)) else rep(NA_real_, sum(!given$keep)))
    outputs <- list(nd_array(matrix(0, 0L, length(object$classes))))
  }
  one <- function(raw) {
    if (type %in% c("raw", "response")) return(spread_rows(shape_output(as.array(raw), object$target, "response", given$names[given$keep]), given$keep))
    p <- shape_output(as.array(to_probability(raw, object$link)), object$target, "prob", given$names[given$keep])
    if (type == "prob") return(spread_rows(p, given$keep))
    spread_rows(to_classes(p, object), given$keep)
  }
  if (length(outputs) > 1L && type %in% c("raw", "response")) return(lapply(outputs, one))
  one(outputs[[1L]])
}
to_classes <- function(p, object) {
  if (is.null(object$classes)) object$classes <- as.character(seq_len(dim(p)[2L])) # a model of others may not say them
  if (length(dim(p)) > 2L) { # classes along the second axis, as for pictures: an array of labels
    order <- c(2L, seq_along(dim(p))[-2L])
    best <- apply(aperm(p, order), seq_along(dim(p))[-1L], which.max)
    return(array(object$classes[best], dim(p)[-2L]))
  }
  best <- max.col(p, ties.method = "first")
  factor(object$classes[best], levels = object$classes, ordered = isTRUE(object$target$ordered))
}

# Rows that were fitted, by evaluating the call again as update() does.
training_data <- function(object) {
  call <- object$call
  env <- if (!is.null(object$terms) && is.environment(environment(object$terms))) environment(object$terms) else parent.frame(2L)
  data <- tryCatch(
    if (identical(object$blueprint$kind, "formula")) {
      frame <- call[c(1L, match(c("data", "subset"), names(call), 0L))]
      frame$formula <- object$terms
      frame[[1L]] <- quote(stats::model.frame)
      frame$na.action <- quote(stats::na.omit)
      eval(frame, env)
      if (is.null(call$subset)) eval(call$data, env) else eval(call$data, env)[eval(call$subset, eval(call$data, env), env), , drop = FALSE]
    } else eval(call$x, env), error = function(e) NULL)
  if (is.null(data)) flexor_stop("[predict] the data that was fitted is not there any more: give newdata.", "state")
  data
}
training_response <- function(object) {
  env <- if (!is.null(object$terms) && is.environment(environment(object$terms))) environment(object$terms) else parent.frame(2L)
  if (identical(object$blueprint$kind, "formula")) return(stats::model.response(stats::model.frame(object$terms, training_data(object), na.action = stats::na.pass)))
  tryCatch(eval(object$call$y, env), error = function(e) flexor_stop("[residuals] the data that was fitted is not there any more.", "state"))
}

#' Parts of a fit
#'
#' `coef()` gives the parameters as a named list of arrays; `fitted()` the predictions for the data that was fitted (probabilities of a classifier), `residuals()` what is left of a regression; `summary()` the layers with shapes and parameters, and the memory.
#'
#' The data is not kept in the fit: `fitted()` and `residuals()` evaluate it again from the call.
#' @param object,x a fit of [flexor()]
#' @param ... passed on
#' @return as said
#' @name flexor_fit
#' @aliases coef.flexor_fit residuals.flexor_fit summary.flexor_fit print.flexor_fit formula.flexor_fit nobs.flexor_fit
#' @examples
#' fit <- flexor(mpg ~ wt + hp, mtcars, epochs = 20, progress = FALSE)
#' summary(fit)
#' str(coef(fit))
#' head(residuals(fit))
#' @export
fitted.flexor_fit <- function(object, ...) {
  training <- training_data(object)
  if (identical(object$task, "classification")) predict(object, training, type = "prob") else predict(object, training)
}
#' @rdname flexor_fit
#' @export
residuals.flexor_fit <- function(object, ...) {
  if (!identical(object$task, "regression")) flexor_stop("[residuals] a classifier has none.", "unsupported")
  training_response(object) - fitted(object)
}
#' @rdname flexor_fit
#' @export
coef.flexor_fit <- function(object, ...) lapply(model_params(model_handle(object$model)), as.array)
#' @export
formula.flexor_fit <- function(x, ...) {
  if (is.null(x$terms) || !identical(x$blueprint$kind, "formula")) flexor_stop("[formula] this fit was made from x and y.", "unsupported")
  stats::formula(x$terms)
}
#' @export
nobs.flexor_fit <- function(object, ...) object$rows[["training"]]

#' Measure a fit on data
#'
#' The loss and the metrics of a fit on data that it has not seen.
#' @param object a fit of [flexor()]
#' @param x a data frame with all variables (for a fit by formula or recipe), or predictors
#' @param y what should be predicted, unless `x` has it
#' @param metrics names, or R functions in a named list, as for [flexor()]
#' @param batch_size rows that are computed at a time
#' @param ... not used
#' @return a named vector of numbers
#' @examples
#' set.seed(1)
#' train <- sample(nrow(iris), 100)
#' fit <- flexor(Species ~ ., iris[train, ], epochs = 20, progress = FALSE)
#' evaluate(fit, iris[-train, ])
#' @export
evaluate <- function(object, ...) UseMethod("evaluate")
#' @rdname evaluate
#' @export
evaluate.flexor_fit <- function(object, x, y = NULL, metrics = NULL, batch_size = 256, ...) {
  if (is.null(object$task)) flexor_stop("[evaluate] the file does not say whether the model classifies; use predict().", "state")
  b <- object$blueprint
  if (is.null(y)) {
    if (!is.data.frame(x)) flexor_stop("[evaluate] y is missing.", "argument")
    y <- if (b$kind == "formula") stats::model.response(stats::model.frame(stats::update(b$terms, . ~ 1), x, na.action = stats::na.pass))
         else if (!is.null(b$recipe)) outcome_of(b, x)
         else flexor_stop("[evaluate] y is missing.", "argument")
  }
  given <- apply_blueprint(b, x, "evaluate")
  keep <- given$keep & complete_rows(y)
  if (is.data.frame(y)) y <- data.matrix_numeric(y)
  if (rows_of(y) != max(length(given$keep), rows_of(given$x))) flexor_stop(sprintf("[evaluate] x has %d rows and y has %d.", max(length(given$keep), rows_of(given$x)), rows_of(y)), "shape")
  used <- given$x
  if (length(keep) == length(given$keep) && length(keep) > 1L && any(keep != given$keep)) used <- take_rows(used, which(keep[given$keep]))
  if (length(keep) > 1L) y <- take_rows(y, which(keep))
  raw <- raw_outputs(object$model, used, batch_size)[[1L]]
  label <- labels_of(y, object$target, "evaluate")
  # a file of another language does not say the loss
  loss <- if (!is.null(object$loss)) flx_layer_run(loss_handle(object$loss), NULL, 0, list(raw, label))[[1L]]
  if (is.null(metrics)) metrics <- if (object$task == "classification") "accuracy" else "mae"
  if (is.function(metrics)) metrics <- list(metric = metrics)
  out <- c(numeric(), loss = if (!is.null(loss)) mean(as.array(loss)))
  if (inherits(metrics, "flexor_metric")) metrics <- list(metrics)
  scores <- raw
  for (i in seq_along(metrics)) {
    m <- metrics[[i]]
    if (is.function(m)) {
      value <- r_metric(m, object$target, object$link)(raw, label)
      out[[if (is.null(names(metrics)) || names(metrics)[i] == "") "metric" else names(metrics)[i]]] <- value
      next
    }
    if (identical(object$link, "sigmoid") && length(object$classes) == 2L) scores <- nd_array(shape_output(as.array(to_probability(raw, "sigmoid")), object$target, "prob"))
    metric <- flx_metric_create("Composite", c(metrics = if (inherits(m, "flexor_metric")) format(m) else m))
    flx_metric_update(metric, list(scores), list(label))
    for (k in seq_len(flx_metric_count(metric)) - 1L) out[[flx_metric_name(metric, k)]] <- flx_metric_value(metric, k, -1)[[2L]]
  }
  out
}

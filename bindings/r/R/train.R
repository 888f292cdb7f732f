# SPDX-License-Identifier: Apache-2.0
# Losses, optimizers, schedules, initializers and metrics: settings that R holds as plain values, and the library's objects made of them when they are wanted.
# What is described is made once and thrown away, so that a wrong setting is told where it was written.
new_setting <- function(class, name, settings) {
  switch(class, loss = flx_layer_create(name, NULL, settings), metric = flx_metric_create(name, settings), initializer = flx_initializer_create(name, settings),
         schedule = flx_schedule_create(name, settings))
  structure(list(name = name, settings = settings), class = c(paste0("flexor_", class), "flexor_setting"))
}
new_metric <- function(name, settings) new_setting("metric", name, settings)
new_initializer <- function(name, settings) new_setting("initializer", name, settings)
new_schedule <- function(name, settings) new_setting("schedule", name, settings)
loss_setting <- function(name, settings) new_setting("loss", name, settings)

#' @export
format.flexor_setting <- function(x, ...) paste0(x$name, if (length(x$settings)) paste0("(", paste(names(x$settings), x$settings, sep = "=", collapse = ", "), ")"))
#' @export
print.flexor_setting <- function(x, ...) {
  cat("<", sub("^flexor_", "", class(x)[1]), " ", format(x), ">\n", sep = "")
  invisible(x)
}

# The library's loss of an object or a name: "softmax_cross_entropy", "l2_loss", "SoftmaxCrossEntropyLoss".
loss_handle <- function(loss) {
  if (inherits(loss, "flexor_loss")) return(flx_layer_create(loss$name, NULL, loss$settings))
  if (is.function(loss)) return(loss_handle(loss()))
  if (!is.character(loss) || length(loss) != 1L) bad("[loss] a loss was expected, such as softmax_cross_entropy() or \"l2_loss\", given ", class(loss)[1])
  made <- get0(if (exists(loss, asNamespace("flexor"), mode = "function")) loss else paste0(loss, "_loss"), asNamespace("flexor"), mode = "function")
  if (is.function(made) && inherits(try(made(), silent = TRUE), "flexor_loss")) loss_handle(made()) else flx_layer_create(loss, NULL, NULL)
}
flx_losses <- new.env(parent = emptyenv())
run_loss <- function(name, settings, arrays) {
  key <- paste(c(name, names(settings), settings), collapse = "\r")
  h <- flx_losses[[key]]
  if (is.null(h)) assign(key, h <- flx_layer_create(name, NULL, settings), envir = flx_losses)
  arrays <- arrays_together(Filter(Negate(is.null), arrays))
  one_or_all(flx_layer_run(h, NULL, flx_mode(), arrays))
}

# Optimizers are references: their state (momentum ...) is one, whatever variable holds them.
new_optimizer <- function(name, settings, schedule = NULL) {
  flx_optimizer_create(name, settings)
  self <- new.env(parent = emptyenv())
  self$name <- name
  self$settings <- settings
  self$schedule <- schedule
  structure(self, class = "flexor_optimizer")
}
rate_text <- function(rate) if (inherits(rate, "flexor_schedule")) character() else value_text(rate)
rate_schedule <- function(rate) if (inherits(rate, "flexor_schedule")) rate

# A new optimizer of the library, without state, of an object or a name.
optimizer_handle <- function(opt) {
  if (is.function(opt)) opt <- opt()
  if (is.character(opt) && length(opt) == 1L) return(flx_optimizer_create(opt, NULL))
  if (!inherits(opt, "flexor_optimizer")) bad("[optimizer] an optimizer was expected, such as adam(0.001), given ", class(opt)[1])
  h <- flx_optimizer_create(opt$name, opt$settings)
  if (!is.null(opt$schedule)) flx_optimizer_schedule(h, flx_schedule_create(opt$schedule$name, opt$schedule$settings))
  h
}
live_optimizer <- function(opt) {
  if (is.null(opt$handle)) opt$handle <- optimizer_handle(opt)
  else if (!is_alive(opt$handle)) {
    warning("this optimizer was saved and read again; its state (momentum and the like) was not, and begins anew", call. = FALSE)
    opt$handle <- optimizer_handle(opt)
  }
  opt$handle
}
#' @export
print.flexor_optimizer <- function(x, ...) {
  cat("<optimizer ", x$name, if (length(x$settings)) paste0("(", paste(names(x$settings), x$settings, sep = "=", collapse = ", "), ")"), ">\n", sep = "")
  invisible(x)
}

#' One step of an optimizer
#'
#' Updates parameters in place from their gradients.
#' @param object an optimizer, such as `sgd(0.05)`
#' @param params the parameters, a list of arrays, or one array
#' @param g their gradients, as [gradient()] gives them
#' @param ... not used
#' @return the optimizer
#' @examples
#' w <- list(w = nd_array(c(1, 2)))
#' opt <- sgd(0.1)
#' for (i in 1:20) {
#'   g <- gradient(w, function(p) sum(p$w^2))
#'   opt <- update(opt, w, g)
#' }
#' w$w
#' @export
update.flexor_optimizer <- function(object, params, g, ...) {
  h <- live_optimizer(object)
  if (is_array(params)) params <- list(x = params)
  params <- unclass(params)
  if (is_array(g)) g <- list(x = g)
  grads <- unclass(g)
  unknown <- setdiff(names(grads), names(params))
  if (length(unknown)) bad("[update] there are gradients for ", paste(unknown, collapse = ", "), ", which `params` does not have")
  for (n in names(grads)) flx_optimizer_update(h, n, params[[n]], grads[[n]])
  invisible(object)
}
#' Settings of an optimizer
#'
#' Reads or changes a setting while training goes on.
#' @param opt an optimizer
#' @param name a setting: `learning_rate`, `wd`, or `"<parameter>.lr_mult"`; to read also `rate` (the next step's, by the schedule) and `step`
#' @param value its new value
#' @return the number it has; `optimizer_set`: the optimizer
#' @examples
#' opt <- sgd(0.1)
#' optimizer_set(opt, "learning_rate", 0.01)
#' optimizer_get(opt, "learning_rate")
#' @export
optimizer_get <- function(opt, name) flx_optimizer_get(live_optimizer(opt), name)
#' @rdname optimizer_get
#' @export
optimizer_set <- function(opt, name, value) {
  flx_optimizer_set(live_optimizer(opt), name, value_text(value))
  invisible(opt)
}
#' The learning rate of a schedule
#' @param schedule a schedule, such as `schedule_cosine()`
#' @param step how many updates have been made, a vector
#' @return the rates
#' @examples
#' schedule_value(schedule_factor(step = 10, base_lr = 0.1, factor = 0.5), c(1, 11, 21))
#' @export
schedule_value <- function(schedule, step) {
  h <- flx_schedule_create(schedule$name, schedule$settings)
  vapply(step, function(s) flx_schedule_value(h, s), 0)
}

#' Measure predictions
#' @param metric a metric, such as `metric_accuracy()`, or its name
#' @param pred predictions: scores or probabilities with a row for each sample
#' @param label the truth: a factor, classes from 1, or numbers
#' @return the metric's values, by name
#' @examples
#' metric_value(metric_accuracy(), matrix(c(0.9, 0.2, 0.1, 0.8), 2), c(1, 2))
#' @export
metric_value <- function(metric, pred, label) {
  h <- if (inherits(metric, "flexor_metric")) flx_metric_create(metric$name, metric$settings) else flx_metric_create(metric, NULL)
  pred <- if (is_array(pred)) pred else nd_array(pred)
  # Where the metric compares classes: scores with an axis more than the labels.
  rank <- length(if (is_array(label)) dim(label) else if (is.null(dim(label))) 1L else dim(label))
  label <- if (is.factor(label) || length(dim(pred)) > rank) from_one(label) else label
  flx_metric_update(h, list(pred), list(if (is_array(label)) label else nd_array(label)))
  n <- flx_metric_count(h)
  stats::setNames(vapply(seq_len(n) - 1L, function(i) flx_metric_value(h, i, -1)[[2]], 0), vapply(seq_len(n) - 1L, function(i) flx_metric_name(h, i), ""))
}

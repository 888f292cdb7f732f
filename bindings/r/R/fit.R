# SPDX-License-Identifier: Apache-2.0
# The fit itself: network, loss, data and options handed to the core's task, events answered, the result put together.

one_number <- function(v, name, low, high = Inf, whole = FALSE) {
  if (!is.numeric(v) || length(v) != 1L || is.na(v) || v < low || v > high || (whole && v != round(v)))
    flexor_stop(sprintf("[flexor] %s must be a %s of at least %g%s, given %s.", name, if (whole) "whole number" else "number", low, if (is.finite(high)) sprintf(" and at most %g", high) else "", described(v)), "argument")
  v
}
default_loss <- function(target, units) {
  if (target$task == "regression") "L2Loss" else if (units == 1L) "SigmoidBinaryCrossEntropyLoss" else "SoftmaxCrossEntropyLoss"
}
# How raw outputs become probabilities, by the loss that they were fitted with.
link_of <- function(task, loss) {
  kind <- flx_layer_text(loss, "kind")
  if (task != "classification") return("identity")
  if (grepl("^SigmoidBinary|^Logistic", kind)) "sigmoid" else "softmax"
}

# hidden layers and an output layer, scaled inputs in front
plain_network <- function(spec, rank, outputs) {
  hidden <- if (is.null(spec$hidden)) 16 else spec$hidden
  if (!is.numeric(hidden) || anyNA(hidden) || any(hidden < 0 | hidden != round(hidden)))
    flexor_stop(sprintf("[flexor] hidden must be the sizes of the hidden layers, as c(16, 8), given %s.", described(hidden)), "argument")
  one_number(spec$dropout, "dropout", 0, 1)
  net <- network()
  if (isTRUE(spec$scale)) net <- layer_standardize(net)
  if (rank > 2L) net <- layer_flatten(net)
  for (h in hidden[hidden > 0]) {
    net <- layer_dense(net, h, activation = spec$activation)
    if (spec$dropout > 0) net <- layer_dropout(net, spec$dropout)
  }
  layer_dense(net, outputs)
}

# Metrics: names go to the core as they are, R functions as metrics of the host.
metrics_text <- function(metrics, target, link) {
  if (is.null(metrics)) metrics <- if (target$task == "classification") "accuracy" else "mae"
  if (is.function(metrics) || inherits(metrics, "flexor_metric")) metrics <- list(metrics)
  names <- names(metrics)
  texts <- vapply(seq_along(metrics), function(i) {
    m <- metrics[[i]]
    if (inherits(m, "flexor_metric")) m <- format(m)
    if (link == "sigmoid" && identical(tolower(m), "accuracy")) return(host_text("accuracy", share_right, target, link)) # one score: the core's wants one for each class
    if (is.character(m)) return(if (is.null(names) || names[i] == "") m else flexor_stop("[flexor] only metrics that are R functions are given a name.", "argument"))
    if (is.function(m)) {
      name <- if (is.null(names) || names[i] == "") "metric" else names[i]
      return(host_text(name, m, target, link))
    }
    flexor_stop(sprintf("[flexor] a metric is a name or a function(prediction, truth), given %s.", described(m)), "argument")
  }, "")
  paste(texts, collapse = ", ")
}
host_text <- function(name, f, target, link) {
  measure <- r_metric(f, target, link)
  answer <- function(what, arrays) list(flx_ndarray_create_from(as.double(measure(arrays[[1L]], arrays[[2L]])), FLX_FLOAT64, FLX_COLUMN_MAJOR, 1, FLX_FLOAT64, NULL))
  sprintf("Host(token=%.0f, name=%s)", host_function(answer), name)
}
share_right <- function(p, truth) mean(max.col(p, "first") == as.integer(truth))
# An R metric as a function of arrays of the core: it is given what predict gives: probabilities and a factor, or numbers and numbers.
r_metric <- function(f, target, link) {
  force(f); force(target); force(link)
  function(prediction, label) {
    p <- shape_output(as.array(to_probability(prediction, link)), target, if (target$task == "classification") "prob" else "response")
    truth <- as.array(label)
    truth <- if (target$task == "classification") factor(target$classes[as.vector(truth) + 1L], levels = target$classes)
             else if (length(dim(truth)) > 1L) truth else as.vector(truth)
    value <- f(p, truth)
    if (!is.numeric(value) || length(value) != 1L) flexor_stop(sprintf("[flexor] a metric must give one number, given %s.", described(value)), "argument")
    value
  }
}

# Training and validation parts: rows drawn by R's generator, or what was given.
split_validation <- function(input, validation, target) {
  if (is.null(validation)) return(list(train = input, valid = NULL))
  if (inherits(validation, "flexor_source")) return(list(train = input, valid = list(source = validation$make)))
  if (is.numeric(validation) && length(validation) == 1L) {
    one_number(validation, "validation", 0, 1)
    if (is_array(input$x) || !is.null(input$source)) flexor_stop("[flexor] a fraction for validation needs data in R; give list(x, y).", "argument")
    n <- rows_of(input$x)
    held <- round(n * validation)
    if (held < 1 || held >= n) flexor_stop(sprintf("[flexor] validation = %g of %d rows leaves no row to train on or to validate on.", validation, n), "argument")
    rows <- sort(sample.int(n, held))
    part <- function(i) { for (p in c("x", "y", "weights")) input[[p]] <- take_rows(input[[p]], i); input }
    return(list(train = part(-rows), valid = part(rows)))
  }
  if (is.data.frame(validation) || !is.list(validation) || length(validation) < 2L)
    flexor_stop(sprintf("[flexor] validation must be a fraction, list(x, y), or for a formula or a recipe a data frame, given %s.", described(validation)), "argument")
  x <- if (isTRUE(validation$baked)) list(x = validation[[1L]], keep = TRUE) else apply_blueprint(input$blueprint, validation[[1L]], "flexor")
  y <- validation[[2L]]
  if (!all(x$keep)) y <- take_rows(y, which(x$keep))
  if (rows_of(x$x) != rows_of(y)) flexor_stop(sprintf("[flexor] the validation data's x has %d rows and its y %d.", rows_of(x$x), rows_of(y)), "shape")
  list(train = input, valid = list(x = x$x, y = y))
}
array_iter <- function(input, target, batch_size, shuffle, seed, rank) {
  arrays <- list(data_array(input$x), labels_of(input$y, target))
  names <- c("data", "label")
  if (!is.null(input$weights)) {
    if (length(input$weights) != rows_of(input$x)) flexor_stop(sprintf("[flexor] weights has %d values for %d rows.", length(input$weights), rows_of(input$x)), "shape")
    arrays <- c(arrays, list(label_array(array(input$weights, c(length(input$weights), rep(1L, rank - 1L)))))) # a weight for each row, whatever the loss of a row is
    names <- c(names, "weight_label") # what is named ..label goes to the loss
  }
  flx_iter_from_arrays(arrays, names, c(batch_size = whole_text(batch_size), shuffle = if (shuffle) "True" else "False", seed = whole_text(seed)))
}
whole_text <- function(v) format(v, scientific = FALSE, trim = TRUE)

# A fit goes on from another one's parameters where that is given as the network.
start_model <- function(spec, shape, outputs) {
  before <- if (inherits(spec$network, "flexor_fit")) spec$network
  net <- if (!is.null(before)) before$network else spec$network
  if (!is.null(before) && is.null(net)) { # loaded from a file: its layer alone
    handle <- flx_model_from_bytes(before$model$bytes, NULL)
    return(list(network = NULL, layer = flx_model_layer(handle), params = flx_model_params(handle), history = before$history))
  }
  if (is.null(net)) net <- plain_network(spec, length(shape), outputs)
  else if (isTRUE(spec$scale) && is.null(before)) net <- layer_before(net)
  layer <- layer_handle(net, shape)
  params <- if (!is.null(before)) flx_model_params(flx_model_from_bytes(before$model$bytes, NULL))
  list(network = net, layer = layer, params = params, history = before$history)
}
layer_before <- function(net) network(layer_standardize(network()), net)

check_outputs <- function(layer, shape, target) {
  rows <- layer_table(layer, shape)$rows
  out <- json_shape(rows[[1L]]$outputs[[1L]]$shape)
  units <- if (length(out) == 1L) 1 else out[length(out)]
  k <- length(target$classes)
  if (target$task == "classification" && length(out) <= 2L && units != k && !(k == 2L && units == 1))
    flexor_stop(sprintf("[flexor] the network gives %g numbers for an observation and y has %d classes: end it with layer_dense(%d).", units, k, k), "shape")
  if (target$task == "regression" && length(out) == 2L && !is.null(target$columns) && units != length(target$columns))
    flexor_stop(sprintf("[flexor] the network gives %g numbers for an observation and y has %d columns: end it with layer_dense(%d).", units, length(target$columns), length(target$columns)), "shape")
  list(units = units, rank = length(out))
}

fit_model <- function(input, spec) {
  one_number(spec$epochs, "epochs", 1, whole = TRUE)
  one_number(spec$batch_size, "batch_size", 1, whole = TRUE)
  target <- if (is.null(input$target)) target_of(input$y) else input$target
  parts <- split_validation(input, spec$validation, target)
  seed <- if (is.null(spec$seed)) draw_seed() else one_number(spec$seed, "seed", 0, whole = TRUE)
  shape <- c(NA, input$blueprint$dims)
  outputs <- if (target$task == "classification") length(target$classes) else max(1L, length(target$columns))
  # a regression on an array of any other shape needs a network of one's own
  start <- start_model(spec, shape, outputs)
  optimizer <- if (!is.null(spec$optimizer)) spec$optimizer else adam(if (is.null(spec$network)) 0.01 else 0.001)
  gives <- check_outputs(start$layer, shape, target)
  loss <- loss_handle(if (is.null(spec$loss)) default_loss(target, gives$units) else spec$loss)
  link <- link_of(target$task, loss)
  train <- if (is.null(input$source)) array_iter(parts$train, target, spec$batch_size, spec$shuffle, seed, gives$rank) else input$source(target)
  valid <- if (!is.null(parts$valid$source)) parts$valid$source() else if (!is.null(parts$valid)) array_iter(parts$valid, target, max(spec$batch_size, 256), FALSE, 0, gives$rank)
  handle <- flx_model_create(start$layer, start$params)
  host <- grepl("_host", flx_layer_to_json(start$layer), fixed = TRUE)
  fit <- structure(list(model = new_model(handle, if (host) start$network, shape), network = start$network, task = target$task, classes = target$classes, target = target,
                        link = link, blueprint = input$blueprint, terms = input$blueprint$terms, history = NULL, epochs = spec$epochs, batch_size = spec$batch_size, optimizer = optimizer, loss = flx_layer_text(loss, "kind"),
                        seed = seed, rows = c(training = if (is.null(input$source)) rows_of(parts$train$x) else NA_integer_, validation = if (!is.null(parts$valid$x)) rows_of(parts$valid$x)), na.action = input$na.action,
                        interrupted = FALSE), class = "flexor_fit")
  options <- c(epochs = whole_text(spec$epochs), seed = whole_text(seed), metrics = metrics_text(spec$metrics, target, link), core_options(spec$options))
  if (show_batches(spec$progress) && is.na(options["report_every"])) options["report_every"] <- "20"
  task <- flx_fit_start(handle, loss, optimizer_handle(optimizer), train, valid, options)
  if (!is.null(spec$store)) flx_fit_store(task, store_of(spec$store, "flexor"))
  else if (isTRUE(spec$options$update_on_store)) flexor_stop("[flexor] update_on_store needs a store: store = kv_store().", "argument")
  drive_fit(task, fit, spec, start$history)
}
core_options <- function(options) {
  if (!length(options)) return(NULL)
  if (is.null(names(options)) || any(names(options) == "")) flexor_stop("[flexor] an argument without a name is one too many.", "argument")
  entry <- flx_registry_find("options", "fit")
  known <- vapply(seq_len(flx_entry_attr_count(entry)) - 1L, function(i) flx_entry_attr_text(entry, i, "name"), "")
  for (name in setdiff(names(options), known)) {
    all <- c(setdiff(names(formals(flexor.default)), c("x", "...")), "formula", "data", "subset", "contrasts", known)
    far <- drop(utils::adist(name, all, ignore.case = TRUE))
    flexor_stop(sprintf("[flexor] no argument is named `%s`.%s", name, if (min(far) <= 2) sprintf(" Did you mean `%s`?", all[which.min(far)]) else " ?flexor lists them."), "name")
  }
  vapply(options, value_text, "")
}

show_batches <- function(progress) isTRUE(progress) && interactive()
show_epoch <- function(progress, task) {
  if (is.function(progress)) return(progress(flx_task_text(task, "progress")))
  if (!isTRUE(progress)) return()
  if (interactive()) cat("\r")
  cat(flx_task_text(task, "progress"), "\n", sep = "")
  utils::flush.console()
}

# Runs the task and gives the finished fit. An interrupt ends it after the batch at work, keeps what was learned in last_fit(), and then goes on its way.
drive_fit <- function(task, fit, spec, history_before) {
  restored <- NULL
  state_of <- function() {
    history <- task_history(task)
    last <- lapply(history, function(v) v[length(v)])
    c(last, list(epochs = spec$epochs, history = as.data.frame(history), learning_rate = flx_task_number(task, "learning_rate"),
                 samples_per_second = flx_task_number(task, "samples_per_second"), progress = flx_task_text(task, "progress"),
                 bytes = function() model_bytes(fit$model$handle), restore = function(bytes) restored <<- bytes))
  }
  finish <- function(interrupted = FALSE) {
    if (!is.null(restored)) {
      fit$model$handle <- NULL
      fit$model$bytes <- restored
      model_handle(fit$model)
    }
    fit$history <- join_history(history_before, task_history(task))
    fit$interrupted <- interrupted
    describe_model(fit)
    model_keep(fit$model)
    kept$fit <- fit
    fit
  }
  on_event <- function(event) {
    if (event == FLX_BATCH) {
      if (show_batches(spec$progress)) { cat("\r", flx_task_text(task, "progress"), sep = ""); utils::flush.console() }
      return(TRUE)
    }
    if (event != FLX_EPOCH) return(TRUE)
    show_epoch(spec$progress, task)
    run_callbacks(spec$callbacks, state_of())
  }
  tryCatch(run_task(task, on_event), interrupt = function(i) {
    begun <- flx_params_count(flx_model_params(fit$model$handle)) > 0 # the first batch makes the parameters
    if (begun) fit <- finish(TRUE)
    message(if (begun) sprintf("interrupted after %d of %d epochs; last_fit() has the model", epochs_of(fit$history), spec$epochs) else "interrupted before the first batch")
    again <- structure(class = c("flexor_interrupt", "interrupt", "condition"), list(message = "interrupted", call = NULL, fit = if (begun) fit))
    signalCondition(again)
    invokeRestart("abort")
  })
  finish()
}

# What a model file says of its classes and of what R needs: read by every language, and by load_model.
describe_model <- function(fit) {
  handle <- model_handle(fit$model)
  flx_model_meta_set(handle, "task", fit$task)
  flx_model_meta_set(handle, "classes", if (!is.null(fit$classes)) json_strings(fit$classes))
  flx_model_meta_set(handle, "r.fit", text_of(fit_facts(fit)))
  invisible(fit)
}

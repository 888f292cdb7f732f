# SPDX-License-Identifier: Apache-2.0
# flexor(): a network fitted to data, by formula, by x and y, by a recipe, or from a function that gives batches.

#' Fit a network
#'
#' `flexor()` fits a neural network to data: by a formula and a data frame, by `x` and `y`, by a recipe, or from a function that gives batches.
#'
#' A factor on the left side (or text, or logical values) makes a classifier, numbers a regression, `cbind()` or a matrix a regression of several columns. Without `network` it is a network of dense layers: the inputs are scaled to mean 0 and deviation 1, then come the hidden layers.
#' In a formula factors are expanded as [lm()] does, and new data is treated by the same terms, levels and contrasts.
#'
#' Rows with missing values are left out, with a message. When new data has them the prediction is `NA`.
#'
#' The seed is drawn from R's generator, so that `set.seed()` makes a fit repeatable; so are the rows of a fraction for validation. The same data, network and seed give the same bits on any number of threads.
#'
#' A callback is a function of one argument, the state after an epoch: a list with `epoch`, `epochs`, `loss`, the metrics, `valid.loss` and the metrics of the validation data, `seconds`, `learning_rate` and `history`. If it returns `FALSE`, or calls [stop_training()], the fit ends there. An error in it ends the fit as an error.
#'
#' A metric that is an R function is called with predictions and truth as [predict()] gives them: a matrix of probabilities and a factor, or numbers and numbers. It gives one number for a batch; the mean over the rows is shown.
#'
#' A function as `x` is called without arguments for each batch and returns `list(x, y)`, or `NULL` at the end of an epoch. A first batch is read to learn the shapes and classes: `y` is a factor with all levels, or numbers.
#'
#' Ctrl-C stops the fit after the batch at work and returns to the prompt; [last_fit()] has what was learned so far.
#' @param x predictors: a data frame, a matrix, or an array whose first axis is the observations; a recipe; a function that gives batches; or what `iter_mnist()` and the like give
#' @param y what to predict: a factor (text, logical values), numbers, or a matrix of them
#' @param formula what to predict, and from what: `Species ~ .`
#' @param data a data frame with the variables
#' @param subset which rows of `data` to use
#' @param weights a weight for each row, in the loss
#' @param na.action what to do with missing values: `na.omit`, `na.fail` or `na.pass`
#' @param contrasts contrasts of factors, as for [lm()]
#' @param levels names of the classes that an iterator's labels count from 0; without them they are numbers
#' @param hidden sizes of the hidden layers; `c(16, 8)` is two. The default is one of 16; 0 is none
#' @param network a network of your own ([network()] and the `layer_` functions), or a fit to go on from
#' @param epochs how often to go through the data
#' @param batch_size rows in a batch
#' @param optimizer such as `adam(0.001)`, or its name; by default Adam with a learning rate of 0.01 for the network of dense layers, of 0.001 for your own
#' @param loss a loss, or its name; by default the cross-entropy of classes, or half the squared distance of numbers
#' @param metrics names, or R functions in a named list; by default `"accuracy"` of classes and `"mae"` of numbers
#' @param validation a fraction of the rows, held back; or `list(x, y)`; for a formula or a recipe also a data frame
#' @param callbacks a function, or a list of them, called after each epoch
#' @param activation of the hidden layers
#' @param dropout the rate of dropout after each hidden layer
#' @param scale whether to scale the inputs. By default if the network is not your own
#' @param shuffle whether each epoch has an order of its own
#' @param seed decides initial values, dropout and order; by default drawn from R's generator
#' @param progress whether to print a line for each epoch; or a function that is given the line
#' @param store a store ([kv_store()]): the fit is one of its workers, and the data are its share
#' @param ... more options of a fit: `device` (as `"gpu(0)"`: see [device()]), `clip_gradient`, `checkpoint`, `resume`, `patience`, `initializer`, `passes`, `hybridize`, `update_on_store`, `store_checkpoint`
#' @return an object of class `flexor_fit`, for [predict.flexor_fit()], `summary()`, `plot()`, `coef()`, [evaluate()], [save_model()] and `saveRDS()`. Its `history` is a data frame of the epochs by `as.data.frame()`
#' @examples
#' set.seed(1)
#' fit <- flexor(Species ~ ., iris, hidden = 8, epochs = 20, progress = FALSE)
#' fit
#' table(iris$Species, predict(fit, iris))
#'
#' # numbers, by x and y, part of the rows for validation
#' fit <- flexor(mtcars[, -1], mtcars$mpg, epochs = 5, validation = 0.25, progress = FALSE)
#' as.data.frame(fit$history)
#' @importFrom stats predict fitted residuals coef formula nobs update
#' @importFrom graphics plot
#' @export
flexor <- function(x, ...) UseMethod("flexor")

#' @rdname flexor
#' @export
flexor.formula <- function(formula, data, subset, weights, na.action = stats::na.omit, contrasts = NULL, validation = NULL, ...) {
  call <- match.call()
  frame <- call[c(1L, match(c("formula", "data", "subset", "weights", "na.action"), names(call), 0L))]
  frame$drop.unused.levels <- FALSE
  frame[[1L]] <- quote(stats::model.frame)
  frame$na.action <- na.action
  frame <- eval(frame, parent.frame())
  input <- input_formula(formula, frame, contrasts)
  if (is.data.frame(validation)) validation <- validation_frame(input, validation)
  fit <- flexor.default(input, validation = validation, ...)
  named_call(fit, call)
}

#' @rdname flexor
#' @export
flexor.recipe <- function(x, data, validation = NULL, ...) {
  call <- match.call()
  if (missing(data) || !is.data.frame(data)) flexor_stop("[flexor] a recipe needs the data frame to train on: flexor(recipe, data).", "argument")
  input <- input_recipe(x, data)
  if (is.data.frame(validation)) validation <- validation_frame(input, validation)
  named_call(flexor.default(input, validation = validation, ...), call)
}

#' @rdname flexor
#' @export
flexor.function <- function(x, network, ...) {
  call <- match.call()
  if (missing(network)) flexor_stop("[flexor] data from a function needs a network of your own: network =.", "argument")
  named_call(flexor.default(input_source(x), network = network, ...), call)
}

#' @rdname flexor
#' @export
flexor.flexor_source <- function(x, network, levels = NULL, ...) {
  call <- match.call()
  if (missing(network)) flexor_stop("[flexor] data from an iterator needs a network of your own: network =.", "argument")
  named_call(flexor.default(input_iter(x, levels), network = network, ...), call)
}

#' @rdname flexor
#' @export
flexor.default <- function(x, y, hidden = NULL, network = NULL, epochs = 20, batch_size = 32, optimizer = NULL, loss = NULL, metrics = NULL, validation = NULL,
                           callbacks = NULL, activation = "relu", dropout = 0, scale = is.null(network), weights = NULL, na.action = stats::na.omit, shuffle = TRUE,
                           seed = NULL, progress = getOption("flexor.progress", TRUE), store = NULL, ...) {
  call <- match.call()
  if (inherits(x, "flexor_fit")) flexor_stop("[flexor] x is a fit. To train it further give the data first and the fit as network =.", "argument")
  input <- if (is.list(x) && !is.data.frame(x) && !is.null(x$blueprint)) x else {
    if (missing(y)) flexor_stop("[flexor] y is missing: flexor(x, y, ...), or a formula and a data frame.", "argument")
    input_xy(x, y, weights, na.action)
  }
  if (length(input$na.action)) message(sprintf("%d of %d rows have missing values and are left out", length(input$na.action), length(input$na.action) + rows_of(input$x)))
  named_call(fit_model(input, list(hidden = hidden, network = network, epochs = epochs, batch_size = batch_size, optimizer = optimizer, loss = loss, metrics = metrics,
                                   validation = validation, callbacks = as_callbacks(callbacks), activation = activation, dropout = dropout, scale = scale,
                                   shuffle = shuffle, seed = seed, progress = progress, store = store, options = list(...))), call)
}
named_call <- function(fit, call) {
  call[[1L]] <- quote(flexor)
  fit$call <- call
  if (identical(kept$fit$model, fit$model)) kept$fit$call <- call
  fit
}

# Validation data given as a data frame: x and y by the blueprint of the training data.
validation_frame <- function(input, data) {
  b <- input$blueprint
  done <- apply_blueprint(b, data, "flexor")
  y <- if (b$kind == "formula") stats::model.response(stats::model.frame(stats::update(b$terms, . ~ 1), data, na.action = stats::na.pass))
       else if (!is.null(b$recipe)) outcome_of(b, data)
       else flexor_stop("[flexor] validation data for x and y are list(x, y).", "argument")
  list(done$x, take_rows(y, which(done$keep)), baked = TRUE)
}
outcome_of <- function(b, data) {
  y <- as.data.frame(recipes::bake(b$recipe, new_data = data, recipes::all_outcomes()))
  if (ncol(y) == 1L) y[[1L]] else data.matrix_numeric(y)
}

# A network's last fit, also of one that was interrupted: kept until the next.
kept <- new.env(parent = emptyenv())
#' The last fit of this session
#'
#' The fit that [flexor()] made last, also if it was interrupted.
#' @return an object of class `flexor_fit`
#' @examples
#' flexor(Species ~ ., iris, epochs = 2, progress = FALSE)
#' last_fit()
#' @export
last_fit <- function() {
  if (is.null(kept$fit)) flexor_stop("[last_fit] nothing was fitted in this session.", "state")
  kept$fit
}

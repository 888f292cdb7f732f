# SPDX-License-Identifier: Apache-2.0
# A model list for caret: train(Species ~ ., iris, method = caret_flexor()). caret itself is not needed to make it.

#' Flexor in caret
#'
#' A model list for `train()` of the package caret: its tuning parameters are `size` (units in a hidden layer), `layers` and `learning_rate` (of Adam).
#' @param epochs how often to go through the data
#' @param ... more arguments of [flexor()] for all fits
#' @return a list for the argument `method` of `caret::train()`
#' @examples
#' names(caret_flexor()$parameters)
#' \dontrun{
#' caret::train(Species ~ ., iris, method = caret_flexor(epochs = 10),
#'              tuneGrid = data.frame(size = 8, layers = 1, learning_rate = 0.02),
#'              trControl = caret::trainControl(method = "cv", number = 2))
#' }
#' @export
caret_flexor <- function(epochs = 50, ...) {
  more <- list(...)
  parameters <- data.frame(parameter = c("size", "layers", "learning_rate"), class = "numeric", label = c("Units in a hidden layer", "Hidden layers", "Learning rate"), stringsAsFactors = FALSE)
  list(
    label = "Flexor network", library = "flexor", type = c("Classification", "Regression"), parameters = parameters, tags = c("Neural Network", "Accepts Case Weights"),
    grid = function(x, y, len = NULL, search = "grid") {
      if (search == "grid") return(expand.grid(size = 2^(3 + seq_len(len)), layers = 1, learning_rate = 0.01))
      data.frame(size = sample(4:64, len, replace = TRUE), layers = sample(1:2, len, replace = TRUE), learning_rate = 10^stats::runif(len, -3, -1.5))
    },
    fit = function(x, y, wts, param, lev, last, weights, classProbs, ...) {
      if (!is.data.frame(x)) x <- as.matrix(x)
      given <- utils::modifyList(c(list(epochs = epochs, progress = FALSE), more), list(...))
      do.call(flexor::flexor, c(list(x, y, hidden = rep(param$size, param$layers), optimizer = flexor::adam(param$learning_rate), weights = wts), given))
    },
    predict = function(modelFit, newdata, submodels = NULL) {
      p <- stats::predict(modelFit, newdata)
      if (is.factor(p)) as.character(p) else p
    },
    prob = function(modelFit, newdata, submodels = NULL) as.data.frame(stats::predict(modelFit, newdata, type = "prob")),
    levels = function(x) x$classes,
    predictors = function(x, ...) x$blueprint$columns,
    sort = function(x) x[order(x$layers, x$size), ])
}

# SPDX-License-Identifier: Apache-2.0
# LeNet with batch normalization on handwritten digits: the network and the seed of examples/cpp/lenet.cc.
#   Rscript quickstart.R train [--out DIR] [--epochs 10] [--seed 1]   trains, prints a line per epoch, draws the learning curve, writes DIR/lenet.flx
#   Rscript quickstart.R predict --model DIR/lenet.flx                loads the model and classifies ten scans of the test set
# `digits` comes with the package: 8000 scans for training and 2000 others.
library(flexor)

arguments <- commandArgs(trailingOnly = TRUE)
usage <- "usage: quickstart.R train [--out DIR] [--epochs 10] [--seed 1]\n       quickstart.R predict --model FILE\n"
given <- list(out = ".", epochs = "10", seed = "1", model = NULL)
for (i in seq_along(arguments)[-1]) if (startsWith(arguments[i], "--") && i < length(arguments)) given[[substring(arguments[i], 3)]] <- arguments[i + 1]

train <- function() {
  net <- network() |>
    layer_conv2d(20, kernel = 5) |> layer_batch_norm() |> layer_activation("relu") |> layer_max_pool2d(2) |>
    layer_conv2d(50, kernel = 5) |> layer_batch_norm() |> layer_activation("relu") |> layer_max_pool2d(2) |>
    layer_flatten() |> layer_dense(500, activation = "relu") |> layer_dropout(0.5) |> layer_dense(10)
  rows <- 1:8000
  fit <- flexor(digits$x[rows, , , , drop = FALSE], digits$y[rows], network = net, epochs = as.integer(given$epochs), batch_size = 64,
                optimizer = adam(schedule_cosine(base_lr = 0.001)), # down to 0 at the last step
                validation = list(digits$x[-rows, , , , drop = FALSE], digits$y[-rows]), seed = as.integer(given$seed))
  print(summary(fit))

  pdf(file.path(given$out, "lenet.pdf"), width = 8, height = 4)
  plot(fit)
  invisible(dev.off())
  cat("learning curve drawn to ", file.path(given$out, "lenet.pdf"), "\n", sep = "")
  last <- tail(as.data.frame(fit$history), 1)
  cat(sprintf("accuracy in the last epoch %.2f %%\ntest accuracy %.2f %%\n", 100 * last$accuracy, 100 * last$valid.accuracy))
  path <- file.path(given$out, "lenet.flx")
  save_model(fit, path)
  cat("model written to ", path, "\n", sep = "")
}

# A scan in characters, two pixels of height to each, without its margin of 4.
draw <- function(scan) {
  ink <- scan[5:24, 5:24] > 0.4
  top <- ink[c(TRUE, FALSE), ]
  bottom <- ink[c(FALSE, TRUE), ]
  marks <- matrix(ifelse(top & bottom, "\u2588", ifelse(top, "\u2580", ifelse(bottom, "\u2584", " "))), nrow = nrow(top))
  apply(marks, 1, paste, collapse = "")
}

recognise <- function() {
  fit <- load_model(given$model)
  some <- 8001:8010
  scans <- digits$x[some, , , , drop = FALSE]
  guess <- predict(fit, scans)
  chance <- apply(predict(fit, scans, type = "prob"), 1, max)
  for (i in seq_along(some))
    cat(draw(scans[i, 1, , ]), sprintf("label %s: a %s (%.1f %%)", digits$y[some[i]], guess[i], 100 * chance[i]), "", sep = "\n")
  cat(sprintf("%d of %d scans recognised\n", sum(guess == digits$y[some]), length(some)))
}

if (identical(arguments[1], "train")) {
  train()
} else if (identical(arguments[1], "predict") && !is.null(given$model)) {
  recognise()
} else {
  cat(usage)
  quit(status = if (identical(arguments[1], "--help")) 0 else 2)
}

# SPDX-License-Identifier: Apache-2.0
# Model files. A .flx file opens in every language: classes and task are metadata for all, what only R needs is one text (r.fit). A fit also goes through
# saveRDS, save.image and parallel workers, since it holds the model's bytes.

base64_text <- function(bytes) {
  digits <- c(LETTERS, letters, 0:9, "+", "/")
  n <- length(bytes)
  v <- c(as.integer(bytes), rep(0L, (3L - n %% 3L) %% 3L))
  m <- matrix(v, nrow = 3L)
  w <- m[1L, ] * 65536L + m[2L, ] * 256L + m[3L, ]
  out <- rbind(w %/% 262144L, (w %/% 4096L) %% 64L, (w %/% 64L) %% 64L, w %% 64L)
  text <- digits[out + 1L]
  pad <- (3L - n %% 3L) %% 3L
  if (pad) text[length(text) - seq_len(pad) + 1L] <- "="
  paste(text, collapse = "")
}
base64_bytes <- function(text) {
  ch <- strsplit(text, "", fixed = TRUE)[[1L]]
  pad <- sum(ch == "=")
  code <- match(ch, c(LETTERS, letters, 0:9, "+", "/")) - 1L
  code[ch == "="] <- 0L
  if (anyNA(code) || length(code) %% 4L) flexor_stop("[load_model] the metadata r.fit is damaged.", "format")
  m <- matrix(code, nrow = 4L)
  w <- m[1L, ] * 262144L + m[2L, ] * 4096L + m[3L, ] * 64L + m[4L, ]
  bytes <- as.raw(rbind(w %/% 65536L, (w %/% 256L) %% 256L, w %% 256L))
  if (pad) bytes[seq_len(length(bytes) - pad)] else bytes
}
text_of <- function(object) base64_text(memCompress(serialize(object, NULL, version = 2L), "gzip"))
from_text <- function(text) unserialize(memDecompress(base64_bytes(text), "gzip"))

# All of a fit that the core's model does not hold. Its formula's environment stays behind: it may hold anything.
fit_facts <- function(fit) {
  facts <- fit[intersect(c("target", "link", "blueprint", "history", "epochs", "batch_size", "loss", "seed", "rows"), names(fit))]
  if (!is.null(facts$blueprint$terms)) environment(facts$blueprint$terms) <- globalenv()
  facts$history$seconds <- NULL # the same fit gives the same bytes
  facts
}

#' Model files
#'
#' `save_model()` writes a fit to a file that every language of Flexor reads; `load_model()` reads such files, and the pairs that MXNet wrote (give the name of the file with the parameters: `lenet-0010.params` stands beside `lenet-symbol.json`).
#'
#' The file holds the layers, the parameters and the class labels, and for R how data frames become numbers, so that `predict()` gives the same as before. That part is R's own serialization: read it from people you trust, as with [readRDS()].
#'
#' `saveRDS()`, `save.image()` and the workers of the package parallel take a fit as it is.
#' @param object a fit of [flexor()]
#' @param file the path; its name ends in `.flx`
#' @param device where the parameters go, as `"gpu(0)"`, and so where the model predicts; NULL: the CPU. Files know no device.
#' @param ... not used
#' @return `save_model()` the path, `load_model()` an object of class `flexor_fit`
#' @examples
#' fit <- flexor(Species ~ ., iris, epochs = 5, progress = FALSE)
#' file <- tempfile(fileext = ".flx")
#' save_model(fit, file)
#' same <- load_model(file)
#' identical(predict(fit, iris), predict(same, iris))
#' @export
save_model <- function(object, file, ...) UseMethod("save_model")
#' @rdname save_model
#' @export
save_model.flexor_fit <- function(object, file, ...) {
  if (!is.character(file) || length(file) != 1L || is.na(file)) flexor_stop(sprintf("[save_model] file must be a path, given %s.", described(file)), "argument")
  describe_model(object)
  flx_model_save(model_handle(object$model), path.expand(file), -1)
  invisible(file)
}

#' @rdname save_model
#' @export
load_model <- function(file, device = NULL) {
  if (!is.character(file) || length(file) != 1L || is.na(file)) flexor_stop(sprintf("[load_model] file must be a path, given %s.", described(file)), "argument")
  path <- path.expand(file)
  if (grepl("\\.params$", path)) return(load_mxnet(path, device))
  if (grepl("\\.onnx$", path)) flexor_stop("[load_model] ONNX files are not read by this version.", "unsupported")
  handle <- flx_model_load(path, device)
  text <- flx_model_meta_get(handle, "r.fit")
  facts <- if (!is.null(text)) from_text(text) else foreign_facts(handle)
  fit <- structure(c(list(model = new_model(handle), network = NULL, task = facts$target$task, classes = facts$target$classes, terms = facts$blueprint$terms,
                          optimizer = NULL, interrupted = FALSE, call = match.call()), facts), class = "flexor_fit")
  model_keep(fit$model)
  fit
}
# A model that another language wrote.
foreign_facts <- function(handle) {
  classes <- flx_model_meta_get(handle, "classes")
  if (!is.null(classes)) classes <- vapply(json_parse(classes), as.character, "")
  task <- flx_model_meta_get(handle, "task")
  if (is.null(task) && !is.null(classes)) task <- "classification"
  list(target = list(task = task, classes = classes, columns = NULL), link = if (identical(task, "classification")) "softmax" else "identity",
       blueprint = list(kind = "array"), history = NULL, loss = NULL)
}

# MXNet's pair of files, found from the name of the one with the parameters: lenet-0010.params and lenet-symbol.json. A loss at the end of the graph (SoftmaxOutput)
# wants labels; in its place stands what it says of its input.
heads <- c(SoftmaxOutput = "softmax", Softmax = "softmax", LogisticRegressionOutput = "sigmoid", LinearRegressionOutput = "identity", MAERegressionOutput = "identity", SVMOutput = "identity")
load_mxnet <- function(path, device) {
  parts <- regmatches(path, regexec("^(.*)-([0-9]{4})\\.params$", path))[[1L]]
  if (!length(parts)) flexor_stop(sprintf("[load_model] a MXNet file is named like lenet-0010.params, beside lenet-symbol.json; given %s.", path), "file")
  loaded <- flx_checkpoint_load(parts[2L], as.integer(parts[3L]))
  symbol <- loaded[[1L]]
  graph <- json_parse(flx_symbol_to_json(symbol))
  head <- graph$nodes[[graph$heads[[1L]][[1L]] + 1L]]
  link <- heads[head$op]
  if (!is.na(link)) {
    from <- head$inputs[[1L]]
    symbol <- symbol_output(symbol, graph$nodes[[from[[1L]] + 1L]]$name, from[[2L]])
  } else link <- "identity"
  params <- loaded[[2L]]
  flx_params_move(params, device)
  known <- vapply(seq_len(flx_params_count(params)) - 1L, function(i) flx_params_name(params, i), "")
  arguments <- vapply(seq_len(flx_symbol_count(symbol, FLX_ARGUMENT)) - 1L, function(i) flx_symbol_name(symbol, FLX_ARGUMENT, i), "")
  inputs <- setdiff(arguments, known)
  layer <- flx_layer_from_symbol(symbol, NULL, inputs)
  handle <- flx_model_create(layer, params)
  target <- if (link == "identity") list(task = NULL) else {
    list(task = "classification", classes = if (link == "sigmoid") c("1", "2") else head_classes(graph, params), columns = NULL)
  }
  fit <- structure(list(model = new_model(handle), network = NULL, task = target$task, classes = target$classes, target = target, link = unname(link),
                        blueprint = list(kind = "array"), history = NULL, interrupted = FALSE, call = sys.call(-1L)), class = "flexor_fit")
  model_keep(fit$model)
  fit
}
symbol_output <- function(symbol, name, index) {
  n <- flx_symbol_count(symbol, FLX_INTERNAL)
  names <- vapply(seq_len(n) - 1L, function(i) flx_symbol_name(symbol, FLX_INTERNAL, i), "")
  at <- match(TRUE, names %in% c(paste0(name, "_output", if (index > 0) index else ""), paste0(name, "_output", index), name))
  flx_symbol_at(symbol, FLX_INTERNAL, at - 1L)
}
# A class for each unit of the dense layer that the loss reads; NULL where that is something else.
head_classes <- function(graph, params) {
  first_input <- function(node) graph$nodes[[node$inputs[[1L]][[1L]] + 1L]]
  node <- first_input(graph$nodes[[graph$heads[[1L]][[1L]] + 1L]])
  while (node$op %in% c("Activation", "BatchNorm", "Cast", "Dropout", "_copy", "identity")) node <- first_input(node) # these keep the number of classes
  if (!identical(node$op, "FullyConnected")) return(NULL)
  weight <- flx_params_get(params, graph$nodes[[node$inputs[[2L]][[1L]] + 1L]]$name)
  if (!is.null(weight)) as.character(seq_len(dim(weight)[1L]))
}

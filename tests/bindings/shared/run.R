# SPDX-License-Identifier: Apache-2.0
# The shared cases by the package flexor: Rscript run.R errors TABLE | values TABLE | indices TABLE | golden TABLE GOLDEN | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL...
# README.md says what each command does.
options(warn = 2)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "cases.R"))
library(flexor)
flx <- asNamespace("flexor")

item_sizes <- c(float32 = 4, float64 = 8, float16 = 2, uint8 = 1, int32 = 4, int8 = 1, int64 = 8, bool = 1, int16 = 2, uint16 = 2, uint32 = 4, uint64 = 8, bfloat16 = 2)
from_bytes <- function(bytes, dtype, dims) flx$flx_ndarray_create_from(bytes, flx$dtype_code(dtype), flx$FLX_ROW_MAJOR, dims, flx$dtype_code(dtype), NULL)
to_bytes <- function(x) {
  what <- flx$flx_ndarray_describe(x)
  bytes <- raw(prod(what[[2]]) * item_sizes[[dtype(x)]])
  flx$flx_ndarray_read(x, bytes, what[[1]], flx$FLX_ROW_MAJOR, -1)
  bytes
}
dims_of <- function(x) flx$flx_ndarray_describe(x)[[2]]
options_of <- function(fields) if (length(fields)) fields else NULL
network <- function(case) {
  net <- flx$flx_layer_create("Sequential", NULL, NULL)
  for (line in lines_of(case, "layer")) flx$flx_layer_add(net, flx$flx_layer_create(line[["kind"]], NULL, options_of(line[names(line) != "kind"])))
  net
}

# ---- errors
bad_call <- function(case, folder) {
  call <- first_of(case, "call")
  attrs <- unlist(lines_of(case, "attr"))
  if (length(attrs)) attrs[] <- sub("{folder}", folder, attrs, fixed = TRUE)
  arrays <- lapply(lines_of(case, "in"), function(l) flx$flx_ndarray_create(shape_of(l[["shape"]]), flx$dtype_code(l[["dtype"]]), NULL))
  path <- file.path(folder, field(call, "file", "none"))
  if (all(c("text", "file") %in% names(call))) cat(call[["text"]], file = path)
  name <- field(call, "name")
  switch(call[["what"]],
    operator = flx$call_op(name, arrays, attrs),
    layer = flx$flx_layer_create(name, NULL, attrs),
    optimizer = flx$flx_optimizer_create(name, attrs),
    schedule = flx$flx_schedule_create(name, attrs),
    initializer = flx$flx_initializer_create(name, attrs),
    metric = flx$flx_metric_create(name, attrs),
    iter = flx$flx_iter_create(name, attrs),
    batches = flx$flx_iter_from_arrays(arrays, c("data", "label"), c(batch_size = call[["batch_size"]])),
    summary = flx$flx_layer_summary(network(case), c(data = call[["input"]]), 80),
    zeros = flx$flx_ndarray_create(shape_of(call[["shape"]]), flx$FLX_FLOAT32, if ("device" %in% names(call)) call[["device"]]),
    item = flx$flx_ndarray_item(arrays[[1]], -1),
    attach = flx$flx_autograd_attach(arrays[[1]], "write", NULL),
    backward = flx$flx_autograd_backward(arrays, NULL, 0),
    load_model = flx$flx_model_load(path, NULL),
    load_arrays = flx$flx_params_load(path, NULL),
    symbol_json = flx$flx_symbol_from_json(call[["text"]]),
    config = flx$flx_config_set(call[["key"]], call[["value"]]),
    stop("an unknown call"))
}
error_case <- function(case, folder) {
  want <- first_of(case, "error")
  e <- tryCatch({ bad_call(case, folder); NULL }, condition = identity)
  if (is.null(e)) return("nothing failed")
  classes <- c(paste0("flexor_", tolower(want[["status"]]), "_error"), "flexor_error", "error", "condition")
  if (!identical(class(e), classes)) return(paste("its classes are", paste(class(e), collapse = " "), conditionMessage(e)))
  if (!fits(sub(folder, "{folder}", conditionMessage(e), fixed = TRUE), want[["text"]])) return(conditionMessage(e))
  for (key in c("kind", "operator", "node", "hint", "file", "offset")) {
    got <- if (is.null(e[[key]])) "" else sub(folder, "{folder}", as.character(e[[key]]), fixed = TRUE)
    if (!identical(enc2utf8(got), enc2utf8(field(want, key)))) return(sprintf("%s is %s", key, got))
  }
  if (is.null(conditionCall(e))) "it has no call" else ""
}

# ---- values
row_major <- function(v, dims) if (length(dims)) aperm(array(v, rev(dims)), rev(seq_along(dims))) else v
value_case <- function(case) {
  line <- first_of(case, "array")
  dims <- shape_of(line[["shape"]])
  bytes <- hex_bytes(line[["bytes"]])
  dtype <- line[["dtype"]]
  text <- strsplit(line[["values"]], ",", fixed = TRUE)[[1]]
  x <- row_major(suppressWarnings(as.numeric(text)), dims)
  raw <- from_bytes(bytes, dtype, dims)
  if (!identical(to_bytes(raw), bytes)) return("the bytes differ")
  rule <- field(case[[1]]$fields, "r")
  if (rule == "refused") {
    refused <- function(call) inherits(tryCatch(call, condition = identity), "flexor_argument_error")
    if (!refused(nd_array(x, dtype, dim = dims))) return("R's rounded numbers went in")
    return(if (refused(as.array(raw))) "" else "rounded numbers came out")
  }
  a <- nd_array(if (dtype == "bool") x == 1 else x, dtype, dim = dims)
  if (!identical(to_bytes(a), bytes) && !(anyNA(x) && identical(is.na(as.array(a)), is.na(x)))) return("the bytes of R's values differ")
  back <- as.array(a)
  if (!identical(as.numeric(dims_of(a)), dims) || dtype(a) != dtype) return("shape or dtype differs")
  if (length(dims) && !identical(as.numeric(dim(back)), dims)) return("R's dim differs")
  if (dtype == "bool" && length(x) && !is.logical(back)) return("a bool array is not logical")
  if (isTRUE(all.equal(as.numeric(back), as.numeric(x), tolerance = 0))) "" else paste(format(back), collapse = " ")
}

# ---- golden cases
# What an R user would write for the text of an attribute.
literal <- function(text) {
  parts <- strsplit(gsub("[() ]", "", text), ",", fixed = TRUE)[[1]]
  if (text %in% c("True", "False")) text == "True"
  else if (all(grepl("^-?[0-9.]+(e-?[0-9]+)?$", parts))) as.numeric(parts)
  else text
}
golden_files <- new.env()
load_array <- function(folder, family, line) {
  if (is.null(golden_files[[family]])) {
    path <- file.path(folder, paste0(family, ".bin"))
    golden_files[[family]] <- readBin(path, "raw", file.size(path))
  }
  dims <- shape_of(line[["shape"]])
  n <- prod(dims) * item_sizes[[line[["dtype"]]]]
  from_bytes(golden_files[[family]][as.numeric(line[["at"]]) + seq_len(n)], line[["dtype"]], dims)
}
doubles <- function(x) {
  out <- numeric(prod(dims_of(x)))
  flx$flx_ndarray_read(x, out, flx$FLX_FLOAT64, flx$FLX_ROW_MAJOR, -1)
  out
}
differs <- function(line, want, got) {
  if (dtype(got) != dtype(want) || !identical(dims_of(got), dims_of(want))) return("another dtype or shape")
  w <- doubles(want)
  g <- doubles(got)
  rtol <- as.numeric(field(line, "rtol", "0"))
  atol <- as.numeric(field(line, "atol", "0"))
  same <- (is.na(w) & is.na(g)) | (!is.na(w) & !is.na(g) & (w == g | (is.finite(w) & is.finite(g) & abs(g - w) <= atol + rtol * abs(w))))
  if (all(same)) "" else sprintf("%s instead of %s", format(g[!same][1]), format(w[!same][1]))
}
# The package's functions by operator: those that neither take nor give indices, which indices.cases tests.
public <- local({
  found <- list()
  for (name in grep("^nd_", getNamespaceExports("flexor"), value = TRUE)) {
    text <- paste(deparse(flx[[name]]), collapse = "\n")
    operator <- regmatches(text, regexec('(call_op|flx_r_quick,) ?\\(?"([^"]+)"', text))[[1]]
    if (length(operator) == 3 && !grepl("from_one|to_one|indices_out|begin_text|random_sync", text))
      found[[operator[3]]] <- list(f = flx[[name]], axes = regmatches(text, gregexpr("(?<=axis_text\\()\\w+", text, perl = TRUE))[[1]])
  }
  found
})
public_calls <- 0
# As an R user would call it, or NULL if the case says what the function does not take.
call_public <- function(operator, arrays, attrs) {
  entry <- public[[operator]]
  if (is.null(entry)) return(NULL)
  takes <- names(formals(entry$f))
  attrs <- attrs[!names(attrs) %in% c("num_args", "num_arrays")]
  if (!all(names(attrs) %in% takes) || any(vapply(attrs, function(v) grepl("None|\\(\\)", v), NA))) return(NULL)
  if (!"..." %in% takes && !all(names(arrays) %in% takes)) return(NULL)
  needed <- setdiff(takes[vapply(formals(entry$f), function(d) is.symbol(d) && !nzchar(as.character(d)), NA)], "...")
  if (!all(needed %in% c(names(attrs), names(arrays)))) return(NULL) # MXNet has a default where nobody leaves it out
  options <- lapply(attrs, literal)
  for (a in intersect(names(options), entry$axes)) options[[a]] <- options[[a]] + (options[[a]] >= 0)
  public_calls <<- public_calls + 1
  out <- do.call(entry$f, c(if ("..." %in% takes) unname(arrays) else arrays, options))
  if (inherits(out, "flexor_ndarray")) list(out) else out
}
golden_case <- function(case, folder) {
  head <- first_of(case, "call")
  family <- case[[1]]$fields[["family"]]
  kind <- case[[1]]$fields[["kind"]]
  ins <- lines_of(case, "in")
  names(ins) <- vapply(ins, function(l) l[["name"]], "")
  arrays <- lapply(ins, function(l) load_array(folder, family, l))
  for (n in names(ins)) if (field(ins[[n]], "grad") == "1") flx$flx_autograd_attach(arrays[[n]], "write", NULL)
  targets <- lapply(lines_of(case, "writes"), function(l) arrays[[as.integer(l[["input"]]) + 1L]])
  attrs <- unlist(lines_of(case, "attr"))
  flx$flx_random_seed(1, NULL)
  old <- flx$flx_mode()
  outs <- tryCatch({
    flx$flx_mode(as.integer(head[["mode"]]))
    if (length(targets)) {
      flx$flx_invoke_into(head[["name"]], flx$flx_mode(), unname(arrays), attrs, targets)
      targets
    } else {
      out <- if (kind == "op") call_public(head[["operator"]], arrays, attrs)
      if (is.null(out)) out <- flx$call_op(head[["name"]], unname(arrays), attrs)
      if (kind == "error") for (o in out) flx$flx_ndarray_wait(o, -1)
      out
    }
  }, flexor_error = identity, finally = flx$flx_mode(old))
  if (kind == "error") {
    if (!inherits(outs, "condition")) return(if (head[["answer"]] == "accepts") "" else "nothing failed")
    named <- any(startsWith(conditionMessage(outs), paste0("[", head[c("name", "operator")], "]")))
    return(if (named) "" else conditionMessage(outs))
  }
  if (inherits(outs, "condition")) return(conditionMessage(outs))
  for (line in lines_of(case, "shape")) {
    o <- outs[[as.integer(line[["index"]]) + 1L]]
    if (dtype(o) != line[["dtype"]] || !identical(dims_of(o), shape_of(line[["shape"]]))) return("another dtype or shape")
  }
  heads <- lines_of(case, "head")
  if (length(heads)) {
    of <- lapply(heads, function(l) outs[[as.integer(l[["index"]]) + 1L]])
    flx$flx_autograd_backward(of, lapply(heads, function(l) load_array(folder, family, l)), bitwAnd(as.integer(head[["mode"]]), flx$FLX_TRAIN))
  }
  for (line in case) {
    l <- line$fields
    got <- switch(line$word, out = outs[[as.integer(l[["index"]]) + 1L]], grad = flx$flx_autograd_grad(arrays[[l[["name"]]]]), after = arrays[[l[["name"]]]], next)
    wrong <- if (is.null(got)) "no gradient" else differs(l, load_array(folder, family, l), got)
    if (nzchar(wrong)) return(paste(line$word, field(l, "index", field(l, "name")), wrong))
  }
  ""
}

# ---- axes, indices and labels count from 1
from_one <- function(fields, x) if ("counts" %in% names(fields)) x + (x >= 0) else x
index_case <- function(case) {
  values <- function(l) as.numeric(strsplit(l[["values"]], ",", fixed = TRUE)[[1]])
  arrays <- lapply(lines_of(case, "in"), function(l) nd_array(from_one(l, row_major(values(l), shape_of(l[["shape"]]))), l[["dtype"]], dim = shape_of(l[["shape"]])))
  options <- list()
  for (l in lines_of(case, "attr")) options[[names(l)[1]]] <- from_one(l, literal(l[[1]]))
  got <- do.call(paste0("nd_", first_of(case, "call")[["function"]]), c(arrays, options))
  want <- first_of(case, "out")
  if (!identical(dims_of(got), shape_of(want[["shape"]]))) return(paste(c("shape", dims_of(got)), collapse = " "))
  same <- all.equal(doubles(got), from_one(want, values(want)), tolerance = as.numeric(field(want, "rtol", "0")))
  if (isTRUE(same)) "" else paste(format(doubles(got)), collapse = " ")
}

# ---- the same bits, by what a user would write
snake <- function(kind) tolower(gsub("([a-z])([A-Z])", "\\1_\\2", kind))
fit <- function(table, folder, out) for (case in read_cases(table)) {
  head <- case[[1]]$fields
  number <- function(key) as.integer(head[[key]])
  net <- flexor::network()
  for (line in lines_of(case, "layer")) net <- do.call(paste0("layer_", snake(line[["kind"]])), c(list(net), lapply(line[names(line) != "kind"], literal)))
  optimizer <- first_of(case, "optimizer")
  update <- do.call(tolower(optimizer[["name"]]), lapply(optimizer[names(optimizer) != "name"], literal))
  rows <- seq_len(number("samples"))
  model <- flexor(digits$x[rows, , , , drop = FALSE], digits$y[rows], network = net, epochs = number("epochs"), batch_size = number("batch_size"), optimizer = update,
                  loss = sub("_loss$", "", snake(first_of(case, "loss")[["kind"]])), shuffle = FALSE, seed = number("seed"), progress = FALSE)
  save_model(model, file.path(out, paste0(head[["id"]], ".flx")))
}
predict_all <- function(folder, out, ...) {
  scans <- list(nd_array(digits$x[8001:8010, , , , drop = FALSE]))
  for (path in c(...)) {
    model <- load_model(path)
    base <- file.path(out, basename(path))
    writeBin(to_bytes(flx$flx_model_run(flx$model_handle(model$model), 0, scans)[[1]]), paste0(base, ".scores"))
    save_model(model, paste0(base, ".flx"))
  }
}

check <- function(table, one, also = function() "") {
  wrong <- vapply(read_cases(table), function(case) {
    found <- tryCatch(one(case), error = function(e) paste("error:", conditionMessage(e)))
    if (nzchar(found)) cat("FAILED ", case_id(case), ": ", found, "\n", sep = "")
    nzchar(found)
  }, NA)
  if (nzchar(also())) {
    cat("FAILED", also(), "\n")
    wrong <- c(wrong, TRUE)
  }
  cat(sprintf("%d passed, %d failed\n", sum(!wrong), sum(wrong)))
  quit(status = any(wrong))
}
arguments <- commandArgs(trailingOnly = TRUE)
rest <- arguments[-1]
switch(arguments[1],
  errors = {
    folder <- tempfile("shared")
    dir.create(folder)
    check(rest, function(case) error_case(case, folder))
  },
  values = check(rest, value_case),
  indices = check(rest, index_case),
  golden = check(rest[1], function(case) golden_case(case, rest[2]), function() if (public_calls < 700) paste("few calls by public functions:", public_calls) else ""),
  fit = do.call(fit, as.list(rest)),
  predict = do.call(predict_all, as.list(rest)),
  stop("usage: run.R errors TABLE | values TABLE | indices TABLE | golden TABLE GOLDEN | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL..."))

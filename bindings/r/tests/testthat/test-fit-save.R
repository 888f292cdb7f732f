# SPDX-License-Identifier: Apache-2.0
# Fits outlive their process: .flx files, saveRDS, workspaces, workers.
options(flexor.progress = FALSE)
quiet <- flexor # the call of a fit is evaluated again by update() and fitted(): a wrapper with dots would hide it
child <- function(code, ...) { # runs R code in a new process, with the libraries of this one; its last line of output
  script <- tempfile(fileext = ".R")
  libraries <- paste(deparse(.libPaths()), collapse = "")
  writeLines(c(sprintf(".libPaths(%s)", libraries), "suppressMessages(library(flexor))", code), script)
  out <- suppressWarnings(system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), stdout = TRUE, stderr = TRUE))
  if (!is.null(attr(out, "status"))) stop(paste(out, collapse = "\n"))
  out
}
fit <- quiet(Species ~ ., iris, epochs = 5, seed = 1)
expected <- predict(fit, iris, type = "prob")

test_that("a .flx file gives the same predictions, and says the classes to all languages", {
  file <- tempfile(fileext = ".flx")
  save_model(fit, file)
  same <- load_model(file)
  expect_identical(predict(same, iris, type = "prob"), expected)
  expect_identical(predict(same, iris), predict(fit, iris))
  numbers <- function(f) as.data.frame(f$history)[c("epoch", "loss", "accuracy")] # the file has no times: the same fit gives the same bytes
  expect_identical(numbers(same), numbers(fit))
  twice <- tempfile(fileext = ".flx")
  save_model(flexor(Species ~ ., iris, epochs = 5, seed = 1), twice)
  expect_identical(unname(tools::md5sum(twice)), unname(tools::md5sum(file)))
  expect_identical(capture.output(print(same)), capture.output(print(fit)))
  con <- file(file, "rb")
  length <- readBin(con, "integer", 2, size = 4, endian = "little")[1]
  header <- rawToChar(readBin(con, "raw", length))
  close(con)
  expect_match(header, "setosa", fixed = TRUE)
  expect_match(header, "meta.task", fixed = TRUE)
  out <- child(sprintf("same <- load_model('%s'); saveRDS(predict(same, iris, type = 'prob'), '%s')", file, paste0(file, ".rds")))
  expect_identical(readRDS(paste0(file, ".rds")), expected)
  expect_error(load_model("no-such-file.flx"), "no-such-file", class = "flexor_file_error")
  expect_error(load_model(42), "file must be a path", class = "flexor_argument_error")
  damaged <- tempfile(fileext = ".flx")
  writeBin(head(readBin(file, "raw", 1e6), 500), damaged)
  expect_error(load_model(damaged), class = "flexor_error")
})

test_that("saveRDS works, here and in another process, and after it", {
  file <- tempfile(fileext = ".rds")
  saveRDS(fit, file)
  expect_identical(predict(readRDS(file), iris, type = "prob"), expected)
  out <- tempfile(fileext = ".rds")
  child(sprintf("fit <- readRDS('%s'); saveRDS(list(predict(fit, iris, type = 'prob'), fit), '%s')", file, out))
  back <- readRDS(out)
  expect_identical(back[[1]], expected)
  expect_identical(predict(back[[2]], iris, type = "prob"), expected)
})

test_that("a workspace works", {
  file <- tempfile(fileext = ".RData")
  local({ mine <- fit; save(mine, file = file) })
  out <- child(sprintf("load('%s'); cat(as.character(predict(mine, iris)), sep = '\\n')", file))
  expect_identical(out, as.character(predict(fit, iris)))
})

test_that("workers of the package parallel take a fit", {
  skip_on_os("windows")
  halves <- list(1:75, 76:150)
  forked <- parallel::mclapply(halves, function(i) predict(fit, iris[i, ], type = "prob"), mc.cores = 2)
  expect_identical(do.call(rbind, forked), expected)
  cluster <- parallel::makeCluster(2)
  on.exit(parallel::stopCluster(cluster))
  parallel::clusterCall(cluster, function(paths) { .libPaths(paths); loadNamespace("flexor"); NULL }, .libPaths())
  away <- parallel::parLapply(cluster, halves, function(i, fit) predict(fit, datasets::iris[i, ], type = "prob"), fit = fit)
  expect_identical(do.call(rbind, away), expected)
})

test_that("a fit with R code of its own goes through saveRDS", {
  halve <- new_operator("halve", forward = function(x) x / 2, backward = function(dy, x, y) dy / 2)
  half <- new_layer("half", forward = function(x, p) halve(x))
  net <- network() |> layer_dense(8, activation = "tanh") |> half() |> layer_dense(3)
  own <- quiet(Species ~ ., iris, network = net, epochs = 3, seed = 1)
  file <- tempfile(fileext = ".rds")
  saveRDS(own, file)
  p <- predict(own, iris, type = "prob")
  expect_identical(predict(readRDS(file), iris, type = "prob"), p)
  out <- tempfile(fileext = ".rds")
  child(sprintf("saveRDS(predict(readRDS('%s'), iris, type = 'prob'), '%s')", file, out))
  expect_identical(readRDS(out), p)
})

test_that("class names of any letters survive", {
  y <- factor(rep(c("gr\u00fcn", "\"quoted\"", "back\\slash\n", "\U1F600"), 10))
  x <- matrix(rnorm(80), 40)
  mine <- quiet(x, y, epochs = 1)
  file <- tempfile(fileext = ".flx")
  save_model(mine, file)
  expect_identical(levels(predict(load_model(file), x)), levels(y))
  expect_identical(vapply(flexor:::json_parse(flexor:::json_strings(levels(y))), identity, ""), levels(y))
})

test_that("JSON", {
  parse <- flexor:::json_parse
  expect_identical(parse("{\"a\": [1, 2.5e3, -1], \"b\": {\"c\": null, \"d\": [true, false]}, \"e\": []}"),
                   list(a = list(1, 2500, -1), b = list(c = NULL, d = list(TRUE, FALSE)), e = list()))
  expect_identical(parse("\"\\u00e9\\ud83d\\ude00\\n\""), "\u00e9\U1F600\n")
  for (broken in c("", "{", "[1", "{\"a\" 1}", "[1] 2")) expect_error(parse(broken), class = "flexor_format_error")
  bytes <- as.raw(sample(0:255, 1000, TRUE))
  for (n in c(0:4, 1000)) expect_identical(flexor:::base64_bytes(flexor:::base64_text(bytes[seq_len(n)])), bytes[seq_len(n)])
})

test_that("a file that says less than ours is measured and trained further", { # as other languages write them
  handle <- flexor:::flx_model_from_bytes(fit$model$bytes, NULL)
  flexor:::flx_model_meta_set(handle, "r.fit", NULL)
  file <- tempfile(fileext = ".flx")
  flexor:::flx_model_save(handle, file, -1)
  other <- load_model(file)
  x <- as.matrix(iris[1:4])
  expect_identical(predict(other, x), unname(predict(fit, iris)))
  expect_equal(evaluate(other, x, iris$Species), evaluate(fit, iris)["accuracy"])
  expect_output(print(summary(other)), "parameters")
  more <- quiet(x, iris$Species, network = other, epochs = 30, seed = 1)
  expect_gt(tail(more$history$accuracy, 1), tail(fit$history$accuracy, 1))
  expect_error(plot(other), "no history", class = "flexor_state_error")
})

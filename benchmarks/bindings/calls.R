# SPDX-License-Identifier: Apache-2.0
# What a call costs from R, beside base R's arithmetic in the same run. calls.R --full|--quick FILTER; prints a line of JSON for a figure, as the peers' scripts do.
arguments <- c(commandArgs(trailingOnly = TRUE), "--full", "")
quick <- arguments[1] == "--quick"
filter <- if (arguments[2] == "--full") "" else arguments[2]
library(flexor)
flx <- asNamespace("flexor")

now <- function() proc.time()[["elapsed"]]
seconds <- function(call) {
  count <- 100L
  repeat {
    start <- now()
    for (i in seq_len(count)) call()
    took <- now() - start
    if (took >= if (quick) 0.02 else 0.2) break # the clock counts milliseconds
    count <- count * 4L
  }
  median(c(took / count, replicate(if (quick) 1 else 4, { gc(FALSE); start <- now(); for (i in seq_len(count)) call(); (now() - start) / count })))
}
measure <- function(row, call, peer = "flexor") {
  if (!grepl(filter, paste0(row, "/", peer))) return(invisible())
  took <- tryCatch(seconds(call), error = function(e) {
    cat(sprintf('{"note": "%s/%s: %s"}\n', row, peer, gsub('"', "'", conditionMessage(e))))
    NULL
  })
  if (!is.null(took)) cat(sprintf('{"row": "%s", "peer": "%s", "value": %.6g, "unit": "s"}\n', row, peer, took))
}

a <- nd_array(1)
b <- nd_array(1)
u <- 1
v <- 1
measure("R/add of one element", function() a + b)
measure("R/add of one element", function() u + v, "base R")
measure("R/add of one element, by function", function() nd_broadcast_add(a, b))
measure("R/add of one element, by function", function() sum(u, v), "base R")
chain <- function(x, one) {
  for (i in 1:5) x <- (x + one) * one
  x
}
measure("R/ten small operators", function() chain(a, b))
measure("R/ten small operators", function() chain(u, v), "base R")
if (exists("gradient", flx)) {
  x <- list(x = nd_array(1))
  measure("R/ten small operators forward and backward", function() gradient(x, function(p) sum(chain(p$x, b))))
}
big <- matrix(0, 1000, 1000)
measure("R/matrix of a million doubles to float32 and back", function() as.matrix(nd_array(big)))

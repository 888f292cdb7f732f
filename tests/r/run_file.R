# SPDX-License-Identifier: Apache-2.0
# Rscript run_file.R FILE: testthat on one file of the package's tests; each test_that() is a case. The last lines are what tools/count_tests.py reads.
options(warn = 1)
library(testthat)
library(flexor)
file <- commandArgs(trailingOnly = TRUE)[1]
results <- test_file(file, reporter = "summary", stop_on_failure = FALSE, package = "flexor")
state <- vapply(results, function(test) {
  is <- function(class) any(vapply(test$results, inherits, TRUE, class))
  if (is("expectation_failure") || is("expectation_error")) "FAILED" else if (is("expectation_skip")) "SKIPPED" else "passed"
}, "")
for (i in seq_along(results)) {
  if (state[i] == "passed") next
  bad <- Filter(function(e) inherits(e, c("expectation_failure", "expectation_error", "expectation_skip")), results[[i]]$results)
  cat(state[i], " ", results[[i]]$test, ": ", gsub("\n", " ", conditionMessage(bad[[1]])), "\n", sep = "")
}
count <- function(what) sum(state == what)
cat(sprintf("%d passed, %d failed, %d skipped\n", count("passed"), count("FAILED"), count("SKIPPED")))
quit(status = count("FAILED") > 0 || length(state) == 0)

# SPDX-License-Identifier: Apache-2.0
# Makes the package's data from the scans in examples/data/digits, when the package is assembled: Rscript r_digits.R FOLDER R/sysdata.rda. 8000 scans for training, then 2000.
arguments <- commandArgs(trailingOnly = TRUE)
read_idx <- function(name) {
  con <- gzfile(file.path(arguments[1], name), "rb")
  on.exit(close(con))
  stopifnot(identical(readBin(con, "raw", 3L), as.raw(c(0, 0, 8))))
  dims <- readBin(con, "integer", as.integer(readBin(con, "raw", 1L)), endian = "big")
  bytes <- readBin(con, "raw", prod(dims))
  stopifnot(length(bytes) == prod(dims))
  bytes
}
both <- function(what) c(read_idx(sprintf("train-%s.gz", what)), read_idx(sprintf("test-%s.gz", what)))
digit_bytes <- both("images-idx3-ubyte")
digit_labels <- both("labels-idx1-ubyte")
stopifnot(length(digit_bytes) == 784L * length(digit_labels))
save(digit_bytes, digit_labels, file = arguments[2], version = 2L, compress = "xz")

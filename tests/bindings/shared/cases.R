# SPDX-License-Identifier: Apache-2.0
# The shared tables read from R: read_cases(path) is a list of cases, a case a list of lines, a line list(word=, fields = c(key = value)). tests/golden/README.md has the form.
plain_text <- function(s) {
  odd <- grepl("\\", s, fixed = TRUE)
  s[odd] <- vapply(strsplit(s[odd], ""), function(chars) {
    out <- character()
    i <- 1
    while (i <= length(chars)) {
      if (chars[i] == "\\" && i < length(chars)) {
        i <- i + 1
        out <- c(out, switch(chars[i], t = "\t", n = "\n", chars[i]))
      } else out <- c(out, chars[i])
      i <- i + 1
    }
    paste(out, collapse = "")
  }, "")
  s
}
read_line <- function(row) {
  parts <- strsplit(row, "\t", fixed = TRUE)[[1]]
  fields <- parts[-1]
  at <- regexpr("=", fields, fixed = TRUE)
  values <- plain_text(substring(fields, at + 1))
  names(values) <- substr(fields, 1, at - 1)
  list(word = parts[1], fields = values)
}
read_cases <- function(path) {
  rows <- readLines(path, encoding = "UTF-8")
  rows <- rows[!startsWith(rows, "#")]
  group <- cumsum(rows == "")
  unname(lapply(split(rows[rows != ""], group[rows != ""]), function(r) lapply(r, read_line)))
}
lines_of <- function(case, word) lapply(Filter(function(l) l$word == word, case), function(l) l$fields)
first_of <- function(case, word) {
  found <- lines_of(case, word)
  if (length(found)) found[[1]] else character()
}
field <- function(fields, key, otherwise = "") if (key %in% names(fields)) fields[[key]] else otherwise
case_id <- function(case) case[[1]]$fields[["id"]]
shape_of <- function(text) if (text == "-") numeric() else as.numeric(strsplit(text, ",", fixed = TRUE)[[1]])
hex_bytes <- function(text) {
  n <- nchar(text) %/% 2
  if (n == 0) return(raw())
  as.raw(strtoi(substring(text, 2 * seq_len(n) - 1, 2 * seq_len(n)), 16L))
}
# `{any}` in `want` stands for anything, once at most.
fits <- function(text, want) {
  gap <- regexpr("{any}", want, fixed = TRUE)
  if (gap < 0) return(identical(enc2utf8(text), enc2utf8(want)))
  startsWith(text, substr(want, 1, gap - 1)) && endsWith(text, substring(want, gap + 5))
}

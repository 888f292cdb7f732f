# SPDX-License-Identifier: Apache-2.0
# JSON as far as the package needs it: the core's tables and graphs are read, class names are written. An object becomes a named list, an array a list, null NULL.

json_string <- function(x) {
  x <- enc2utf8(as.character(x))
  for (pair in list(c("\\", "\\\\"), c("\"", "\\\""), c("\n", "\\n"), c("\r", "\\r"), c("\t", "\\t"))) x <- gsub(pair[1], pair[2], x, fixed = TRUE)
  for (code in setdiff(1:31, c(9L, 10L, 13L))) {
    ch <- intToUtf8(code)
    if (any(grepl(ch, x, fixed = TRUE))) x <- gsub(ch, sprintf("\\\\u%04x", code), x, fixed = TRUE)
  }
  paste0("\"", x, "\"")
}
json_strings <- function(x) paste0("[", paste(json_string(x), collapse = ","), "]")

json_tokens <- function(text) {
  pattern <- "\"([^\"\\\\]|\\\\.)*\"|-?[0-9][-+.eE0-9]*|true|false|null|[][{}:,]"
  regmatches(text, gregexpr(pattern, text, perl = TRUE))[[1]]
}
json_unescape <- function(s) {
  s <- substr(s, 2L, nchar(s) - 1L)
  if (!grepl("\\", s, fixed = TRUE)) return(s)
  parts <- regmatches(s, gregexpr("(\\\\u[0-9a-fA-F]{4})+|\\\\.|[^\\\\]+", s, perl = TRUE))[[1]]
  plain <- c(n = "\n", r = "\r", t = "\t", b = "\b", f = "\f")
  paste(vapply(parts, function(p) {
    if (substr(p, 1L, 1L) != "\\") return(p)
    if (substr(p, 2L, 2L) == "u") return(json_utf16(strtoi(regmatches(p, gregexpr("[0-9a-fA-F]{4}", p))[[1]], 16L)))
    ch <- substr(p, 2L, 2L)
    if (ch %in% names(plain)) plain[[ch]] else ch
  }, ""), collapse = "")
}
json_utf16 <- function(units) { # pairs of surrogates are one character
  out <- integer()
  i <- 1L
  while (i <= length(units)) {
    u <- units[i]
    if (u >= 0xD800L && u < 0xDC00L && i < length(units)) {
      i <- i + 1L
      u <- 0x10000L + (u - 0xD800L) * 1024L + (units[i] - 0xDC00L)
    }
    out <- c(out, u)
    i <- i + 1L
  }
  intToUtf8(out)
}

# All of `text`, which the core or another binding wrote; an error where it is no JSON.
json_parse <- function(text) {
  tokens <- json_tokens(text)
  at <- 0L
  take <- function() {
    if (at >= length(tokens)) flexor_stop("[json] the text ends too early.", "format")
    tokens[at <<- at + 1L]
  }
  want <- function(t) if (!identical(take(), t)) flexor_stop(sprintf("[json] expected %s, given %s.", t, tokens[at]), "format")
  members <- function(end, one) {
    if (at < length(tokens) && tokens[at + 1L] == end) return(at <<- at + 1L)
    repeat {
      one()
      t <- take()
      if (t == end) return()
      if (t != ",") flexor_stop(sprintf("[json] expected a comma, given %s.", t), "format")
    }
  }
  value <- function() {
    t <- take()
    first <- substr(t, 1L, 1L)
    if (first == "\"") return(json_unescape(t))
    if (t == "{" || t == "[") {
      out <- list()
      members(if (t == "{") "}" else "]", function() {
        key <- NULL
        if (t == "{") {
          key <- json_unescape(take())
          want(":")
        }
        v <- list(value())
        names(v) <- key
        out <<- c(out, v)
      })
      return(out)
    }
    switch(t, true = TRUE, false = FALSE, null = NULL, {
      if (!grepl("^-?[0-9]", t)) flexor_stop(sprintf("[json] unexpected %s.", t), "format")
      as.numeric(t)
    })
  }
  v <- value()
  if (at != length(tokens)) flexor_stop("[json] more follows the document.", "format")
  v
}

# SPDX-License-Identifier: Apache-2.0
# R values as the texts of options (MXNet's forms): TRUE is "True", c(2, 3) is "(2, 3)", NULL and NA are "None", a function's object is its own text.
number_text <- function(x) {
  text <- sprintf("%.15g", x)
  more <- is.finite(x)
  more[more] <- as.numeric(text[more]) != x[more]
  text[more] <- sprintf("%.17g", x[more])
  text[is.nan(x)] <- "nan"
  text[is.na(x) & !is.nan(x)] <- "None"
  text[is.infinite(x)] <- ifelse(x[is.infinite(x)] > 0, "inf", "-inf")
  text
}

tuple_text <- function(x) {
  x <- if (is.logical(x) && !anyNA(x)) ifelse(x, "True", "False") else number_text(as.numeric(x))
  if (length(x) == 1L) paste0("(", x, ",)") else paste0("(", paste(x, collapse = ", "), ")")
}

value_text <- function(x) {
  if (is.null(x)) return("None")
  if (is.factor(x)) x <- as.character(x)
  if (inherits(x, "flexor_setting")) return(format(x))
  if (is.character(x)) return(if (length(x) == 1L) x else paste0("(", paste(x, collapse = ", "), ")"))
  if (!is.numeric(x) && !is.logical(x)) flx_raise(FLX_ERROR_ARGUMENT, paste0("an option is a number, a string, TRUE or FALSE, or a vector of them, given ", class(x)[1]))
  if (length(x) != 1L) return(tuple_text(x))
  if (is.logical(x)) return(if (is.na(x)) "None" else if (x) "True" else "False")
  number_text(as.numeric(x))
}

# A list of settings as the named texts that flx_* functions take.
texts <- function(options) {
  if (!length(options)) return(NULL)
  vapply(options, value_text, "")
}

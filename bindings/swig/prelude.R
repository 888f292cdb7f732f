# SPDX-License-Identifier: Apache-2.0
# The C ABI for R: one function each, with the ABI's names, over SWIG's C glue. Results are returned, several of them as a list; a handle is an external pointer,
# freed when R's collector finds it unused; a failed call is a condition of class flexor_<status>_error, flexor_error, error, with the fields of
# flx_last_error_field. The symbols R_swig_* are the package's (useDynLib(flexor, .registration = TRUE)).
flx_statuses <- unlist(mget(ls(pattern = "^FLX_ERROR_")))
flx_error_classes <- function(status) {
  name <- names(flx_statuses)[match(status, flx_statuses)]
  c(if (!is.na(name)) paste0("flexor_", tolower(sub("FLX_ERROR_", "", name)), "_error"), "flexor_error", "error", "condition")
}
# The call of the user's that led here: the outermost of the package's functions that called each other. What R's own functions (lapply) do between them is passed over;
# arguments are computed late, so that the stack alone would name a function whose argument failed.
flx_call <- function() {
  home <- environment(flx_call)
  if (!isNamespace(home)) return(NULL)
  parents <- sys.parents()
  i <- sys.parent() # flx_raise, flx_origin
  found <- NULL
  while (i > 0L) {
    f <- sys.function(i)
    if (is.null(environment(f))) break
    if (identical(topenv(environment(f)), home)) found <- sys.call(i)
    else if (!identical(environment(f), .BaseNamespaceEnv)) break
    from_c <- is.name(sys.call(i)[[1]]) && as.character(sys.call(i)[[1]]) %in% c("flx_raise", "flx_origin", "arith_slow", "call_one") && parents[i] == 0L
    i <- min(if (from_c) i - 1L else parents[i], i - 1L)
  }
  if (is.call(found) && is.name(found[[1]])) # a method: what the user wrote is the generic
    found[[1]] <- as.name(sub("\\.flexor_[a-z_]+$", "", as.character(found[[1]])))
  found
}
# Who queues what is called now, as the option FLEXOR_ORIGIN wants it: file:line where R has it (options(keep.source = TRUE)), else the call.
flx_origin <- function() {
  call <- flx_call()
  line <- attr(call, "srcref")
  file <- if (!is.null(line)) attr(line, "srcfile")$filename
  if (length(file) && nzchar(file)) return(paste0(file, ":", line[[1L]]))
  if (!is.null(call)) substr(paste(trimws(deparse(call)), collapse = " "), 1L, 120L)
}
flx_raise <- function(status, message, fields = list()) {
  stop(structure(c(list(message = message, call = flx_call(), status = status), fields), class = flx_error_classes(status)))
}

# SPDX-License-Identifier: Apache-2.0
# The library itself: options, memory, profiler, log.

#' Options of the library
#'
#' Work is queued, and its failure comes out where a result is read. With `FLEXOR_ORIGIN` 1 the condition says who queued it, as `$origin` and at the end of its
#' message: the line (where R keeps sources: `options(keep.source = TRUE)`), else the call. Each call then takes some tenths of a millisecond more. With `FLEXOR_ENGINE` naive nothing is queued: slow, but the failing
#' call is the one that R shows, and `traceback()` is its own.
#' @param name an option, with or without `FLEXOR_` before it; without it all are listed
#' @param value its new value
#' @return the value as a string; without `name` a table as text, printed
#' @examples
#' flexor_config("FLEXOR_NUM_THREADS")
#' @export
flexor_config <- function(name = NULL, value = NULL) {
  if (is.null(name)) {
    cat(flx_config_list())
    return(invisible())
  }
  if (!is.null(value)) {
    flx_config_set(name, value_text(value))
    follow_options()
  }
  flx_config_get(name)
}
# Options that this package itself follows.
follow_options <- function() invisible(.Call(R_swig_flx_r_origins, flx_config_get("FLEXOR_ORIGIN") == "1", FALSE))
#' What the library is
#'
#' @param field version, path, compiler, blas, features, license or build
#' @return a string
#' @examples
#' flexor_info("version")
#' @export
flexor_info <- function(field = "version") if (field == "version") flx_version() else flx_library_text(field)
#' Memory of arrays
#'
#' Memory that arrays take is not R's, and `gc()` does not list it. The library asks R to collect when arrays that nobody holds have piled up.
#' @param limit bytes that arrays may take in all; NULL: as it is, 0: no limit
#' @param device the CPU, or another one, such as "gpu(0)"
#' @param reset_peak whether the peak starts again at what is live now
#' @param release_unused whether memory that is kept for later arrays goes back to the system
#' @return bytes: live (in use), cached, peak, limit, total; of other devices than the CPU also fragmentation
#' @examples
#' flexor_memory()
#' @export
flexor_memory <- function(limit = NULL, device = "cpu", reset_peak = FALSE, release_unused = FALSE) {
  if (!is.null(limit)) flx_memory_limit_set(device, limit)
  if (reset_peak) flx_memory_peak_reset(device)
  if (release_unused) flx_memory_release_unused(device)
  stats <- c("live", "cached", "peak", "limit", "total", if (!startsWith(device, "cpu")) "fragmentation")
  vapply(stats, function(s) flx_memory_stat(device, s), 0)
}
#' Wait for all work
#'
#' Arrays are computed behind R's back; reading one waits for it. This waits for everything, as is needed to measure time.
#' @return nothing
#' @examples
#' wait_all()
#' @export
wait_all <- function() {
  flx_wait_all(-1)
  invisible()
}
#' What runs when
#'
#' `flexor_profile()` runs an expression and gives a table of the operators it ran, by their time.
#' @param expr an expression
#' @param file where to write a trace that Perfetto and chrome://tracing open; NULL: nowhere
#' @param ... what is recorded: operators, planned, passes, waits, copies, memory (TRUE), api (FALSE)
#' @return the table, of class `flexor_profile`; `$value` is the expression's value
#' @examples
#' flexor_profile({ x <- nd_array(matrix(runif(1e4), 100)); sum(x %*% x) })
#' @export
flexor_profile <- function(expr, file = NULL, ...) {
  flx_profiler_start(texts(list(...)))
  on.exit(flx_profiler_stop())
  value <- expr
  flx_wait_all(-1)
  flx_profiler_stop()
  if (!is.null(file)) flx_profiler_save(file)
  structure(list(text = flx_profiler_summary(NULL, min(getOption("width"), 120L)), value = value), class = "flexor_profile")
}
#' @export
print.flexor_profile <- function(x, ...) {
  cat(x$text)
  invisible(x)
}

# SPDX-License-Identifier: Apache-2.0
# Devices: where arrays are, copies from one to another, what devices there are.

# The device of an array, or of the first array in a list; NULL: the CPU, or there is none.
place_of <- function(x) {
  if (is_array(x)) {
    at <- flx_ndarray_device(x)
    return(if (startsWith(at, "cpu")) NULL else at)
  }
  if (is.list(x)) for (a in x) if (is_array(a)) return(place_of(a))
  NULL
}
# R's values become arrays where the arrays among them are.
arrays_together <- function(values) {
  near <- place_of(values)
  lapply(values, function(v) if (is_array(v)) v else nd_array(v, device = near))
}

#' Devices
#'
#' A device is named by a text: `"cpu"`, `"gpu(0)"`, `"gpu(1)"`. `device()` says where an array, a list of parameters or a fit is, and `to_device()` copies it to another one.
#'
#' Functions that make arrays have an argument `device`. An operator computes where its arrays are; arrays on different devices are an error, and nothing is copied between
#' devices unasked. Plain values of R beside an array go where the array is. `flexor(..., device = "gpu(0)")` fits on a GPU, and leaves the model there.
#'
#' A fit is moved itself, and is what `to_device()` gives. What [saveRDS()] or a workspace brings back is on the CPU. No gradient goes through `to_device()`.
#' @param x an array, a list of arrays as [init_params()] gives, or a fit of [flexor()]
#' @param device a device; NULL: as it is
#' @param kind `"gpu"` or `"cpu"`
#' @return `device` a string; `to_device` the array, the list or the fit; `device_count` how many devices of this kind there are; `device_properties` a list of facts,
#'   its name and its memory in bytes among them; `synchronize` nothing, when all work issued to the device is done
#' @examples
#' x <- nd_array(1:3, device = "cpu")
#' device(x)
#' device_count("gpu")
#' if (device_count("gpu")) to_device(x, "gpu(0)") + 1
#' device_properties("cpu")
#' @export
device <- function(x) UseMethod("device")
#' @rdname device
#' @export
device.flexor_ndarray <- function(x) flx_ndarray_device(x)
#' @rdname device
#' @export
device.default <- function(x) {
  if (!is.list(x) || !any(vapply(x, is_array, NA))) bad("[device] an array, a list of arrays or a fit was expected, given ", class(x)[1])
  flx_ndarray_device(Find(is_array, x))
}
#' @rdname device
#' @export
device.flexor_fit <- function(x) device(model_params(model_handle(x$model)))
#' @rdname device
#' @export
to_device <- function(x, device) UseMethod("to_device")
#' @rdname device
#' @export
to_device.flexor_ndarray <- function(x, device) {
  if (is.null(device)) return(x)
  at <- flx_ndarray_device(x)
  if (at == device || startsWith(at, "cpu") && startsWith(device, "cpu")) x else flx_ndarray_copy(x, device)
}
#' @rdname device
#' @export
to_device.default <- function(x, device) {
  if (!is.list(x)) bad("[to_device] an array, a list of arrays or a fit was expected, given ", class(x)[1])
  x[] <- lapply(unclass(x), function(a) if (is.null(a)) a else to_device(a, device))
  x
}
#' @rdname device
#' @export
to_device.flexor_fit <- function(x, device) {
  if (!is.null(device)) flx_params_move(flx_model_params(model_handle(x$model)), device)
  invisible(x)
}
#' @rdname device
#' @export
device_count <- function(kind = "gpu") flx_device_count(kind)
#' @rdname device
#' @export
device_properties <- function(device = "cpu") {
  lines <- strsplit(flx_device_properties(device), "\n", fixed = TRUE)[[1L]]
  stats::setNames(lapply(sub("^\\S+ ?", "", lines), utils::type.convert, as.is = TRUE), sub(" .*", "", lines))
}
#' @rdname device
#' @export
synchronize <- function(device = "cpu") {
  flx_device_synchronize(device, -1)
  invisible()
}

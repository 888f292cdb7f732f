# SPDX-License-Identifier: Apache-2.0
# Work that R drives: tasks, and R's functions that the library asks for (gradients of new_operator(), metrics, sources of data). They run here, on R's thread. What
# they throw is not caught: it leaves through run_task with its own class, call and traceback, and the task is brought to an end on the way out.
flx_hosts <- new.env(parent = emptyenv(), hash = TRUE)

# Registers f(what, arrays), which gives a list of arrays or NULLs, and returns its token. `what` is forward, backward, batch or metric.
host_function <- function(f) {
  forget_hosts()
  token <- (if (is.null(flx_state$token)) 0 else flx_state$token) + 1
  flx_state$token <- token
  assign(as.character(token), f, envir = flx_hosts)
  token
}
forget_hosts <- function() {
  while ((token <- flx_token_next()) >= 0) {
    key <- as.character(token)
    if (exists(key, envir = flx_hosts, inherits = FALSE)) rm(list = key, envir = flx_hosts)
  }
}
has_host <- function(token) !is.null(token) && exists(as.character(token), envir = flx_hosts, inherits = FALSE)

answer_host <- function(task) {
  f <- flx_hosts[[as.character(flx_task_token(task))]]
  if (is.null(f)) bad("[flexor] a function of another R process was asked for: what new_operator() made does not outlive its session", status = FLX_ERROR_STATE)
  what <- tryCatch(flx_task_text(task, "host"), flexor_name_error = function(e) "backward")
  mode <- flx_mode(0L)
  on.exit(flx_mode(mode))
  flx_task_reply(task, f(what, flx_task_arrays(task)))
}

# Drives `task` to its end. `on_event(event)` hears of FLX_BATCH and FLX_EPOCH; if it gives FALSE, the task stops after this batch. However this is left (an error
# of on_event or of a host function, Ctrl-C), the task has come to its end and what it worked on is usable.
run_task <- function(task, on_event = NULL) {
  done <- asked <- FALSE
  on.exit(if (!done) end_task(task, asked))
  repeat {
    event <- flx_task_next(task, -1)
    if (event == FLX_DONE) break
    if (event == FLX_HOST) {
      asked <- TRUE
      answer_host(task)
      asked <- FALSE
    } else if (!is.null(on_event) && identical(on_event(event), FALSE)) flx_task_stop(task)
  }
  done <- TRUE
  invisible(task)
}
end_task <- function(task, asked) suspendInterrupts(try({
  if (asked) flx_task_fail(task, "R's function failed")
  flx_task_stop(task)
  repeat {
    event <- flx_task_next(task, -1)
    if (event == FLX_DONE) break
    if (event == FLX_HOST) flx_task_fail(task, "stopped")
  }
}, silent = TRUE))

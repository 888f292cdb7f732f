# SPDX-License-Identifier: Apache-2.0
# What a user gives (formula and data frame, x and y, a recipe) as arrays for the core, and the blueprint by which new data is treated the same way.
# An input is list(x, y, weights, blueprint, target, na.action); a target is list(task, classes, columns).

described <- function(x) { # a few words on a value, for messages
  if (is.null(x)) return("NULL")
  kind <- class(x)[1]
  if (!is.null(dim(x))) return(sprintf("a %s of %s", kind, paste(dim(x), collapse = " x ")))
  if (is.numeric(x) && length(x) == 1L) return(format(x))
  if (is.character(x) && length(x) == 1L) return(paste0("\"", x, "\""))
  sprintf("a %s of length %d", kind, length(x))
}
rows_of <- function(x) if (is.null(dim(x))) length(x) else dim(x)[1]
# Rows `i` of an array of any rank, or elements of a vector.
take_rows <- function(x, i) {
  if (is.null(x)) return(NULL)
  if (is.null(dim(x))) return(x[i])
  if (is.data.frame(x)) return(x[i, , drop = FALSE])
  if (length(dim(x)) == 2L) return(x[i, , drop = FALSE])
  do.call(`[`, c(list(x, i), rep(list(TRUE), length(dim(x)) - 1L), drop = FALSE))
}
complete_rows <- function(x) { # TRUE where a row has no missing value
  if (is.null(x)) return(TRUE)
  if (is.data.frame(x)) return(stats::complete.cases(x))
  if (!is.numeric(x) || !anyNA(x)) return(if (anyNA(x)) !is.na(x) else rep(TRUE, rows_of(x)))
  if (is.null(dim(x))) return(!is.na(x))
  bad <- is.na(x)
  dim(bad) <- c(dim(x)[1], length(x) / dim(x)[1])
  rowSums(bad) == 0
}

# ---- x ------------------------------------------------------------------------------------------------------------------------
is_nd <- function(x) is_array(x)

# An R array of numbers whose first axis is the batch.
plain_x <- function(x, who = "flexor") {
  if (is_array(x)) return(x)
  if (inherits(x, "Matrix")) x <- as.matrix(x)
  if (is.logical(x)) x[] <- as.numeric(x)
  if (!is.numeric(x))
    flexor_stop(sprintf("[%s] x must be a data frame, or a matrix or array of numbers whose first axis is the observations, given %s.", who, described(x)), "argument")
  if (is.null(dim(x))) x <- matrix(x, ncol = 1L, dimnames = list(names(x), NULL))
  if (length(dim(x)) == 1L) dim(x) <- c(dim(x), 1L)
  x
}
frame_formula <- function(x) {
  if (!ncol(x)) flexor_stop("[flexor] x has no columns.", "argument")
  stats::as.formula("~ .", env = baseenv())
}
# The columns of a model matrix, without the one of the intercept: a network has its own.
design <- function(terms, frame, contrasts) {
  offset <- attr(terms, "offset")
  if (!is.null(offset)) flexor_stop("[flexor] an offset in the formula is not supported: add it to the response, or give it as a column.", "unsupported")
  x <- stats::model.matrix(terms, frame, contrasts.arg = contrasts)
  used <- attr(x, "contrasts")
  keep <- colnames(x) != "(Intercept)"
  if (!any(keep)) flexor_stop("[flexor] the formula has no variable on its right side.", "argument")
  list(x = x[, keep, drop = FALSE], contrasts = used)
}

input_formula <- function(formula, frame, contrasts) { # frame: the model frame, with response and weights
  terms <- attr(frame, "terms")
  response <- stats::model.response(frame)
  if (is.null(response)) flexor_stop("[flexor] the formula has no left side: write what is to be predicted, as in Species ~ .", "argument")
  d <- design(terms, frame, contrasts)
  list(x = d$x, y = response, weights = as.vector(stats::model.weights(frame)), na.action = attr(frame, "na.action"),
       blueprint = list(kind = "formula", terms = terms, xlevels = stats::.getXlevels(terms, frame), contrasts = d$contrasts, columns = colnames(d$x), dims = ncol(d$x)))
}

input_xy <- function(x, y, weights, na.action) {
  if (is.data.frame(x)) {
    frame <- stats::model.frame(frame_formula(x), x, na.action = stats::na.pass)
    terms <- attr(frame, "terms")
    d <- design(terms, frame, NULL)
    blueprint <- list(kind = "frame", terms = terms, xlevels = stats::.getXlevels(terms, frame), contrasts = d$contrasts, columns = colnames(d$x), dims = ncol(d$x))
    x <- d$x
  } else {
    x <- plain_x(x)
    dims <- dim(x)
    blueprint <- list(kind = "array", columns = if (length(dims) == 2L && !is_array(x)) colnames(x), dims = dims[-1L])
  }
  if (is.data.frame(y)) y <- if (ncol(y) == 1L) y[[1L]] else data.matrix_numeric(y)
  if (rows_of(x) != rows_of(y)) flexor_stop(sprintf("[flexor] x has %d rows and y has %d: one row of x belongs to one of y.", rows_of(x), rows_of(y)), "shape")
  out <- list(x = x, y = y, weights = weights, blueprint = blueprint)
  if (is_array(x)) return(out)
  bad <- which(!(complete_rows(x) & complete_rows(y) & complete_rows(weights)))
  if (length(bad)) out <- drop_missing(out, bad, na.action)
  out
}
data.matrix_numeric <- function(y) {
  if (!all(vapply(y, is.numeric, NA))) flexor_stop("[flexor] several columns to predict must all be numeric.", "argument")
  as.matrix(y)
}
drop_missing <- function(input, bad, na.action) {
  if (identical(na.action, stats::na.fail) || identical(na.action, "na.fail")) flexor_stop(sprintf("[flexor] missing values in x or y, in %d rows.", length(bad)), "argument")
  if (identical(na.action, stats::na.pass) || identical(na.action, "na.pass")) return(input)
  keep <- -bad
  for (part in c("x", "y", "weights")) if (!is.null(input[[part]])) input[[part]] <- take_rows(input[[part]], keep)
  input$na.action <- structure(bad, class = "omit")
  input
}

# Recipes: the package is called only when one of its objects comes in.
need_recipes <- function() {
  if (!requireNamespace("recipes", quietly = TRUE)) flexor_stop("[flexor] the package recipes is not installed: install.packages(\"recipes\").", "unsupported")
}
input_recipe <- function(recipe, data) {
  need_recipes()
  prepped <- recipes::prep(recipe, training = data, retain = TRUE)
  x <- recipes::bake(prepped, new_data = NULL, recipes::all_predictors())
  y <- recipes::bake(prepped, new_data = NULL, recipes::all_outcomes())
  if (!ncol(y)) flexor_stop("[flexor] the recipe has no outcome.", "argument")
  input <- input_xy(as.data.frame(x), as.data.frame(y), NULL, stats::na.omit)
  input$blueprint$recipe <- prepped
  input$blueprint$outcomes <- names(y)
  input
}

# New data by a blueprint: list(x, keep), keep being FALSE for rows with missing values, which are left out of x.
apply_blueprint <- function(b, newdata, who = "predict") {
  if (!is.null(b$recipe) && is.data.frame(newdata)) {
    need_recipes()
    newdata <- as.data.frame(recipes::bake(b$recipe, new_data = newdata, recipes::all_predictors()))
  }
  if (b$kind %in% c("formula", "frame")) {
    if (is.matrix(newdata) && !is.null(colnames(newdata))) newdata <- as.data.frame(newdata)
    if (!is.data.frame(newdata) && !is.list(newdata))
      flexor_stop(sprintf("[%s] the model was fitted to a data frame: newdata must be one with the columns %s, given %s.", who, few(all.vars(stats::delete.response(b$terms))), described(newdata)), "argument")
    terms <- stats::delete.response(b$terms)
    absent <- setdiff(all.vars(terms), c(names(newdata), names_in(environment(terms), all.vars(terms))))
    if (length(absent)) flexor_stop(sprintf("[%s] newdata has no column %s.", who, few(absent)), "name")
    frame <- stats::model.frame(terms, newdata, na.action = stats::na.pass, xlev = b$xlevels)
    classes <- attr(terms, "dataClasses")
    if (!is.null(classes)) stats::.checkMFClasses(classes, frame)
    x <- design(terms, frame, b$contrasts)$x
  } else {
    x <- if (is.data.frame(newdata)) as.matrix(newdata) else newdata
    x <- plain_x(x, who)
    if (is_array(x)) return(list(x = x, keep = TRUE))
    if (length(dim(x)) == 2L && !is.null(b$columns) && !is.null(colnames(x)) && all(b$columns %in% colnames(x))) x <- x[, b$columns, drop = FALSE]
    # one observation of a matrix is a vector in R: fit[1, ] of it
    if (is.null(dim(newdata)) && length(b$dims) == 1L && b$dims > 1L && length(newdata) == b$dims) x <- matrix(newdata, nrow = 1L)
    if (!is.null(b$dims) && !identical(as.numeric(dim(x)[-1L]), as.numeric(b$dims)))
      flexor_stop(sprintf("[%s] expected observations of shape (%s), given (%s).", who, paste(b$dims, collapse = ", "), paste(dim(x)[-1L], collapse = ", ")), "shape")
  }
  keep <- complete_rows(x)
  list(x = if (all(keep)) x else take_rows(x, which(keep)), keep = keep, names = rownames(x))
}
few <- function(words, most = 5L) paste0(paste0("`", utils::head(words, most), "`", collapse = ", "), if (length(words) > most) ", ..." else "")
names_in <- function(env, names) if (is.null(env)) character() else names[vapply(names, exists, NA, envir = env)]

# ---- y ------------------------------------------------------------------------------------------------------------------------
target_of <- function(y) {
  if (is_array(y)) return(list(task = "regression", classes = NULL, columns = NULL))
  if (is.factor(y) || is.character(y) || is.logical(y)) {
    f <- as_classes(y)
    seen <- nlevels(droplevels(f))
    if (nlevels(f) < 2L || seen < 2L)
      flexor_stop(sprintf("[flexor] y has %s: a classifier needs two classes at least.", if (seen) sprintf("one class only, `%s`", as.character(f[!is.na(f)][1])) else "no class"), "argument")
    return(list(task = "classification", classes = levels(f), columns = NULL, ordered = is.ordered(f)))
  }
  if (!is.numeric(y)) flexor_stop(sprintf("[flexor] y must be a factor (also text or logical) for classes, or numbers, given %s.", described(y)), "argument")
  list(task = "regression", classes = NULL, columns = if (length(dim(y)) == 2L) if (is.null(colnames(y))) paste0("y", seq_len(ncol(y))) else colnames(y))
}
as_classes <- function(y) if (is.factor(y)) y else if (is.logical(y)) factor(y, levels = c(FALSE, TRUE)) else factor(y)

# Labels for the core: class indices from 0, or numbers.
labels_of <- function(y, target, who = "flexor") {
  if (is_array(y)) return(y)
  if (target$task == "regression") {
    if (!is.numeric(y)) flexor_stop(sprintf("[%s] y must be numbers, as when the model was fitted, given %s.", who, described(y)), "argument")
    return(label_array(y))
  }
  if (is.numeric(y) && !is.factor(y)) flexor_stop(sprintf("[%s] y must be classes (a factor), given numbers. factor(y)?", who), "argument")
  code <- match(as.character(y), target$classes)
  if (anyNA(code)) flexor_stop(sprintf("[%s] y has the class %s, unknown to the model; it knows %s.", who, few(unique(as.character(y)[is.na(code)])), few(target$classes)), "argument")
  flx_ndarray_create_from(code - 1L, FLX_INT32, FLX_COLUMN_MAJOR, length(code), FLX_INT32, NULL)
}
label_array <- function(y) {
  dims <- if (is.null(dim(y))) length(y) else dim(y)
  flx_ndarray_create_from(as.double(y), FLX_FLOAT64, FLX_COLUMN_MAJOR, dims, FLX_FLOAT32, NULL)
}
data_array <- function(x) {
  if (is_array(x)) return(x)
  if (is.integer(x)) flx_ndarray_create_from(x, FLX_INT32, FLX_COLUMN_MAJOR, dim(x), FLX_FLOAT32, NULL)
  else flx_ndarray_create_from(if (is.double(x)) x else as.double(x), FLX_FLOAT64, FLX_COLUMN_MAJOR, dim(x), FLX_FLOAT32, NULL)
}
# An error of the package's own: kind names the class, as shape does flexor_shape_error.
flexor_stop <- function(message, kind = "argument") {
  flx_raise(switch(kind, shape = FLX_ERROR_SHAPE, name = FLX_ERROR_NAME, state = FLX_ERROR_STATE, unsupported = FLX_ERROR_UNSUPPORTED, file = FLX_ERROR_FILE,
                   format = FLX_ERROR_FORMAT, FLX_ERROR_ARGUMENT), message)
}

# SPDX-License-Identifier: Apache-2.0
# Pictures by base graphics: learning curves, and a network as a graph with the shapes on its edges, laid out here from the nodes and edges of the core's drawing.

#' Learning curves
#'
#' Loss and metrics by epoch, of training and validation data, by base graphics.
#' @param x a fit of [flexor()], or its history
#' @param ... passed to `plot()`
#' @return `x`
#' @examples
#' fit <- flexor(Species ~ ., iris, epochs = 20, validation = 0.2, progress = FALSE)
#' plot(fit)
#' @export
plot.flexor_fit <- function(x, ...) {
  if (!epochs_of(x$history)) flexor_stop("[plot] this model has no history: it was loaded from a file of another language.", "state")
  plot(x$history, ...)
  invisible(x)
}

#' Draw a network
#'
#' The network as a graph, with the shapes of the arrays on its edges, by base graphics; or as a SVG file.
#' @param x a network
#' @param input the shape of its input, `NA` for the batch
#' @param file a path: the picture is written there as SVG
#' @param ... `cex`, the size of the letters; by default as large as fits
#' @return `x`
#' @examples
#' net <- network() |> layer_dense(16, activation = "relu") |> layer_dense(3)
#' plot(net, input = c(NA, 4))
#' @export
plot.flexor_network <- function(x, input = NULL, file = NULL, ...) {
  if (is.null(input)) flexor_stop("[plot] input = is the shape of the data, as c(NA, 1, 28, 28), NA for the batch.", "argument")
  shape <- ifelse(is.na(input), 1, input)
  layer <- layer_handle(x, input)
  options <- c(data = dims_option(shape))
  if (!is.null(file)) {
    writeLines(flx_layer_draw(layer, options, "svg"), file)
    return(invisible(file))
  }
  draw_graph(read_dot(flx_layer_draw(layer, options, "dot")), batch = is.na(input[1L]), ...)
  invisible(x)
}

dot_unescape <- function(s) gsub("\\\"", "\"", gsub("\\n", "\n", s, fixed = TRUE), fixed = TRUE)
read_dot <- function(text) { # the core writes a line for each node and edge
  lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
  field <- function(line, name) {
    hit <- regmatches(line, regexec(paste0("[[ ]", name, "=(\"(([^\"\\\\]|\\\\.)*)\"|([a-z]+))"), line))
    vapply(hit, function(h) if (length(h)) paste0(h[3L], h[5L]) else "", "")
  }
  nodes <- grep("^ *n[0-9]+ \\[", lines, value = TRUE)
  edges <- grep("^ *n[0-9]+ -> n[0-9]+", lines, value = TRUE)
  ends <- regmatches(edges, regexec("(n[0-9]+) -> (n[0-9]+)", edges))
  list(nodes = data.frame(id = sub("^ *(n[0-9]+) .*", "\\1", nodes), label = dot_unescape(field(nodes, "label")), fill = field(nodes, "fillcolor"), stringsAsFactors = FALSE),
       edges = data.frame(from = vapply(ends, `[`, "", 2L), to = vapply(ends, `[`, "", 3L), label = dot_unescape(field(edges, "label")), stringsAsFactors = FALSE))
}
# Each node below all that it depends on; nodes of a level side by side, in the order of those above them.
layout_graph <- function(g) {
  n <- nrow(g$nodes)
  from <- match(g$edges$from, g$nodes$id)
  to <- match(g$edges$to, g$nodes$id)
  level <- rep(0, n)
  for (round in seq_len(n)) {
    next_level <- level
    for (e in seq_along(from)) next_level[to[e]] <- max(next_level[to[e]], level[from[e]] + 1)
    if (identical(next_level, level)) break
    level <- next_level
  }
  x <- rep(0, n)
  for (l in sort(unique(level))) {
    here <- which(level == l)
    above <- vapply(here, function(i) mean(c(x[from[to == i]], if (!any(to == i)) 0)), 0)
    here <- here[order(above)]
    x[here] <- seq_along(here) - (length(here) + 1) / 2
    if (length(here) == 1L) x[here] <- mean(above)
  }
  data.frame(x = x, y = -level)
}
draw_graph <- function(g, batch = FALSE, cex = NULL, ...) {
  at <- layout_graph(g)
  from <- match(g$edges$from, g$nodes$id)
  to <- match(g$edges$to, g$nodes$id)
  old <- graphics::par(mar = c(0.5, 0.5, 0.5, 0.5))
  on.exit(graphics::par(old))
  graphics::plot.new()
  graphics::plot.window(range(at$x) + c(-1, 1) * 0.6, range(at$y) + c(-0.5, 0.5))
  if (is.null(cex)) { # as large as fits
    width <- max(graphics::strwidth(g$nodes$label, cex = 1)) * 1.15
    height <- max(graphics::strheight(g$nodes$label, cex = 1)) * 2.2
    cex <- max(0.2, min(1, 0.95 / width, 0.95 / height))
  }
  half_w <- graphics::strwidth(g$nodes$label, cex = cex) / 2 * 1.12 + 0.02
  half_h <- graphics::strheight(g$nodes$label, cex = cex) / 2 * 1.3 + 0.02
  for (e in seq_along(from)) {
    a <- from[e]
    b <- to[e]
    words <- g$edges$label[e]
    if (batch) words <- sub("^\\(1,", "(NA,", words)
    if (at$y[a] - at$y[b] > 1.5) { # past other nodes: around them, on the right
      skipped <- which(at$y < at$y[a] & at$y > at$y[b])
      around <- max(at$x[c(skipped, a, b)] + half_w[c(skipped, a, b)]) + 0.05 + graphics::strwidth(words, cex = cex)
      graphics::lines(c(at$x[a] + half_w[a], around, around), c(at$y[a], at$y[a], at$y[b]), col = "gray40")
      graphics::arrows(around, at$y[b], at$x[b] + half_w[b], at$y[b], length = 0.06, col = "gray40")
      graphics::text(around, (at$y[a] + at$y[b]) / 2, words, pos = 4, cex = cex * 0.85, col = "gray30")
    } else {
      graphics::arrows(at$x[a], at$y[a] - half_h[a], at$x[b], at$y[b] + half_h[b], length = 0.06, col = "gray40")
      graphics::text((at$x[a] + at$x[b]) / 2, (at$y[a] - half_h[a] + at$y[b] + half_h[b]) / 2, words, pos = 4, cex = cex * 0.85, col = "gray30")
    }
  }
  fill <- ifelse(nzchar(g$nodes$fill), g$nodes$fill, "white")
  graphics::rect(at$x - half_w, at$y - half_h, at$x + half_w, at$y + half_h, col = fill, border = "gray40")
  graphics::text(at$x, at$y, g$nodes$label, cex = cex)
  invisible(at)
}

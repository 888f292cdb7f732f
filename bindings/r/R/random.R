# SPDX-License-Identifier: Apache-2.0
#' Random numbers
#'
#' Random operators draw from a stream of Flexor's own, which follows R's generator: whenever R's has moved on (set.seed(), runif() ...), the stream is seeded
#' anew from it at the next random call. So `set.seed(1)` makes what follows repeatable.
#' @param seed a whole number: seeds the stream at once, whatever R's generator does
#' @return `random_seed`: nothing; the stream goes on from this seed until R's generator moves
#' @examples
#' set.seed(1)
#' nd_random_normal(shape = 3)
#' set.seed(1)
#' nd_random_normal(shape = 3)
#' @export
random_seed <- function(seed) {
  flx_random_seed(seed, NULL)
  flx_state$random <- if (exists(".Random.seed", globalenv(), inherits = FALSE)) get(".Random.seed", globalenv()) else NULL
  invisible()
}

# A seed from R's generator.
draw_seed <- function() floor(stats::runif(1) * 2147483647)

random_sync <- function() {
  now <- if (exists(".Random.seed", globalenv(), inherits = FALSE)) get(".Random.seed", globalenv()) else NULL
  if (is.null(now) || !identical(now, flx_state$random)) random_seed(draw_seed())
}

# SPDX-License-Identifier: Apache-2.0
options(flexor.progress = FALSE)

test_that("a recipe prepares training and new data the same way", {
  skip_if_not_installed("recipes")
  library(recipes, warn.conflicts = FALSE)
  set.seed(1)
  i <- sample(150, 50)
  rec <- recipe(Species ~ ., iris) |> step_log(Petal.Length) |> step_pca(all_numeric_predictors(), num_comp = 3)
  fit <- flexor(rec, iris[-i, ], epochs = 60, validation = iris[i, ])
  expect_identical(fit$blueprint$columns, c("PC1", "PC2", "PC3"))
  p <- predict(fit, iris[i, ])
  expect_identical(levels(p), levels(iris$Species))
  expect_gt(mean(p == iris$Species[i]), 0.9)
  expect_equal(evaluate(fit, iris[i, ])[["loss"]], tail(fit$history$valid.loss, 1), tolerance = 1e-5)
  file <- tempfile(fileext = ".flx")
  save_model(fit, file)
  expect_identical(predict(load_model(file), iris[i, ]), p)
})

test_that("baked data goes in as x and y", {
  skip_if_not_installed("recipes")
  library(recipes, warn.conflicts = FALSE)
  ready <- recipe(mpg ~ ., mtcars) |> step_normalize(all_predictors()) |> prep()
  x <- bake(ready, new_data = NULL, all_predictors())
  fit <- flexor(x, bake(ready, new_data = NULL, all_outcomes()), epochs = 5)
  expect_length(predict(fit, bake(ready, new_data = mtcars[1:3, ], all_predictors())), 3)
})

test_that("a recipe without data or outcome is an error", {
  skip_if_not_installed("recipes")
  library(recipes, warn.conflicts = FALSE)
  expect_error(flexor(recipe(Species ~ ., iris)), "needs the data frame", class = "flexor_error")
  expect_error(flexor(recipe(iris) |> update_role(everything(), new_role = "predictor"), iris), "no outcome", class = "flexor_error")
})

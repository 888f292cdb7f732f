# SPDX-License-Identifier: Apache-2.0
# A data frame and a formula: Rscript iris.R
library(flexor)

set.seed(1) # which rows are drawn, and the network's first values
train <- sample(nrow(iris), 100)
fit <- flexor(Species ~ ., iris[train, ], hidden = c(16, 8), epochs = 60, validation = 0.2, progress = FALSE)
print(fit)
print(table(truth = iris$Species[-train], predicted = predict(fit, iris[-train, ])))
print(head(predict(fit, iris[-train, ], type = "prob")))
score <- evaluate(fit, iris[-train, ])
print(score)
stopifnot(score[["accuracy"]] > 0.9)

# numbers: fuel by weight, power and cylinders, these as a factor
cars <- transform(mtcars, cyl = factor(cyl))
fit <- flexor(mpg ~ wt + hp + cyl, cars, epochs = 500, progress = FALSE)
print(summary(fit))
cat(sprintf("correlation with the truth %.3f\n", cor(fitted(fit), cars$mpg)))
stopifnot(cor(fitted(fit), cars$mpg) > 0.9)

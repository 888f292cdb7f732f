# SPDX-License-Identifier: Apache-2.0
# What worker.py does, in R.
library(flexor)
store <- kv_store("dist_sync")
part <- shard(nrow(iris), store)
net <- layer_dense(layer_dense(network(), 8, activation = "tanh"), 3)
fit <- flexor(as.matrix(iris[part, 1:4]), iris$Species[part], network = net, epochs = 3, batch_size = 10, optimizer = sgd(0.1, momentum = 0.9), seed = 1, shuffle = FALSE,
              store = store, progress = FALSE)

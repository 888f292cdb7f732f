// SPDX-License-Identifier: Apache-2.0
// What worker.py does, in Scala.
import org.flexor._
import org.flexor.nn._

object DistributedWorker extends App {
  Using.scope { implicit scope =>
    val store = Store("dist_sync")
    val spec = Training(epochs = 3, batchSize = 10, optimizer = Sgd(0.1, momentum = 0.9), seed = 1, shuffle = false, store = Some(store))
    Classifier(Sequential(Dense(8, Tanh), Dense(3))).fit(Datasets.iris.samples.shard(store), spec)
  }
}

// SPDX-License-Identifier: Apache-2.0
// A training loop of one's own: explicit parameters, no globals, and a scope for each step, which frees what the step made.
import org.flexor._
import org.flexor.nn._

object OwnLoop extends App {
  val digits = Datasets.digits
  val (train, test) = (digits.slice(0, 2000), digits.slice(8000, 9000))
  val network = Sequential(Conv2D(8, kernel = 5, activation = Relu), MaxPool2D(2), Flatten, Dense(32, Relu), Dense(10)).hybridize
  Using.scope { implicit scope =>
    val params = network.init(Shape(-1, 1, 28, 28), seed = 1)
    val sgd = Sgd(0.05, momentum = 0.9).start(params)
    for (epoch <- 1 to 5) {
      val losses = for (batch <- train.batches(64, shuffle = true, seed = epoch)) yield Using.scope { implicit step =>
        val (loss, grads) = params.gradient(p => softmaxCrossEntropy(network(batch.x, p), batch.y).mean)
        sgd.update(grads)
        loss.toDouble // the only wait in the loop
      }
      println(f"epoch $epoch  loss ${losses.sum / losses.size}%.4f")
    }
    val best = network(test.x.toNDArray, params).toRows.map(row => row.indexOf(row.max).toString)
    println(f"accuracy on scans not seen ${Accuracy(best, test.y)}%.3f")
    require(Accuracy(best, test.y) > 0.85, "that is too little")
  }
}

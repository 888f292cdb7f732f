// SPDX-License-Identifier: Apache-2.0
import org.flexor._
import org.flexor.nn._

/** BenchFit SAMPLES EPOCHS: as fit.py, by Classifier. BenchFit first: the first array of a process, and the numbers in it. */
object BenchFit {
  private def told(what: String): Unit = println("%s %.6f".formatLocal(java.util.Locale.ROOT, what, System.currentTimeMillis / 1e3))

  def main(args: Array[String]): Unit = Using.scope { scope =>
    if (args(0) == "first") println((NDArray.ones(1) + 1).toFloats.mkString)
    else {
      val net = Sequential(Conv2D(20, kernel = 5), BatchNorm, Relu, MaxPool2D(2), Conv2D(50, kernel = 5), BatchNorm, Relu, MaxPool2D(2), Flatten, Dense(500, Relu), Dropout(0.5), Dense(10))
      val data = Datasets.digits.take(args(0).toInt)
      told("begin")
      for (event <- Classifier(net).start(data, Training(epochs = args(1).toInt, batchSize = 64, optimizer = Adam(0.001), seed = 1))) event match { case _: Epoch => told("epoch"); case _ => }
    }
  }
}

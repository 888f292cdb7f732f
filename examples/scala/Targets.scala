// SPDX-License-Identifier: Apache-2.0
// What a Scala user should be able to write (2.11 to 2.13 from one source). Descriptions are immutable values; everything that holds native
// memory lives in a scope and dies with it; what leaves the scope says so. No implicit conversions, no global state.
import org.flexor._
import org.flexor.nn._

object Targets extends App {
  // (a) rows and labels in, labels out -----------------------------------------------------------------------------------------------
  val iris = Datasets.iris                                           // Table(x: Array[Array[Float]], y: Array[String])
  val (train, test) = iris.split(0.7, seed = 1)
  val mlp = Sequential(Standardize, Dense(16, Relu), Dense(8, Relu), Dense(3))
  val spec = Training(epochs = 60, optimizer = Adam(0.01), seed = 1)
  Using.scope { implicit scope =>
    val model = Classifier(mlp).fit(train.x, train.y, spec)
    val predicted: Array[String] = model.predict(test.x)
    println(Accuracy(predicted, test.y))
  }

  val lenet = Sequential(
    Conv2D(20, kernel = 5, activation = Tanh), MaxPool2D(2),
    Conv2D(50, kernel = 5, activation = Tanh), MaxPool2D(2),
    Flatten, Dense(500, Tanh), Dense(10))
  val digits = Datasets.digits                                       // images: direct FloatBuffer in [0, 1], shape (10000, 1, 28, 28)
  val fitted: Fitted = Using.scope { implicit scope =>
    val (train, valid) = digits.split(0.8, seed = 1)
    val run = Classifier(lenet).start(train, Training(epochs = 10, batchSize = 64, optimizer = Adam(0.001), validation = Some(valid)))
    for (event <- run) event match {                                 // an Iterator of events: user code is ordinary code on this thread
      case Epoch(5, scores)                          => println(s"half way: $scores")
      case Epoch(_, s) if s("valid.accuracy") > 0.99 => run.stop()
      case _                                         =>
    }
    run.result.detach                                                // moves out of the scope; Fitted is AutoCloseable itself
  }

  // (b) a training loop of one's own --------------------------------------------------------------------------------------------------
  Using.scope { implicit scope =>
    val params = lenet.init(Shape(-1, 1, 28, 28), seed = 1)
    val sgd = Sgd(0.05, momentum = 0.9).start(params)
    for (epoch <- 1 to 3) {
      val losses = for (batch <- digits.batches(64, shuffle = true, seed = epoch)) yield Using.scope { implicit step =>
        val (loss, grads) = params.gradient { p => softmaxCrossEntropy(lenet(batch.x, p), batch.y).mean }
        sgd.update(grads)
        loss.toDouble
      }
      println(f"epoch $epoch  loss ${losses.sum / losses.size}%.4f")
    }
  }

  // (c) a layer of one's own, and an operation with its own gradient ---------------------------------------------------------------------
  case object ScaleShift extends Layer {
    def params(input: Shape) = Params("scale" -> Ones(input.tail), "shift" -> Zeros(input.tail))
    def apply(x: Tensor, p: Params)(implicit s: Scope) = x * p("scale") + p("shift")  // Tensor: NDArray when run, Symbol when traced
  }
  val clip01 = HostOperator("clip01")(_.map(v => math.min(1f, math.max(0f, v))))((dy, x, y) => dy.zipMap(x)((d, v) => if (v > 0 && v < 1) d else 0f))
  val fast = Sequential(Flatten, ScaleShift, Dense(10)).hybridize

  // (d) saving: one file for every language; java.io.Serializable for Spark --------------------------------------------------------------
  fitted.save("lenet.flx")
  Using.resource(Fitted.load("lenet.flx")) { same => assert(same.predict(digits.x.take(5)) sameElements fitted.predict(digits.x.take(5))) }

  // (f) looking at it ----------------------------------------------------------------------------------------------------------------------
  println(lenet.summary(Shape(-1, 1, 28, 28)))
  println(fitted.history.table)
  fitted.history.plot.save("learning.svg")
  lenet.draw(Shape(-1, 1, 28, 28)).save("network.svg")
  Using.scope { implicit scope =>
    val a = NDArray(Array(Array(1f, 2f, 3f), Array(4f, 5f, 6f)))
    try a dot a catch { case e: ShapeException => println(e.getMessage) }
    // [dot] the inner lengths must agree: x is (2, 3) and y is (2, 3), so 3 meets 2. Transpose one of them?
  }
  println(Flexor.leaks)   // with -Dflexor.track=true: what was never closed, and the line that made it
}

// SPDX-License-Identifier: Apache-2.0
// A table and a classifier, with validation data and a loop that ends the fit when it is good enough; then a column of numbers, by the others.
import org.flexor._
import org.flexor.nn._

object Iris extends App {
  val (train, test) = Datasets.iris.split(0.7, seed = 1)
  Using.scope { implicit scope =>
    val network = Sequential(Standardize, Dense(16, Relu), Dense(8, Relu), Dense(3))
    val run = Classifier(network).start(train.samples, Training(epochs = 100, optimizer = Adam(0.01), seed = 1, validation = Some(test.samples)))
    for (event <- run) event match {
      case e @ Epoch(n, scores) =>
        if (n % 10 == 0) println(e)
        if (scores("valid.loss") < 0.1) run.stop()
      case _ =>
    }
    val fitted = run.result
    println(fitted.history.plot)
    val guesses = fitted.predict(test.x)
    println(f"accuracy ${Accuracy(guesses, test.y)}%.3f, by the core ${fitted.evaluate(test.samples)("accuracy")}%.3f")
    for (actual <- fitted.classes)
      println(actual.padTo(12, ' ') + fitted.classes.map(c => f"${guesses.indices.count(i => test.y(i) == actual && guesses(i) == c)}%4d").mkString)
    require(Accuracy(guesses, test.y) > 0.9, "that is too little")

    // the petal's width by the three other lengths
    val (others, width) = (train.x.map(_.take(3)), train.x.map(_(3)))
    val numbers = Regressor(Sequential(Standardize, Dense(8, Tanh), Dense(1))).fit(others, width, Training(epochs = 100, optimizer = Adam(0.02), seed = 1))
    val wrong = numbers.estimate(test.x.map(_.take(3))).zip(test.x.map(_(3))).map { case (a, b) => math.abs(a - b) }.sum / test.length
    println(f"the petals' width is told to $wrong%.2f cm")
    require(wrong < 0.3, "that is too much")
  }
}

// SPDX-License-Identifier: Apache-2.0
// LeNet with batch normalization on handwritten digits: train, look at the learning curve, save, load in a new process, predict.
//
//     scala -cp flexor.jar Quickstart.scala train [--epochs 10] [--seed 1] [--out FOLDER]
//     scala -cp flexor.jar Quickstart.scala predict --model FOLDER/lenet.flx
//
// The network, data and seed are those of examples/cpp/lenet.cc, and so are the numbers. The last of ten epochs recognises at least 98 % of 2,000 scans that the network did not see in training.
import java.nio.file.{Files, Paths}
import org.flexor._
import org.flexor.nn._

object Quickstart {
  val network = Sequential(
    Conv2D(20, kernel = 5), BatchNorm, Relu, MaxPool2D(2),
    Conv2D(50, kernel = 5), BatchNorm, Relu, MaxPool2D(2),
    Flatten, Dense(500, Relu), Dropout(0.5), Dense(10))
  val digits = Datasets.digits // 8,000 scans to train on, 2,000 to test
  val (seen, unseen) = (digits.slice(0, 8000), digits.slice(8000, 10000))

  def train(out: String, epochs: Int, seed: Long): Unit = Using.scope { implicit scope =>
    println(network.summary(Shape(-1, 1, 28, 28)))
    val adam = Adam(0.001, schedule = Some(schedule.Cosine())) // down to 0 at the last step
    val run = Classifier(network).start(seen, Training(epochs = epochs, batchSize = 64, optimizer = adam, seed = seed, validation = Some(unseen)))
    run.foreach(println) // a line for each epoch
    val fitted = run.result
    println("\n" + fitted.history.plot)
    fitted.history.plot.save(Paths.get(out, "learning_curve.svg").toString)
    val path = Paths.get(out, "lenet.flx").toString
    fitted.save(path)
    println(f"\nmodel written to $path%s\ntest accuracy ${100 * fitted.history("valid.accuracy").last}%.2f %%")
  }

  /** A scan as text, two pixels of height to a character. */
  def drawn(scan: Array[Float]): Seq[String] = {
    def ink(y: Int, x: Int): Int = if (scan(28 * y + x) > 0.4f) 1 else 0
    for (y <- 4 until 24 by 2) yield (4 until 24).map(x => " ▀▄█"(ink(y, x) + 2 * ink(y + 1, x))).mkString
  }
  def predict(path: String): Unit = Using.resource(Fitted.load(path)) { fitted =>
    val scans = unseen.take(10)
    val (guesses, chances) = (fitted.predict(scans.x), fitted.probabilities(scans.x).map(_.max))
    for (some <- Seq(0 until 5, 5 until 10)) {
      some.map(i => drawn(scans.x(i))).transpose.foreach(row => println(row.mkString("   ")))
      println(some.map(i => f"${guesses(i)} (${100 * chances(i)}%.1f %%)".padTo(20, ' ')).mkString("   ") + "\n")
    }
    println(s"${guesses.indices.count(i => guesses(i) == scans.y(i))} of ${guesses.length} scans recognised")
  }

  def main(args: Array[String]): Unit = {
    def option(name: String, otherwise: => String): String = args.indexOf("--" + name) match { case -1 => otherwise; case at => args(at + 1) }
    args.headOption match {
      case Some("train")   => train(option("out", Files.createTempDirectory("flexor").toString), option("epochs", "10").toInt, option("seed", "1").toLong)
      case Some("predict") => predict(option("model", "lenet.flx"))
      case _               => println("scala Quickstart.scala train [--epochs N] [--seed N] [--out FOLDER] | predict --model FILE"); sys.exit(2)
    }
  }
}

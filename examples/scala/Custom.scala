// SPDX-License-Identifier: Apache-2.0
// A layer, an operator, a metric and a source of batches of one's own, in a fit and in a file.
import java.nio.file.{Files, Path}
import org.flexor._
import org.flexor.nn._

object Custom extends App {
  // A layer is an object with two methods: what parameters it has, by the input's sizes, and what it computes. It runs as Scala does, and is traced into a graph when it is fitted.
  case object ScaleShift extends Layer {
    def params(input: Shape) = Params("scale" -> Ones(input.tail), "shift" -> Zeros(input.tail))
    def apply(x: Tensor, p: Params)(implicit s: Scope) = x * p("scale") + p("shift")
  }

  // Layers may be within it: what one computes, as far as another lets it through.
  case class Gated(units: Long) extends Layer {
    private val (values, gates) = (Dense(units), Dense(units, Sigmoid))
    def params(input: Shape) = Params()
    def apply(x: Tensor, p: Params)(implicit s: Scope) = p.layer("values", values)(x) * p.layer("gates", gates)(x)
  }

  // An operator in plain Scala on plain arrays, with its own gradient; it is only ever called on the thread that asked.
  val clip01 = HostOperator("clip01")(_.map(v => math.min(1f, math.max(0f, v))))((dy, x, y) => dy.zipMap(x)((d, v) => if (v > 0 && v < 1) d else 0f))
  case object Clip extends Layer {
    def params(input: Shape) = Params()
    def apply(x: Tensor, p: Params)(implicit s: Scope) = clip01(x)
  }

  val iris = Datasets.iris
  val names = iris.samples.classes
  val file: Path = Files.createTempFile("gated", ".flx")
  Using.scope { implicit scope =>
    val network = Sequential(ScaleShift, Gated(16), Dense(3))
    println(network.summary(Shape(-1, 4)))
    val fitted = Classifier(network).fit(iris.x, iris.y, Training(epochs = 60, optimizer = Adam(0.02), seed = 1))
    println(f"accuracy ${Accuracy(fitted.predict(iris.x), iris.y)}%.3f")
    println("parameters: " + fitted.params.names.mkString(", "))
    fitted.save(file.toString) // the file holds the graph: any language runs it, without these classes
    Using.resource(Fitted.load(file.toString))(same => require(same.predict(iris.x) sameElements fitted.predict(iris.x), "the file gives other labels"))
    Files.delete(file)

    val a = NDArray(Array(-0.5f, 0.25f, 0.75f, 1.5f)).attachGrad()
    scope.recording((clip01(a) * NDArray(Array(1f, 2f, 3f, 4f))).sum).backward()
    println("clipped  " + clip01(a).toSeq.mkString(", "))
    println("gradient " + a.grad.toSeq.mkString(", "))

    // The operator in a layer in a fit; a metric; batches that code of one's own gives. A file holds their names, and runs where an operator of that name is.
    val virginica = HostMetric("virginica")((scores, labels) => scores.rows.count(r => r.indexOf(r.max) == 2).toDouble / labels.length)
    val batches = Source.of(() => iris.x.zip(iris.y).grouped(30).map(rows => (NDArray(rows.map(_._1)), NDArray(rows.map(r => names.indexOf(r._2).toFloat)))))
    val run = Classifier(Sequential(Standardize, Dense(8), Clip, Dense(3)), classes = names)
      .start(batches, Training(epochs = 60, optimizer = Adam(0.05), seed = 1, metrics = Seq("accuracy", virginica)))
    for (event <- run) event match { case e @ Epoch(n, _) if n % 20 == 0 => println(e); case _ => }
    val right = Accuracy(run.result.predict(iris.x), iris.y)
    println(f"accuracy $right%.3f")
    require(right > 0.9, "that is too little")
  }
}

// SPDX-License-Identifier: Apache-2.0
import java.nio.file.Files
import org.flexor._
import org.flexor.nn._
import org.junit.Assert._
import org.junit.Test

object OwnTest {
  case object ScaleShift extends Layer {
    def params(input: Shape) = Params("scale" -> Ones(input.tail), "shift" -> Zeros(input.tail))
    def apply(x: Tensor, p: Params)(implicit s: Scope) = x * p("scale") + p("shift")
  }
  case class Gated(units: Long) extends Layer {
    private val (values, gates) = (Dense(units), Dense(units, Sigmoid))
    def params(input: Shape) = Params("all" -> Param(Shape(1), initializer.Constant(0.5)))
    def apply(x: Tensor, p: Params)(implicit s: Scope) = p.layer("values", values)(x) * p.layer("gates", gates)(x) * p("all")
  }
  case object Twice extends Layer {
    private val dense = Dense(4)
    def params(input: Shape) = Params()
    def apply(x: Tensor, p: Params)(implicit s: Scope) = p.layer("dense", dense)(p.layer("dense", dense)(x))
  }
  case object BuiltIn extends Layer {
    def params(input: Shape) = Params()
    def apply(x: Tensor, p: Params)(implicit s: Scope) = x * x.shape(0).toDouble
  }
  case object Clip extends Layer {
    def params(input: Shape) = Params()
    def apply(x: Tensor, p: Params)(implicit s: Scope) = clip01(x)
  }
  val clip01 = HostOperator("clip01")(_.map(v => math.min(1f, math.max(0f, v))))((dy, x, y) => dy.zipMap(x)((d, v) => if (v > 0 && v < 1) d else 0f))
}

class OwnTest {
  import OwnTest._

  private def message[E <: Throwable](kind: Class[E])(body: => Any): String = {
    try body
    catch { case e: Throwable if kind.isInstance(e) => return e.getMessage }
    throw new AssertionError(s"${kind.getSimpleName} was expected")
  }
  private val input = Shape(-1, 4)

  @Test def runsAndIsTracedToTheSame(): Unit = Using.scope { implicit s =>
    for (net <- Seq(Sequential(ScaleShift, Gated(8), Dense(3)), Sequential(Residual(ScaleShift), Twice), Sequential(Concurrent(axis = 1)(ScaleShift, Gated(2)), Dense(2)), Gated(3))) {
      val params = net.init(input, seed = 3)
      val x = NDArray(Array(Array(1f, -2f, 3f, 4f), Array(0.5f, 6f, 7f, -8f)))
      val now = net(x, params).toFloats
      assertArrayEquals(now, net.hybridize(x, params).toFloats, 1e-6f)
      assertArrayEquals(now, Described(net.toJson(input))(x, params).toFloats, 1e-6f) // a file's layer, without the classes
      assertTrue(net.summary(input), net.summary(input).contains("parameters"))
    }
  }

  @Test def parametersHaveTheirPlacesNames(): Unit = Using.scope { implicit s =>
    assertEquals(Vector("0.scale", "0.shift", "1.values.weight", "1.values.bias", "1.gates.weight", "1.gates.bias", "1.all", "2.weight", "2.bias").sorted,
                 Sequential(ScaleShift, Gated(8), Dense(3)).init(input).names.sorted)
    assertEquals(Vector("dense.bias", "dense.weight"), Twice.init(input).names.sorted) // used twice, there once
    assertArrayEquals(Array(0.5f), Gated(3).init(input)("all").toFloats, 0f)
  }

  @Test def gradientsAreTheSameTracedOrNot(): Unit = Using.scope { implicit s =>
    val net = Sequential(ScaleShift, Gated(8), Dense(3))
    val params = net.init(input, seed = 3)
    val x = NDArray(Array(Array(1f, -2f, 3f, 4f)))
    def gradients(layer: Layer): Seq[Float] = { val (_, g) = params.gradient(p => (layer(x, p) * layer(x, p)).mean); params.names.flatMap(n => g(n).toFloats) }
    assertArrayEquals(gradients(net).toArray, gradients(net.hybridize).toArray, 1e-5f)
  }

  @Test def fitsSavesAndLoads(): Unit = Using.scope { implicit s =>
    val data = Datasets.iris.samples
    val model = Classifier(Sequential(ScaleShift, Gated(16), Dense(3))).fit(data, Training(epochs = 60, optimizer = Adam(0.02), seed = 1))
    val right = Accuracy(model.predict(data.x), data.y)
    assertTrue(right.toString, right > 0.9)
    val path = Files.createTempFile("flexor", ".flx").toString
    try {
      model.save(path)
      Using.resource(Fitted.load(path))(same => assertEquals(model.predict(data.x).toSeq, same.predict(data.x).toSeq))
    } finally Files.delete(java.nio.file.Paths.get(path))
  }

  @Test def errorsNameTheLayer(): Unit = Using.scope { implicit s =>
    assertTrue(message(classOf[StateException])(ScaleShift.toJson).contains("[ScaleShift]"))
    assertTrue(message(classOf[ArgumentException])(BuiltIn.init(input)).contains("size of the batch"))
    assertTrue(message(classOf[NameException])(ScaleShift.on(NDArray.ones(2, 4), Dense(2).init(input))).contains("scale"))
    assertTrue(message(classOf[ArgumentException])(Sequential(Dense(2), L2Loss())).contains("loss"))
    case object Mixed extends Layer {
      def params(input: Shape) = Params()
      def apply(x: Tensor, p: Params)(implicit s: Scope) = x + NDArray.ones(4)
    }
    assertTrue(message(classOf[TypeException])(Mixed.init(input)).contains("traced"))
  }

  @Test def operatorsHaveTheirOwnGradient(): Unit = Using.scope { implicit s =>
    val x = NDArray(Array(-0.5f, 0.25f, 0.75f, 1.5f)).attachGrad()
    val total = s.recording((clip01(x) * NDArray(Array(1f, 2f, 3f, 4f))).sum)
    total.backward()
    assertArrayEquals(Array(0f, 2f, 3f, 0f), x.grad.toFloats, 0f)
    assertArrayEquals(Array(0f, 0.25f, 0.75f, 1f), clip01(x).toFloats, 0f)
    val sum = HostOperator.many("sum_and_difference", outputs = 2)(xs => Seq(xs(0).zipMap(xs(1))(_ + _), xs(0).zipMap(xs(1))(_ - _)))((dys, xs, ys) => Seq(dys(0).zipMap(dys(1))(_ + _), null))
    val b = NDArray(Array(1f, 1f, 1f, 1f)).attachGrad()
    val both = s.recording { val out = sum(Seq(x, b)); (out(0) * 2 + out(1) * 3).sum }
    both.backward()
    assertArrayEquals(Array(5f, 5f, 5f, 5f), x.grad.toFloats, 0f)
    assertArrayEquals(Array(0f, 0f, 0f, 0f), b.grad.toFloats, 0f)
    assertTrue(message(classOf[TypeException])(clip01(NDArray(Array(1.0)))).contains("clip01"))
  }

  @Test def operatorsRunInFitsAndFiles(): Unit = Using.scope { implicit s =>
    val data = Datasets.iris.samples
    val net = Sequential(Standardize, Dense(16), Clip, Dense(3))
    val model = Classifier(net).fit(data, Training(epochs = 30, optimizer = Adam(0.02), seed = 1))
    val right = Accuracy(model.predict(data.x), data.y)
    assertTrue(right.toString, right > 0.9)
    val path = Files.createTempFile("flexor", ".flx").toString
    try {
      model.save(path)
      Using.resource(Fitted.load(path))(same => assertEquals(model.predict(data.x).toSeq, same.predict(data.x).toSeq)) // found by its name
    } finally Files.delete(java.nio.file.Paths.get(path))
  }

  @Test def whatOnesOwnCodeThrowsComesOutAsItIs(): Unit = {
    val wrong = HostOperator("wrong")(_ => throw new IllegalStateException("mine"))((dy, x, y) => dy)
    val wrongBack = HostOperator("wrong_back")(x => x)((dy, x, y) => throw new IllegalStateException("mine"))
    case class Of(operator: HostOperator) extends Layer {
      def params(input: Shape) = Params()
      def apply(x: Tensor, p: Params)(implicit s: Scope) = operator(x)
    }
    val data = Datasets.iris.samples
    def fit(net: Layer, more: Training => Training = t => t, from: Source = data): Any = Using.scope { implicit s => Classifier(net).fit(from, more(Training(epochs = 3))) }
    val plain = Sequential(Dense(3))
    assertEquals("mine", message(classOf[IllegalStateException])(fit(Sequential(Of(wrong), Dense(3)))))
    assertEquals("mine", message(classOf[IllegalStateException])(fit(Sequential(Dense(4), Of(wrongBack), Dense(3)))))
    assertEquals("mine", message(classOf[IllegalStateException])(fit(plain, _.copy(metrics = Seq(HostMetric("bad")((p, y) => throw new IllegalStateException("mine")))))))
    var batches = 0
    val source = Source.of(() => Iterator.continually { batches += 1; if (batches > 3) throw new IllegalStateException("mine"); (NDArray.ones(2, 4), NDArray.zeros(2)) })
    assertEquals("mine", message(classOf[IllegalStateException])(fit(plain, from = source)))
    Using.scope { implicit s =>
      assertEquals("mine", message(classOf[IllegalStateException])(wrong(NDArray.ones(2))))
      val x = NDArray.ones(2).attachGrad()
      assertEquals("mine", message(classOf[IllegalStateException])(s.recording(wrongBack(x).sum).backward()))
    }
    assertTrue(message(classOf[FlexorException])(fit(Sequential(Of(HostOperator("short")(x => new HostArray(Array(1f), Shape(1)))((dy, x, y) => dy)), Dense(3)))).contains("short"))
  }

  @Test def metricsAndSourcesRunOnTheThreadThatFits(): Unit = Using.scope { implicit s =>
    val me = Thread.currentThread
    var begun = 0
    val rare = HostMetric("rare") { (p, y) => assertSame(me, Thread.currentThread); p.rows.count(r => r.indexOf(r.max) == 2).toDouble / y.length }
    val table = Datasets.iris
    val y = table.samples.classes
    val source = Source.of { () =>
      assertSame(me, Thread.currentThread)
      begun += 1
      table.x.zip(table.y).grouped(50).map(rows => (NDArray(rows.map(_._1)), NDArray(rows.map(r => y.indexOf(r._2).toFloat))))
    }
    val model = Classifier(Sequential(Dense(3)), classes = y).fit(source, Training(epochs = 4, metrics = Seq("accuracy", rare, metric.TopKAccuracy(2)), validation = Some(source), optimizer = Adam(0.05)))
    assertEquals(List("epoch", "loss", "accuracy", "rare", "top_k_accuracy_2", "valid.loss", "valid.accuracy", "valid.rare", "valid.top_k_accuracy_2", "seconds"), model.history.names)
    assertTrue(begun >= 8)
    assertEquals(y, model.classes)
    assertEquals(model.history("valid.accuracy").last, model.evaluate(source)("accuracy"), 1e-6)
    assertTrue(model.evaluate(table.samples, Seq(rare)).contains("rare"))
    assertTrue(message(classOf[ArgumentException])(Classifier(Sequential(Dense(2))).fit(table.samples, Training())).contains("3 units"))
  }
}

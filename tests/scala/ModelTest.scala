// SPDX-License-Identifier: Apache-2.0
import java.nio.file.{Files, Path, Paths}
import org.flexor._
import org.flexor.nn._
import org.junit.Assert._
import org.junit.Test

class ModelTest {
  private def inFolder[A](body: Path => A): A = {
    val folder = Files.createTempDirectory("flexor")
    try body(folder) finally { folder.toFile.listFiles.foreach(_.delete()); Files.delete(folder) }
  }
  private val golden = Paths.get(System.getProperty("flexor.source"), "tests/golden/files/models/lenet_bn_01").toString

  @Test def numbersArePredicted(): Unit = Using.scope { implicit s =>
    val random = new java.util.Random(1)
    val x = Array.fill(200)(Array.fill(3)(random.nextFloat))
    val y = x.map(r => 3 * r(0) - 2 * r(1) + 1)
    val model = Regressor(Sequential(Dense(1))).fit(x, y, Training(epochs = 80, optimizer = Adam(0.05), batchSize = 32, seed = 1))
    val worst = model.estimate(x).zip(y).map { case (a, b) => math.abs(a - b) }.max
    assertTrue(worst.toString, worst < 0.05)
    assertTrue(model.history.names.contains("mse"))
    assertTrue(model.evaluate(new Numbers(Features(x), y))("mse") < 1e-3)
    try { model.predict(x); fail("nothing failed") } catch { case e: StateException => assertTrue(e.getMessage.contains("estimate")) }
    try { Regressor(Sequential(Dense(1))).fit(Datasets.iris.samples, Training()); fail("nothing failed") } catch { case e: ArgumentException => assertTrue(e.getMessage.contains("Classifier")) }
  }

  @Test def oneScoreIsEnoughForTwoClasses(): Unit = Using.scope { implicit s =>
    val all = Datasets.iris.samples
    val two = all.rows((0 until all.length).filter(i => all.y(i) != "setosa"))
    val model = Classifier(Sequential(Standardize, Dense(8, Tanh), Dense(1))).fit(two, Training(epochs = 60, optimizer = Adam(0.02), seed = 1, validation = Some(two)))
    val right = Accuracy(model.predict(two.x), two.y)
    assertTrue(right.toString, right > 0.9)
    assertEquals(right, model.evaluate(two)("accuracy"), 1e-6)
    assertEquals(right, model.history("valid.accuracy").last, 1e-6)
    assertTrue(model.probabilities(two.x).forall(p => p.length == 2 && math.abs(p.sum - 1) < 1e-6))
  }

  @Test def aFitGoesOn(): Unit = Using.scope { implicit s =>
    val data = Datasets.iris.samples
    val spec = Training(epochs = 10, optimizer = Sgd(0.05), seed = 1)
    val model = Classifier(Sequential(Dense(3))).fit(data, spec)
    val before = model.history("loss").last
    Classifier(model.layer).start(data, spec, model).result
    assertTrue(model.history("loss").last < before)
    assertEquals(10, model.history.epochs)
  }

  @Test def aCheckpointIsGoneOnFrom(): Unit = inFolder { folder => Using.scope { implicit s =>
    val (data, path) = (Datasets.iris.samples, folder.resolve("fit.flx").toString)
    val spec = Training(epochs = 6, optimizer = Adam(0.01), seed = 1)
    val whole = Classifier(Sequential(Dense(3))).fit(data, spec)
    val run = Classifier(Sequential(Dense(3))).start(data, spec.copy(checkpoint = Some(path)))
    for (event <- run) event match { case Epoch(3, _) => run.stop(); case _ => }
    val resumed = Classifier(Sequential(Dense(3))).fit(data, spec.copy(checkpoint = Some(path), resume = true))
    assertArrayEquals(whole.toBytes, resumed.toBytes)
  } }

  @Test def modelsOfMXNet(): Unit = inFolder { folder => Using.scope { implicit s =>
    val prefix = folder.resolve("lenet").toString
    val x = NDArray.ones(2, 1, 10, 10)
    Using.resource(Fitted.load(golden, 0)) { model =>
      val out = model(x)
      assertEquals(1.0, out(0).sum.toDouble, 1e-5) // SoftmaxOutput without a label
      model.saveMXNet(prefix, 3, Shape(-1, 1, 10, 10))
      assertTrue(Files.exists(Paths.get(prefix + "-symbol.json")) && Files.exists(Paths.get(prefix + "-0003.params")))
      Using.resource(Fitted.load(prefix, 3))(same => assertArrayEquals(out.toFloats, same(x).toFloats, 1e-6f))
      assertEquals(10, model.predict(new Features(java.nio.FloatBuffer.wrap(new Array[Float](1000)), Shape(10, 1, 10, 10))).length)
    }
    val symbol = Symbol.load(golden + "-symbol.json")
    assertTrue(symbol.arguments.contains("data"))
    assertEquals(symbol.outputNames, Symbol.fromJson(symbol.toJson).outputNames)
    assertTrue(symbol("flat_output").toLayer("data").toJson.contains("Symbol"))
    assertTrue(Params.load(golden + "-0000.params").names.nonEmpty)
    try { Fitted.load(prefix + "-none", 1); fail("nothing failed") } catch { case e: FileException => }
  } }

  @Test def picturesAndPlans(): Unit = inFolder { folder => Using.scope { implicit s =>
    val net = Sequential(Dense(4, Relu), Dense(2))
    net.draw(Shape(-1, 3)).save(folder.resolve("net.svg").toString)
    assertTrue(new String(Files.readAllBytes(folder.resolve("net.svg")), "UTF-8").startsWith("<svg"))
    assertTrue(net.draw(Shape(-1, 3), "dot").text.contains("digraph"))
    try { net.draw(Shape(-1, 3)).save("/none/net.svg"); fail("nothing failed") } catch { case e: FileException => assertEquals("/none/net.svg", e.file) }
    val fast = net.hybridize
    val params = fast.init(Shape(-1, 3), seed = 1)
    assertArrayEquals(net(NDArray.ones(2, 3), params).toFloats, fast(NDArray.ones(2, 3), params).toFloats, 1e-6f)
    assertTrue(fast.plan("plan").nonEmpty)
    assertEquals(net, Hybridized(net).layer)
  } }

  @Test def recurrentLayersHaveSeveralOutputs(): Unit = Using.scope { implicit s =>
    val lstm = LSTM(5, returnState = true)
    val params = lstm.init(Shape(-1, 7, 3), seed = 1)
    val out = lstm.all(Seq(NDArray.ones(2, 7, 3)), params)
    assertEquals(3, out.length)
    assertEquals(Shape(2, 7, 5), out.head.shape)
    val unrolled = Unroll()(LSTMCell(5))
    assertEquals(Shape(2, 7, 5), unrolled(NDArray.ones(2, 7, 3), unrolled.init(Shape(-1, 7, 3))).shape)
  }

  @Test def weightsCountInTheLoss(): Unit = Using.scope { implicit s =>
    // The same samples with opposite labels: the heavier ones win, and without weights nobody does.
    val rows = Datasets.iris.samples
    val (x, y) = (rows.x.rows((0 until 100) ++ (0 until 100)), rows.y.take(100) ++ rows.y.take(100).map(t => if (t == "setosa") "versicolor" else "setosa"))
    val truth = y.take(100)
    def right(weights: Array[Float]): Double = {
      val model = Classifier(Sequential(Standardize, Dense(2))).fit(new Samples(x, y).weighted(weights), Training(epochs = 20, optimizer = Adam(0.05), seed = 1))
      Accuracy(model.predict(x.take(100)), truth)
    }
    assertEquals(1.0, right(Array.tabulate(200)(i => if (i < 100) 1f else 0f)), 0)
    assertEquals(0.0, right(Array.tabulate(200)(i => if (i < 100) 0f else 1f)), 0)
    val numbers = new Numbers(Features(Array.fill(60)(Array(1f))), Array.tabulate(60)(i => if (i < 30) 1f else 5f)).weighted(Array.tabulate(60)(i => if (i < 30) 1f else 3f))
    val mean = Regressor(Sequential(Dense(1))).fit(numbers, Training(epochs = 200, optimizer = Adam(0.05), batchSize = 60, seed = 1)).estimate(Array(Array(1f))).head
    assertEquals(4f, mean, 0.1f)
    assertEquals(50, numbers.split(5.0 / 6, seed = 1)._1.weights.get.length)
    try { new Samples(x, y).weighted(Array(1f)); fail("nothing failed") } catch { case e: ShapeException => assertTrue(e.getMessage, e.getMessage.contains("[weights]")) }
  }

  @Test def metricsOfSeveralValues(): Unit = Using.scope { implicit s =>
    val (scores, labels) = (NDArray(Array(Array(0.1f, 0.9f), Array(0.8f, 0.2f), Array(0.3f, 0.7f))), NDArray(Array(1f, 0f, 0f)))
    assertEquals(2.0 / 3, metric.Accuracy()(scores, labels), 1e-6)
    val both = metric.Composite("accuracy, top_k_accuracy(top_k=2)").values(scores, labels)
    assertEquals(Vector("accuracy", "top_k_accuracy_2"), both.map(_._1))
    assertArrayEquals(Array(2.0 / 3, 1.0), both.map(_._2).toArray, 1e-6)
  }

  @Test def iteratorsOfTheCore(): Unit = inFolder { folder => Using.scope { implicit s =>
    val rows = Datasets.iris
    val (x, y) = (folder.resolve("x.csv"), folder.resolve("y.csv"))
    Files.write(x, rows.x.map(_.mkString(",")).mkString("\n").getBytes)
    Files.write(y, rows.y.map(t => rows.samples.classes.indexOf(t)).mkString("\n").getBytes)
    val source = data.CSVIter(x.toString, Shape(4), labelCsv = y.toString, batchSize = 30)
    val model = Classifier(Sequential(Dense(3)), classes = rows.samples.classes).fit(source, Training(epochs = 20, optimizer = Adam(0.05), seed = 1))
    assertTrue(model.evaluate(source)("accuracy") > 0.8)
    assertEquals(5, source.batches.map(_.x.shape(0)).size)
  } }
}

// SPDX-License-Identifier: Apache-2.0
import java.io.{ByteArrayInputStream, ByteArrayOutputStream, ObjectInputStream, ObjectOutputStream}
import java.nio.file.Files
import org.flexor._
import org.flexor.nn._
import org.junit.Assert._
import org.junit.Test

class FitTest {
  private val mlp = Sequential(Standardize, Dense(16, Relu), Dense(8, Relu), Dense(3))
  private val spec = Training(epochs = 60, optimizer = Adam(0.01), seed = 1)

  private def copy[A](value: A): A = {
    val bytes = new ByteArrayOutputStream
    val out = new ObjectOutputStream(bytes)
    out.writeObject(value)
    out.close()
    new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray)).readObject().asInstanceOf[A]
  }

  @Test def rowsAndLabels(): Unit = {
    val (train, test) = Datasets.iris.split(0.7, seed = 1)
    assertEquals(105, train.length)
    Using.scope { implicit scope =>
      val model = Classifier(mlp).fit(train.x, train.y, spec)
      val right = Accuracy(model.predict(test.x), test.y)
      assertTrue(right.toString, right > 0.9)
      assertEquals(Vector("setosa", "versicolor", "virginica"), model.classes)
      assertEquals(60, model.history.epochs)
      assertTrue(model.history.plot.toString.contains("● loss"))
      assertTrue(model.history.plot.svg.startsWith("<svg"))
      assertTrue(model.probabilities(Features(test.x)).forall(p => math.abs(p.sum - 1) < 1e-5))
      // One file for every language, and Java's serialization
      val path = Files.createTempFile("flexor", ".flx")
      try {
        model.save(path.toString)
        Using.resource(Fitted.load(path.toString))(same => assertArrayEquals(model.predict(test.x).asInstanceOf[Array[AnyRef]], same.predict(test.x).asInstanceOf[Array[AnyRef]]))
      } finally Files.delete(path)
      Using.resource(copy(model)) { same =>
        assertArrayEquals(model.predict(test.x).asInstanceOf[Array[AnyRef]], same.predict(test.x).asInstanceOf[Array[AnyRef]])
        assertEquals(model.history.table, same.history.table)
      }
    }
    assertEquals("nothing leaks", Flexor.leaks)
  }

  @Test def descriptionsAreValues(): Unit = {
    assertEquals(mlp, Sequential(Standardize(), Dense(16, Activation("relu")), Dense(8, Relu), Dense(3)))
    assertEquals(mlp, copy(mlp))
    assertEquals(spec, copy(spec))
    assertEquals(mlp.toJson, copy(mlp).toJson)
    assertTrue(mlp.summary(Shape(-1, 4)).contains("Dense"))
    try { Dense(-1); fail("nothing failed") } catch { case e: ArgumentException => assertTrue(e.getMessage, e.getMessage.contains("units")) }
    try { mlp.summary(Shape()); fail("nothing failed") } catch { case _: ShapeException => }
  }

  @Test def eventsComeToTheCallingThread(): Unit = Using.scope { implicit scope =>
    val (train, valid) = Datasets.iris.samples.split(0.7, seed = 1)
    val run = Classifier(mlp).start(train, spec.copy(validation = Some(valid), reportEvery = 1))
    var epochs = 0
    var batches = 0
    for (event <- run) event match {
      case Epoch(n, s) => epochs = n; assertTrue(s.contains("valid.accuracy")); if (n == 5) run.stop()
      case _: Progress => batches += 1
    }
    assertEquals(5, epochs)
    assertTrue(batches >= 5)
    assertEquals(5, run.result.history.epochs)
  }

  @Test def whatUserCodeThrowsComesOut(): Unit = {
    val before = Flexor.live()
    try { Using.scope { implicit scope => for (_ <- Classifier(mlp).start(Datasets.iris.samples, spec)) throw new IllegalStateException("mine") }; fail("nothing failed") }
    catch { case e: IllegalStateException => assertEquals("mine", e.getMessage) }
    for (_ <- 1 to 3000 if Flexor.live() > before + 50) Thread.sleep(10) // calls that stay prepared
    assertTrue(s"${Flexor.live()} $before", Flexor.live() <= before + 50)
  }

  @Test def anInterruptEndsTheFit(): Unit = Using.scope { implicit scope =>
    val run = Classifier(mlp).start(Datasets.iris.samples, spec.copy(epochs = 1000000))
    val me = Thread.currentThread
    run.next()
    val other = new Thread { override def run(): Unit = { Thread.sleep(200); me.interrupt() } }
    other.start()
    try { while (run.hasNext) run.next(); fail("it was not interrupted") } catch { case e: InterruptedException => assertTrue(e.getMessage.contains("[fit]")) }
    other.join()
    Thread.interrupted()
    assertEquals(150, run.result.predict(Datasets.iris.x).length) // the model stays usable
  }

  @Test def aLoopOfOnesOwn(): Unit = Using.scope { implicit scope =>
    val net = Sequential(Dense(8, Tanh), Dense(3))
    val params = net.init(Shape(-1, 4), seed = 1)
    val sgd = Sgd(0.1, momentum = 0.9).start(params)
    val means = for (epoch <- 1 to 15) yield {
      val losses = for (batch <- Datasets.iris.samples.batches(16, shuffle = true, seed = epoch)) yield Using.scope { implicit step =>
        val (loss, grads) = params.gradient { p => softmaxCrossEntropy(net(batch.x, p), batch.y).mean }
        sgd.update(grads)
        loss.toDouble
      }
      val all = losses.toVector
      assertEquals(10, all.size)
      all.sum / all.size
    }
    assertTrue(means.toString, means.last < 0.4 * means.head)
    sgd.set("learning_rate", 0.5)
    assertEquals(0.5, sgd.get("learning_rate"), 0)
  }
}

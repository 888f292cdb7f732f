// SPDX-License-Identifier: Apache-2.0
import java.nio.file.Files
import org.flexor._
import org.flexor.nn._
import org.junit.Assert._
import org.junit.Test

/** Devices: arrays, networks and fits on one that is no CPU, the emulated one of the library's tests (FLEXOR_TEST_DEVICE); what one that is not there says. */
class DeviceTest {
  private val emu = "emu(0)"

  private def fails(what: => Any): DeviceException = try { what; throw new AssertionError("nothing failed") } catch { case e: DeviceException => e }

  @Test def aDeviceThatIsNotThere(): Unit = Using.scope { implicit s =>
    assertTrue(fails(NDArray.on("gpu(99)").ones(2)).getMessage.contains("gpu(99)"))
    fails(op.randomUniform(shape = Shape(2), device = "gpu(99)"))
    fails(NDArray.ones(2).toDevice("gpu(99)"))
    fails(Flexor.synchronize("gpu(99)"))
    try { NDArray.on("gpu(x").ones(2); fail("nothing failed") } catch { case _: ArgumentException => }
    assertEquals("cpu(0)", NDArray.ones(2).device)
    assertEquals(1, Flexor.deviceCount("cpu"))
    assertEquals(2, Flexor.deviceCount("emu"))
    assertTrue(Flexor.deviceCount() >= 0)
    assertTrue(Flexor.deviceProperties().contains("cores"))
    assertEquals((1 << 30).toString, Flexor.deviceProperties(emu)("memory"))
  }

  @Test def arrays(): Unit = Using.scope { implicit s =>
    val there = NDArray.on(emu)
    val x = there.of(Array(1f, 2f, 3f, 4f), Shape(2, 2))
    val made = Seq(x, there(Array(1.0, 2.0)), there(Array(1L)), there(Array(Array(1f), Array(2f))), there.zeros(2, 2), there.ones(3), there.full(Shape(2), 5, DType.Float64), op.randomUniform(shape = Shape(3), device = emu),
      op.randomNormal(shape = Shape(2, 2), device = emu), x + 1, x * x, x dot x, x.mean, x(1), x.take(1), x.reshape(4), op.softmax(x), x.to(DType.Float64), op.zerosLike(x))
    assertEquals(made.map(_ => emu), made.map(_.device))
    assertArrayEquals(Array(7f, 10f, 15f, 22f), (x dot x).toFloats, 0)
    assertTrue(x.toString, x.toString.contains("4"))
    val other = x.toDevice("emu(1)")
    assertEquals(Seq("emu(1)", "cpu(0)"), Seq(other, other.toDevice("cpu")).map(_.device))
    assertArrayEquals(x.toFloats, other.toFloats, 0)
    assertSame(x, x.toDevice(emu))
    other.update(NDArray.ones(2, 2))
    assertEquals(4, other.sum.toDouble, 0)
    val message = fails(x + NDArray.ones(2, 2)).getMessage
    assertTrue(message, message.contains(emu) && message.contains("cpu(0)"))
    Flexor.seed(3)
    val here = op.randomNormal(shape = Shape(4)).toFloats
    Flexor.seed(3)
    assertArrayEquals(here, op.randomNormal(shape = Shape(4), device = emu).toFloats, 1e-6f)
    Flexor.synchronize(emu)
    assertTrue(Flexor.memory(emu)("live") > 0)
    Flexor.memoryReleaseUnused(emu)
    Flexor.memoryResetPeak(emu)
    assertTrue(Flexor.memory(emu)("peak") >= Flexor.memory(emu)("live"))
  }

  private val net = Sequential(Dense(8, Tanh), Dense(3))
  private val random = new scala.util.Random(1)
  private val rows = Array.fill(30)(Array.fill(4)(random.nextGaussian.toFloat))
  private val classes = rows.map(r => r.take(3).indexOf(r.take(3).max))

  private def trained(place: String): (Parameters, Double) = {
    val scope = Scope.open()
    val params = net.init(Shape(-1, 4), seed = 1, device = place)
    val x = NDArray.on(place)(rows)
    val y = NDArray.on(place)(classes)
    val loss = SoftmaxCrossEntropyLoss()
    val adam = Adam(0.05).start(params)
    var value = 0.0
    for (_ <- 1 to 3) {
      val (mean, gradients) = params.gradient(p => loss(net(x, p), y).mean)
      assertEquals(params.device, gradients("0.weight").device)
      adam.update(gradients)
      value = mean.toDouble
    }
    params.detach
    scope.close()
    (params, value)
  }

  @Test def aLoopOfOnesOwn(): Unit = Using.scope { implicit s =>
    val (here, there) = (trained("cpu"), trained(emu))
    try {
      assertEquals(here._2, there._2, 1e-4)
      assertEquals(Seq("cpu(0)", emu), Seq(here, there).map(_._1.device))
      assertEquals(emu, here._1.copy(emu).device)
      val x = NDArray(rows)
      fails(net(x, there._1))
      val before = net(x, here._1).toFloats
      assertArrayEquals(before, net(x.toDevice(emu), here._1.toDevice(emu)).toFloats, 1e-5f)
      val file = Files.createTempFile("flexor", ".safetensors")
      try {
        here._1.save(file.toString)
        assertEquals(emu, Params.load(file.toString, emu).device)
      } finally Files.delete(file)
    } finally { here._1.close(); there._1.close() }
    val twice = HostOperator("twice")(x => x.map(_ * 2))((dy, _, _) => dy.map(_ * 2))
    val v = NDArray.on(emu).ones(2).attachGrad()
    val y = s.recording(twice(v).sum)
    y.backward()
    assertEquals(Seq(emu, emu), Seq(y.device, v.grad.device))
    assertArrayEquals(Array(2f, 2f), v.grad.toFloats, 0)
  }

  @Test def aFit(): Unit = Using.scope { implicit s =>
    val labels = classes.map(_.toString)
    val fits = Seq("", emu).map(place => Classifier(net).fit(rows, labels, Training(epochs = 2, seed = 1, device = place)))
    assertEquals(Seq("cpu(0)", emu), fits.map(_.device))
    val p = fits.map(_.probabilities(rows))
    for ((a, b) <- p(0).zip(p(1))) assertArrayEquals(a, b, 1e-3f)
    val file = Files.createTempFile("flexor", ".flx")
    try {
      fits(1).save(file.toString)
      Using.resource(Fitted.load(file.toString, emu)) { loaded =>
        assertEquals(emu, loaded.device)
        for ((a, b) <- loaded.probabilities(rows).zip(p(1))) assertArrayEquals(a, b, 1e-6f)
        assertEquals("cpu(0)", loaded.toDevice("cpu").device)
        for ((a, b) <- loaded.probabilities(rows).zip(p(1))) assertArrayEquals(a, b, 1e-5f)
      }
    } finally Files.delete(file)
  }
}

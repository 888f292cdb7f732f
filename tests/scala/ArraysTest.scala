// SPDX-License-Identifier: Apache-2.0
import java.nio.{ByteBuffer, ByteOrder, FloatBuffer}
import org.flexor._
import org.junit.Assert._
import org.junit.Test

class ArraysTest {
  private def fails[E <: Throwable](kind: Class[E])(body: => Any): E = {
    try body
    catch { case e: Throwable if kind.isInstance(e) => return kind.cast(e) }
    throw new AssertionError(s"${kind.getSimpleName} was expected")
  }

  @Test def conversions(): Unit = Using.scope { s =>
    val m = NDArray(Array(Array(1f, 2f, 3f), Array(4f, 5f, 6f)))
    assertEquals(Shape(2, 3), m.shape)
    assertArrayEquals(Array(4f, 5f, 6f), m(1).toFloats, 0f)
    assertArrayEquals(Array(4f, 5f, 6f), m.toRows(1), 0f)
    assertEquals(Vector(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), m.toSeq)
    assertEquals(DType.Float64, NDArray(Array(1.0, 2.0)).dtype)
    assertEquals(DType.Int64, NDArray(Array(1L, Long.MaxValue)).dtype)
    assertArrayEquals(Array(1L, Long.MaxValue), NDArray(Array(1L, Long.MaxValue)).toLongs)
    assertArrayEquals(Array(1, -2), NDArray(Array(1, -2)).toInts)
    assertEquals(DType.Float32, NDArray(Seq(1.0, 2.0)).dtype)
    val part = FloatBuffer.wrap(Array(0f, 1f, 2f, 3f))
    part.position(1).limit(3)
    assertArrayEquals(Array(1f, 2f), NDArray(part, Shape(2)).toFloats, 0f)
    assertEquals(1, part.position()) // the host's buffer is left as it was
    val bytes = ByteBuffer.allocateDirect(2).order(ByteOrder.nativeOrder)
    bytes.put(0, 255.toByte)
    assertArrayEquals(Array(255, 0), NDArray(bytes, DType.UInt8, Shape(2)).toInts)
    fails(classOf[ShapeException])(NDArray(Array(Array(1f), Array(1f, 2f))))
    fails(classOf[ArgumentException])(NDArray.of(Array(1f, 2f, 3f), Shape(2)))
    fails(classOf[IllegalArgumentException])(NDArray(ByteBuffer.allocate(8), DType.Float32, Shape(2)))
  }

  @Test def arithmetic(): Unit = Using.scope { s =>
    val a = NDArray(Array(Array(1f, 2f), Array(3f, 4f)))
    val row = NDArray(Array(10f, 20f))
    assertArrayEquals(Array(11f, 22f, 13f, 24f), (a + row).toFloats, 0f)
    assertArrayEquals(Array(-9f, -18f, -7f, -16f), (a - row).toFloats, 0f)
    assertArrayEquals(Array(3f, 5f, 7f, 9f), (a * 2 + 1).toFloats, 0f)
    assertArrayEquals(Array(7f, 10f, 15f, 22f), (a dot a).toFloats, 0f)
    assertEquals(2.5, a.mean.toDouble, 0)
    assertEquals(10, a.sum.toDouble, 0)
    assertArrayEquals(Array(1f, 4f, 9f, 16f), a.pow(2).toFloats, 0f)
    assertArrayEquals(Array(1f, 2f, 2f, 2f), op.clip(a, 1, 2).toFloats, 0f)
    assertEquals(Shape(4, 2), op.concat(Seq(a, a), dim = 0).shape)
    assertEquals(Shape(1, 4), a.reshape(1, -1).shape)
    assertArrayEquals(Array(3f, 4f), a.slice(-1, 2).toFloats, 0f)
  }

  @Test def errorsAreNative(): Unit = Using.scope { s =>
    val a = NDArray(Array(Array(1f, 2f, 3f), Array(4f, 5f, 6f)))
    val e = fails(classOf[ShapeException])(a dot a)
    assertTrue(e.getMessage, e.getMessage.startsWith("[dot] the inner lengths must agree") && e.operator == "dot" && e.kind == "shape")
    assertTrue(fails(classOf[NameException])(Optimizer.named("Adom")).getMessage.contains("Adam"))
    fails(classOf[FileException])(Fitted.load("/none/of.flx"))
    a.close()
    a.close()
    fails(classOf[HandleException])(a.shape)
  }

  @Test def gradients(): Unit = Using.scope { s =>
    val x = NDArray(Array(1f, 2f, 3f)).attachGrad()
    val y = s.recording((x * x).sum)
    y.backward()
    assertArrayEquals(Array(2f, 4f, 6f), x.grad.toFloats, 0f)
    val unrecorded = (x * x).sum
    fails(classOf[StateException])(unrecorded.backward())
    fails(classOf[StateException])(NDArray.zeros(2).grad)
  }

  @Test def gradientsOfGradients(): Unit = Using.scope { s =>
    val x = NDArray(Array(1f, 2f, 3f)).attachGrad()
    val (y, first) = s.recording { val y = (x * x * x).sum; (y, y.gradients(Seq(x), again = true).head) }
    assertArrayEquals(Array(3f, 12f, 27f), first.toFloats, 0f)
    val second = s.recording(first.sum).gradients(Seq(x)).head
    assertArrayEquals(Array(6f, 12f, 18f), second.toFloats, 0f)
    assertEquals(36, y.toDouble, 0)
    val doubled = HostOperator("doubled")(_.map(_ * 2))((dy, x, y) => dy.map(_ * 2))
    assertArrayEquals(Array(2f, 2f, 2f), s.recording(doubled(x).sum).gradients(Seq(x)).head.toFloats, 0f)
  }

  @Test def randomNumbersFollowTheSeed(): Unit = Using.scope { s =>
    def numbers(seed: Long): Seq[Float] = { Flexor.seed(seed); Seq(op.randomNormal(shape = Shape(5)), op.randomUniform(shape = Shape(5))).flatMap(_.toFloats.toSeq) }
    assertEquals(numbers(7), numbers(7))
    assertNotEquals(numbers(7), numbers(8))
    assertEquals(numbers(7).distinct.length, 10)
    val net = nn.Dense(3)
    assertEquals(net.init(Shape(-1, 4), seed = 2)("weight").toSeq, net.init(Shape(-1, 4), seed = 2)("weight").toSeq)
    assertNotEquals(net.init(Shape(-1, 4), seed = 2)("weight").toSeq, net.init(Shape(-1, 4), seed = 3)("weight").toSeq)
  }

  @Test def everyOperatorHasAFunction(): Unit = Using.scope { s =>
    assertArrayEquals(Array(0f, 1f), op.relu(NDArray(Array(-1f, 1f))).toFloats, 0f)
    val parts = op.sliceChannel(NDArray.ones(4, 2), numOutputs = 2, axis = 0)
    assertEquals(2, parts.length)
    assertEquals(Shape(2, 2), parts.head.shape)
    Flexor.seed(1)
    val a = op.randomNormal(shape = Shape(3)).toFloats
    Flexor.seed(1)
    assertArrayEquals(a, op.randomNormal(shape = Seq(3)).toFloats, 0f)
  }
}

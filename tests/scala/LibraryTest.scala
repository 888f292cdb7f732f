// SPDX-License-Identifier: Apache-2.0
import java.nio.file.Files
import org.flexor._
import org.junit.Assert._
import org.junit.Test

class LibraryTest {
  @Test def profiles(): Unit = Using.scope { implicit s =>
    val path = Files.createTempFile("trace", ".json")
    try {
      val sum = Profiler.profile(path.toString) {
        assertTrue(Profiler.running)
        Profiler.counter("things", 3)
        Profiler.mark("now")
        Profiler.span("mine", "stage")(op.relu(NDArray.ones(100)).sum.toDouble)
      }
      assertEquals(100, sum, 0)
      assertFalse(Profiler.running)
      val trace = new String(Files.readAllBytes(path), "UTF-8")
      for (name <- Seq("mine", "relu", "now", "things")) assertTrue(name, trace.contains("\"" + name + "\""))
      assertTrue(Profiler.summary(sort = "count").contains("mine"))
      try { Profiler.summary(sort = "colour"); fail("nothing failed") } catch { case _: NameException => }
      try { Profiler.profile() { throw new IllegalStateException("mine") }; fail("nothing failed") } catch { case e: IllegalStateException => assertEquals("mine", e.getMessage) }
      assertFalse(Profiler.running)
      Profiler.clear()
      assertFalse(Profiler.summary().contains("mine"))
    } finally Files.delete(path)
  }

  private def late(): NDArray = {
    val y = op.take(NDArray.ones(4, 2), NDArray(Array(9L)), mode = "raise") // the line that is to blame
    y + 1
  }

  @Test def theLineThatQueuedWhatFailed(): Unit = Using.scope { implicit s =>
    val blamed = { val lines = new String(Files.readAllBytes(java.nio.file.Paths.get(sys.props("flexor.source"), "tests/scala/LibraryTest.scala"))).split("\n"); "LibraryTest.scala:" + (lines.indexWhere(_.contains("to blame")) + 1) }
    def later(): IndexException = try { late().toFloats; throw new AssertionError("nothing failed") } catch { case e: IndexException => e }
    val before = Seq("FLEXOR_ENGINE", "FLEXOR_ORIGIN").map(k => k -> Flexor.config(k))
    try {
      Flexor.config("FLEXOR_ENGINE", "threaded")
      assertEquals("", later().origin)
      Flexor.config("FLEXOR_ORIGIN", "1")
      val e = later()
      assertEquals(blamed, e.origin)
      assertTrue(e.getMessage, e.getMessage.endsWith(s" Queued by $blamed."))
      Flexor.config("FLEXOR_ORIGIN", "0")
      assertEquals("", later().origin)
      assertEquals("", Using.scope { inner => val y = op.take(NDArray.ones(4), NDArray(Array(9L)), mode = "raise"); try { y.toFloats; "nothing failed" } catch { case e: IndexException => e.origin } })
    } finally for ((k, v) <- before) Flexor.config(k, v)
  }

  @Test def optionsAndFacts(): Unit = {
    assertTrue(Flexor.options.contains("FLEXOR_ENGINE"))
    val before = Flexor.config("FLEXOR_ENGINE")
    Flexor.config("FLEXOR_ENGINE", "naive")
    try Using.scope { implicit s => assertEquals(2, NDArray.ones(2).sum.toDouble, 0) } finally Flexor.config("FLEXOR_ENGINE", before)
    try { Flexor.config("FLEXOR_ENGIN"); fail("nothing failed") } catch { case e: NameException => assertTrue(e.getMessage, e.getMessage.contains("FLEXOR_ENGINE")) }
    try { Flexor.config("FLEXOR_ENGINE", "fast"); fail("nothing failed") } catch { case _: FlexorException => }
    assertTrue(Flexor.version.matches("\\d+\\.\\d+\\.\\d+.*"))
    assertTrue(Flexor.about("path"), Flexor.about("path").contains("libflexor"))
  }

  @Test def memory(): Unit = {
    val held = Using.scope { implicit s =>
      val x = NDArray.ones(1000, 1000)
      Flexor.waitAll()
      val now = Flexor.memory()
      assertEquals(Set("live", "cached", "peak", "limit", "total"), now.keySet)
      assertTrue(now.toString, now("live") >= 4000000 && now("peak") >= now("live") && now("total") > now("live") && now("limit") == 0)
      Flexor.memoryLimit(now("live") + 1000000)
      try { NDArray.ones(1000, 1000).toFloats; fail("nothing failed") } catch { case _: MemoryException => } finally Flexor.memoryLimit(0)
      assertEquals(1000000, x.sum.toDouble, 0)
      now("live")
    }
    assertTrue(Flexor.memory()("live") <= held - 4000000)
    try { Flexor.memory("toaster"); fail("nothing failed") } catch { case _: DeviceException => }
    val there = Flexor.memory("emu(0)") // the emulated device, by FLEXOR_TEST_DEVICE
    assertEquals(6, there.size)
    assertTrue(there.toString, there("fragmentation") >= 0)
  }
}

// SPDX-License-Identifier: Apache-2.0
import org.flexor._
import org.junit.Assert._
import org.junit.Test

class MemoryTest {
  private def unchanged(body: => Unit): Unit = {
    val before = Flexor.live("ndarray")
    body
    assertEquals(before, Flexor.live("ndarray"))
  }

  @Test def aScopeFreesWhatWasMadeInIt(): Unit = unchanged(Using.scope { implicit s =>
    for (_ <- 1 to 100) NDArray.ones(3) + 1
    assertEquals(200, s.size)
    Using.scope { implicit inner => NDArray.ones(3) + 1 }
    assertEquals(200, s.size)
  })

  @Test def alsoWhenUserCodeThrows(): Unit = unchanged {
    val e = try { Using.scope { implicit s => NDArray.ones(3); throw new IllegalStateException("mine") } } catch { case e: IllegalStateException => e }
    assertEquals("mine", e.getMessage)
  }

  @Test def closedThingsLeaveTheirScope(): Unit = unchanged(Using.scope { implicit s =>
    for (_ <- 1 to 10000) NDArray.ones(1).close()
    assertEquals(0, s.size)
  })

  @Test def detachLeavesTheScope(): Unit = unchanged {
    val kept = Using.scope { implicit s => (NDArray.ones(3) + 1).detach }
    assertArrayEquals(Array(2f, 2f, 2f), kept.toFloats, 0f)
    assertTrue(Flexor.leaks, Flexor.leaks.contains("1 NDArray made at MemoryTest") && Flexor.leaks.contains("MemoryTest.scala:"))
    kept.close()
    assertEquals("nothing leaks", Flexor.leaks)
  }

  @Test def aClosedScopeTakesNothing(): Unit = unchanged {
    val closed = Using.scope(s => s)
    try { closed.run(NDArray.ones(1)); fail("nothing failed") } catch { case e: StateException => assertTrue(e.getMessage.contains("closed")) }
  }

  @Test def whatIsForgottenIsFreedInTheEnd(): Unit = {
    // 2 GB in a heap of 32 MB: the hint lets the collector run.
    for (_ <- 1 to 500) Using.scope { implicit s => NDArray.ones(1000, 1000).detach }
    for (_ <- 1 to 1500 if Flexor.live("ndarray") > 0) { System.gc(); Thread.sleep(20) }
    assertTrue(Flexor.live("ndarray").toString, Flexor.live("ndarray") < 10)
  }

  @Test def collectingAtEveryCallHarmsNothing(): Unit = unchanged(Using.scope { implicit s =>
    var x = NDArray.zeros(3)
    for (_ <- 1 to 30) { x = x + 1; System.gc() }
    assertEquals(90, x.sum.toDouble, 0)
  })

  @Test def withoutAScopeNothingIsMade(): Unit = unchanged {
    try { NDArray.ones(1); fail("nothing failed") } catch { case e: StateException => assertTrue(e.getMessage.contains("Using.scope")) }
  }

  @Test def threadsHaveTheirOwnScopes(): Unit = unchanged {
    val sums = new java.util.concurrent.ConcurrentLinkedQueue[Double]
    val threads = for (k <- 1 to 4) yield new Thread {
      override def run(): Unit = for (_ <- 1 to 200) Using.scope { implicit s => sums.add((NDArray.ones(10) * k).sum.toDouble / k) }
    }
    threads.foreach(_.start())
    threads.foreach(_.join())
    assertEquals(800, sums.size)
    assertTrue(sums.toArray.forall(_ == 10.0))
  }
}

// SPDX-License-Identifier: Apache-2.0
import org.flexor._
import org.flexor.nn._
import org.junit.Assert._
import org.junit.Test

class StoreTest {
  @Test def arraysByKey(): Unit = Using.scope { implicit s =>
    val store = Store()
    assertEquals("Store(local): worker 0 of 1", store.toString)
    assertEquals("worker", store.role)
    val (w, v) = (NDArray.zeros(2), NDArray.zeros(1))
    store.init("w" -> NDArray(Array(1f, 2f)), "v" -> NDArray(Array(0f)))
    store.init("w" -> NDArray(Array(9f, 9f)))
    store.pull("w" -> w)
    assertEquals(Vector(1.0, 2.0), w.toSeq)
    store.push(samples = 3, priority = 1)("w" -> NDArray(Array(1f, 1f)), "v" -> NDArray(Array(5f)), "w" -> NDArray(Array(2f, 3f)))
    store.pull("w" -> w, "v" -> v)
    assertEquals(Vector(3.0, 4.0, 5.0), w.toSeq ++ v.toSeq)
    store.optimizer(Sgd(1.0))
    val g = NDArray(Array(1f, 0f))
    store.pushPull("w" -> g)
    assertEquals(Vector(2.0, 4.0), g.toSeq)
    store.set("learning_rate", 0.5)
    assertEquals(Vector(0, 1, 2), store.shard(3).toVector)
    assertTrue(store.stats.contains("\"keys\""))
    assertEquals(-1L, store.recover())
    try { store.checkpoint(); fail("nothing failed") } catch { case e: UnsupportedException => assertTrue(e.getMessage, e.getMessage.contains("no job")) }
    store.barrier()
    store.finish()
    try { store.pull("w" -> w); fail("nothing failed") } catch { case e: StateException => assertTrue(e.getMessage, e.getMessage.contains("never initialized")) }
    try { Store("locl"); fail("nothing failed") } catch { case e: NameException => assertTrue(e.getMessage, e.getMessage.contains("Did you mean `local`")) }
  }

  @Test def aFitWithAStoreGivesTheBitsOfAFitWithoutOne(): Unit = Using.scope { implicit s =>
    val data = Datasets.iris.samples
    val spec = Training(epochs = 3, seed = 1)
    def bytes(t: Training): Array[Byte] = Classifier(Sequential(Dense(8, Relu), Dense(3))).fit(data, t).toBytes
    val store = Store("local")
    val want = bytes(spec)
    assertArrayEquals(want, bytes(spec.copy(store = Some(store))))
    assertArrayEquals(want, bytes(spec.copy(store = Some(Store("local")), updateOnStore = Some(true))))
    assertEquals(data.length, data.shard(store).length)
    try { bytes(spec.copy(updateOnStore = Some(true))); fail("nothing failed") } catch { case e: ArgumentException => assertTrue(e.getMessage, e.getMessage.contains("store")) }
  }
}

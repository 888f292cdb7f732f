// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

/** What gives batches to a fit: samples in memory, an iterator of the core ([[org.flexor.data]]), or one of your own (`Source.of`). */
abstract class Source private[flexor] {
  // An iterator of the core; labels that are texts become their places in `classes`. Weights are given for predictions of `rank` axes, and left out where that is 0.
  private[flexor] def open(classes: Vector[String], settings: Seq[(String, Any)], rank: Int = 0): Long
  // The shape of a batch's data, -1 being the number of samples.
  private[flexor] def input: Shape
  // The labels in rising order; empty if they are numbers already.
  private[flexor] def classes: Vector[String] = Vector.empty
}

/** Samples with their labels; with weights, a fit multiplies each sample's loss by its own. */
final class Samples(val x: Features, val y: Array[String], val weights: Option[Array[Float]] = None) extends Source {
  if (x.length != y.length) throw new ShapeException(s"[samples] there are ${x.length} samples and ${y.length} labels")
  Source.check(weights, length)
  /** The same with these weights. */
  def weighted(weights: Array[Float]): Samples = new Samples(x, y, Some(weights))
  /** A worker's share of them. */
  def shard(store: Store): Samples = rows(store.shard(length))
  def length: Int = y.length
  def slice(from: Int, until: Int): Samples = rows(from until math.min(until, length))
  def take(n: Int): Samples = slice(0, n)
  def rows(indices: Seq[Int]): Samples = new Samples(x.rows(indices), indices.map(i => y(i)).toArray, weights.map(w => indices.map(i => w(i)).toArray))

  /** Two parts, `share` of the samples in the first, drawn by `seed`. */
  def split(share: Double, seed: Long): (Samples, Samples) = {
    val (a, b) = Source.part(length, share, seed)
    (rows(a), rows(b))
  }

  /** Batches for a training loop of one's own, the labels as 0-based indices of their rising order. */
  def batches(size: Int, shuffle: Boolean = false, seed: Long = 0): Batches = new Batches(this, Seq("batch_size" -> size, "shuffle" -> shuffle, "seed" -> seed), s)

  private[flexor] def open(classes: Vector[String], settings: Seq[(String, Any)], rank: Int): Long =
    Source.arrays(x, Some((Samples.indices(y, if (classes.isEmpty) this.classes else classes), Shape(length))), settings, weights, rank)
  private[flexor] def input: Shape = -1L +: x.shape.tail
  /** The labels in rising order, as a fit counts them. */
  override lazy val classes: Vector[String] = Samples.classes(y)
}

private[flexor] object Samples {
  /** Labels in rising order: as numbers if all are. */
  def classes(y: Array[String]): Vector[String] = {
    val all = y.distinct.toVector
    if (all.forall(t => t.nonEmpty && t.length < 16 && t.forall(c => c >= '0' && c <= '9'))) all.sortBy(_.toLong) else all.sorted
  }
  def indices(y: Array[String], classes: Vector[String]): Array[Float] = {
    val place = classes.zipWithIndex.toMap
    y.map(t => place.getOrElse(t, throw new ArgumentException(s"[labels] the label `$t` is none of the fit's: ${classes.take(10).mkString(", ")}")).toFloat)
  }
}

/** Samples with numbers to predict: one for each sample, or a row of them; weights as in [[Samples]]. */
final class Numbers(val x: Features, val y: Features, val weights: Option[Array[Float]] = None) extends Source {
  def this(x: Features, y: Array[Float]) = this(x, Numbers.column(y))
  if (x.length != y.length) throw new ShapeException(s"[numbers] there are ${x.length} samples and ${y.length} numbers to predict")
  Source.check(weights, length)
  /** The same with these weights. */
  def weighted(weights: Array[Float]): Numbers = new Numbers(x, y, Some(weights))
  /** A worker's share of them. */
  def shard(store: Store): Numbers = rows(store.shard(length))
  def length: Int = x.length
  def slice(from: Int, until: Int): Numbers = rows(from until math.min(until, length))
  def rows(indices: Seq[Int]): Numbers = new Numbers(x.rows(indices), y.rows(indices), weights.map(w => indices.map(i => w(i)).toArray))
  /** Two parts, `share` of the samples in the first, drawn by `seed`. */
  def split(share: Double, seed: Long): (Numbers, Numbers) = { val (a, b) = Source.part(length, share, seed); (rows(a), rows(b)) }
  /** Batches for a training loop of one's own. */
  def batches(size: Int, shuffle: Boolean = false, seed: Long = 0): Batches = new Batches(this, Seq("batch_size" -> size, "shuffle" -> shuffle, "seed" -> seed), s)

  private[flexor] def open(classes: Vector[String], settings: Seq[(String, Any)], rank: Int): Long = {
    val all = new Array[Float](y.values.capacity)
    val from = y.values.duplicate
    from.clear()
    from.get(all)
    Source.arrays(x, Some((all, y.shape)), settings, weights, rank)
  }
  private[flexor] def input: Shape = -1L +: x.shape.tail
}

private[flexor] object Numbers {
  def column(y: Array[Float]): Features = { val b = NDArray.direct(4 * y.length).asFloatBuffer; b.put(y); b.clear(); new Features(b, Shape(y.length)) }
}

/** An iterator of the core's, by its name and settings: [[org.flexor.data]] has them. Labels are 0-based class indices, or numbers. */
abstract class CoreSource private[flexor] (val kind: String, val settings: List[(String, String)]) extends Source with Serializable {
  private[flexor] def open(classes: Vector[String], more: Seq[(String, Any)], rank: Int): Long = Native.handle(flexorJNI.flx_iter_create(Glue.utf8(kind), Native.pairs(settings), _))
  private[flexor] def input: Shape = Using.scope { scope =>
    Native.briefly(open(Vector.empty, Nil)) { iter =>
      if (Native.int(flexorJNI.flx_iter_next(iter, -1, _)) != flexorConstants.FLX_BATCH) throw new ArgumentException(s"[$kind] the source of batches gave no batch")
      -1L +: Native.longs(flexorJNI.flx_iter_arrays(iter, _)).map(new NDArray(_, scope)).head.shape.tail
    }
  }
  /** Batches for a training loop of one's own. */
  def batches: Batches = new Batches(this, Nil, s)
}

object Source {
  /** Batches that code of one's own gives, as (data, labels): `batches` is called at the beginning of each epoch, and once before to see a batch's shape, on
    * the thread that fits; what it makes is freed after the batch. Labels are
    * 0-based class indices, or numbers. */
  def of(batches: () => Iterator[(NDArray, NDArray)]): Source = new HostSource(batches)

  // Fisher and Yates by java.util.Random, which is the same in every version of Scala and Java.
  private[flexor] def part(n: Int, share: Double, seed: Long): (Vector[Int], Vector[Int]) = {
    if (!(share > 0 && share < 1)) throw new ArgumentException(s"[split] a share between 0 and 1 was expected, given $share")
    val order = Array.range(0, n)
    val random = new java.util.Random(seed)
    for (i <- n - 1 to 1 by -1) { val j = random.nextInt(i + 1); val v = order(i); order(i) = order(j); order(j) = v }
    order.toVector.splitAt(math.round(share * n).toInt)
  }

  private[flexor] def check(weights: Option[Array[Float]], length: Int): Unit =
    for (w <- weights) if (w.length != length) throw new ShapeException(s"[weights] one number for each of $length samples was expected, given ${w.length}")

  private[flexor] def arrays(x: Features, y: Option[(Array[Float], Shape)], settings: Seq[(String, Any)], weights: Option[Array[Float]] = None, rank: Int = 0): Long = Using.scope { _ =>
    val weight = if (rank == 0) None else weights.map(w => NDArray.of(w, Shape(w.length.toLong +: Seq.fill(rank - 1)(1L): _*)).raw)
    val arrays = Seq(x.toNDArray.raw) ++ y.map { case (v, shape) => NDArray.of(v, shape).raw } ++ weight
    Native.handle(flexorJNI.flx_iter_from_arrays(arrays.toArray, Glue.utf8(Array("data", "label", "weight_label").take(arrays.length)), Native.pairs(settings.map { case (k, v) => k -> Settings.text(v) }), _))
  }
}

private[flexor] final class HostSource(batches: () => Iterator[(NDArray, NDArray)]) extends Source {
  private def check(batch: (NDArray, NDArray)): (NDArray, NDArray) = {
    if (batch._1.shape(0) != batch._2.shape(0)) throw new ShapeException(s"[source] a batch has ${batch._1.shape(0)} samples and ${batch._2.shape(0)} labels")
    batch
  }
  private[flexor] lazy val input: Shape = Using.scope { _ =>
    val first = batches()
    if (!first.hasNext) throw new ArgumentException("[source] the source of batches gave no batch")
    -1L +: check(first.next())._1.shape.tail
  }
  private[flexor] def open(classes: Vector[String], settings: Seq[(String, Any)], rank: Int): Long = {
    var now: Iterator[(NDArray, NDArray)] = null
    val token = Hosts.register { question =>
      if (question.first || now == null) now = batches()
      if (now.hasNext) { val (x, y) = check(now.next()); Seq(x, y) } else { now = null; Nil }
    }
    Native.handle(flexorJNI.flx_iter_from_host(token, Glue.utf8(Array("data", "label")), null, _))
  }
}

/** A batch: what goes in and its labels. */
final class Batch(val x: NDArray, val y: NDArray)

/** The batches of an epoch, for loops: each iteration begins the epoch anew. A batch's arrays live until the next. */
final class Batches private[flexor] (source: Source, settings: Seq[(String, Any)], scope: Scope) extends Iterable[Batch] {
  def iterator: Iterator[Batch] = new BatchIterator(source.open(Vector.empty, settings), scope)
  override def toString: String = "Batches"
}

private[flexor] final class BatchIterator(raw: Long, scope: Scope) extends Resource(raw, scope) with Iterator[Batch] {
  private var last: Batch = null
  private var asked = false
  private var more = false
  def hasNext: Boolean = {
    if (!asked) {
      if (last != null) { last.x.close(); last.y.close(); last = null }
      val event = if (Thread.currentThread.isInterrupted) flexorConstants.FLX_PENDING else Native.int(flexorJNI.flx_iter_next(raw, -1, _))
      if (event == flexorConstants.FLX_PENDING) { Thread.interrupted(); throw new InterruptedException("[batches] the thread was interrupted") }
      asked = true
      more = event == flexorConstants.FLX_BATCH
      if (!more) close()
    }
    more
  }
  def next(): Batch = {
    if (!hasNext) throw new NoSuchElementException("the epoch is over")
    asked = false
    val arrays = Native.longs(flexorJNI.flx_iter_arrays(raw, _))
    last = new Batch(new NDArray(arrays(0), scope), new NDArray(arrays(1), scope))
    last
  }
}

// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

import java.io.{DataInputStream, InputStream}
import java.nio.FloatBuffer
import java.util.zip.GZIPInputStream

/** Numbers of samples, in host memory: row-major float32, the first axis being the samples. */
final class Features(val values: FloatBuffer, val shape: Shape) {
  if (values.capacity != shape.size) throw new ShapeException(s"[features] shape $shape has ${shape.size} elements, given ${values.capacity}")
  private def width: Int = (values.capacity / math.max(1L, shape(0))).toInt
  def length: Int = shape(0).toInt

  /** The rows of these indices, in this order. */
  def rows(indices: Seq[Int]): Features = {
    val n = width
    val out = NDArray.direct(4 * n * indices.length).asFloatBuffer
    for (i <- indices) { val from = values.duplicate; from.position(i * n).limit((i + 1) * n); out.put(from) }
    out.clear()
    new Features(out, indices.length.toLong +: shape.tail)
  }
  def slice(from: Int, until: Int): Features = rows(from until math.min(until, length))
  /** The first `n` samples. */
  def take(n: Int): Features = slice(0, n)
  def apply(sample: Int): Array[Float] = { val out = new Array[Float](width); val from = values.duplicate; from.position(sample * width); from.get(out); out }
  /** As an array of the scope's. */
  def toNDArray: NDArray = { val all = values.duplicate; all.clear(); NDArray(all, shape) }
}

object Features {
  /** A matrix, from its rows. */
  def apply(rows: Array[Array[Float]]): Features = {
    val width = if (rows.isEmpty) 0 else rows(0).length
    for ((row, i) <- rows.zipWithIndex) if (row.length != width) throw new ShapeException(s"[features] the rows must be equally long: row 0 has $width numbers and row $i has ${row.length}")
    val out = NDArray.direct(4 * width * rows.length).asFloatBuffer
    rows.foreach(r => out.put(r))
    out.clear()
    new Features(out, Shape(rows.length, width))
  }
}

/** Samples with their labels, for a fit. */
final class Samples(val x: Features, val y: Array[String]) {
  if (x.length != y.length) throw new ShapeException(s"[samples] there are ${x.length} samples and ${y.length} labels")
  def length: Int = y.length
  def slice(from: Int, until: Int): Samples = rows(from until math.min(until, length))
  def take(n: Int): Samples = slice(0, n)
  def rows(indices: Seq[Int]): Samples = new Samples(x.rows(indices), indices.map(i => y(i)).toArray)

  /** Two parts, `share` of the samples in the first, drawn by `seed`. */
  def split(share: Double, seed: Long): (Samples, Samples) = {
    val (a, b) = Samples.part(length, share, seed)
    (rows(a), rows(b))
  }

  /** Batches for a training loop of one's own, the labels as 0-based indices of their rising order. A batch's arrays live until the next. */
  def batches(size: Int, shuffle: Boolean = false, seed: Long = 0): Iterator[Batch] = {
    val (classes, scope) = (Samples.classes(y), s)
    new Batches(Samples.iter(x, Some(Samples.indices(y, classes)), Seq("batch_size" -> size, "shuffle" -> shuffle, "seed" -> seed)), scope)
  }
}

/** Rows of numbers with their labels, in plain arrays. */
final case class Table(x: Array[Array[Float]], y: Array[String]) {
  def length: Int = y.length
  def samples: Samples = new Samples(Features(x), y)
  /** Two parts, `share` of the rows in the first, drawn by `seed`. */
  def split(share: Double, seed: Long): (Table, Table) = {
    val (a, b) = Samples.part(length, share, seed)
    (Table(a.map(x).toArray, a.map(y).toArray), Table(b.map(x).toArray, b.map(y).toArray))
  }
}

/** A batch: what goes in and its labels. */
final class Batch(val x: NDArray, val y: NDArray)

private[flexor] final class Batches(raw: Long, scope: Scope) extends Resource(raw, scope) with Iterator[Batch] {
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

private[flexor] object Samples {
  // Fisher and Yates by java.util.Random, which is the same in every version of Scala and Java.
  def part(n: Int, share: Double, seed: Long): (Vector[Int], Vector[Int]) = {
    if (!(share > 0 && share < 1)) throw new ArgumentException(s"[split] a share between 0 and 1 was expected, given $share")
    val order = Array.range(0, n)
    val random = new java.util.Random(seed)
    for (i <- n - 1 to 1 by -1) { val j = random.nextInt(i + 1); val v = order(i); order(i) = order(j); order(j) = v }
    order.toVector.splitAt(math.round(share * n).toInt)
  }

  /** Labels in rising order: as numbers if all are. */
  def classes(y: Array[String]): Vector[String] = {
    val all = y.distinct.toVector
    if (all.forall(t => t.nonEmpty && t.length < 16 && t.forall(c => c >= '0' && c <= '9'))) all.sortBy(_.toLong) else all.sorted
  }
  def indices(y: Array[String], classes: Vector[String]): Array[Float] = {
    val place = classes.zipWithIndex.toMap
    y.map(t => place.getOrElse(t, throw new ArgumentException(s"[labels] the label `$t` is none of the fit's: ${classes.take(10).mkString(", ")}")).toFloat)
  }
  def iter(x: Features, y: Option[Array[Float]], settings: Seq[(String, Any)]): Long = Using.scope { implicit s =>
    val arrays = x.toNDArray.raw +: y.map(v => NDArray(v).raw).toSeq
    Native.handle(flexorJNI.flx_iter_from_arrays(arrays.toArray, Glue.utf8(Array("data", "label").take(arrays.length)), Native.pairs(settings.map { case (k, v) => k -> Settings.text(v) }), _))
  }
}

/** Data sets that come with the package. */
object Datasets {
  /** 10,000 scans of handwritten digits, a part of MNIST, shape (10000, 1, 28, 28), from 0 (paper) to below 1: the first 8,000 are meant for training, the last 2,000 for testing. */
  lazy val digits: Samples = {
    val parts = Seq("train", "test").map(part => (idx(s"$part-images-idx3-ubyte.gz", 4), idx(s"$part-labels-idx1-ubyte.gz", 2)))
    val n = parts.map(_._2.length).sum
    val x = NDArray.direct(4 * n * 784).asFloatBuffer
    for ((scans, _) <- parts; pixel <- scans) x.put((pixel & 255) / 256f) // MNISTIter's factor, so that both give the same bits
    x.clear()
    new Samples(new Features(x, Shape(n, 1, 28, 28)), parts.flatMap(_._2).map(_.toString).toArray)
  }

  /** Fisher's iris flowers: 150 of three species, 50 each; sepal length, sepal width, petal length, petal width in cm. */
  def iris: Table = Using.resource(resource("iris.csv")) { in =>
    val rows = scala.io.Source.fromInputStream(in, "US-ASCII").getLines().filter(l => l.nonEmpty && !l.startsWith("#")).map(_.trim.split(",")).toArray
    Table(rows.map(_.take(4).map(_.toFloat)), rows.map(_(4)))
  }

  private def resource(name: String): InputStream = {
    val found = getClass.getResourceAsStream("/org/flexor/data/" + name)
    if (found == null) throw new FileException(s"[datasets] the jar has no $name") else found
  }

  private def idx(name: String, header: Int): Array[Byte] = {
    Using.resource(new DataInputStream(new GZIPInputStream(resource(name)))) { in =>
      in.readInt()
      val sizes = Seq.fill(header - 1)(in.readInt())
      val out = new Array[Byte](sizes.product)
      in.readFully(out)
      out
    }
  }
}

/** The share of labels that are right. */
object Accuracy {
  def apply(predicted: Array[String], truth: Array[String]): Double = {
    if (predicted.length != truth.length) throw new ShapeException(s"[accuracy] there are ${predicted.length} predictions and ${truth.length} labels")
    predicted.indices.count(i => predicted(i) == truth(i)).toDouble / math.max(1, truth.length)
  }
}

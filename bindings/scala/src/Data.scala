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

/** Rows of numbers with their labels, in plain arrays. */
final case class Table(x: Array[Array[Float]], y: Array[String]) {
  def length: Int = y.length
  def samples: Samples = new Samples(Features(x), y)
  /** Two parts, `share` of the rows in the first, drawn by `seed`. */
  def split(share: Double, seed: Long): (Table, Table) = {
    val (a, b) = Source.part(length, share, seed)
    (Table(a.map(x).toArray, a.map(y).toArray), Table(b.map(x).toArray, b.map(y).toArray))
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

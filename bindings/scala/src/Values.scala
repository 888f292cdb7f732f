// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

/** A shape. -1 stands for a size that is not known, as of the batch. */
final class Shape private (val sizes: Vector[Long]) extends Serializable {
  def apply(axis: Int): Long = sizes(axis)
  def rank: Int = sizes.length
  /** The number of elements. */
  def size: Long = sizes.product
  /** Without the first axis. */
  def tail: Shape = new Shape(sizes.tail)
  def +:(first: Long): Shape = new Shape(first +: sizes)
  override def equals(other: Any): Boolean = other match { case s: Shape => s.sizes == sizes; case _ => false }
  override def hashCode: Int = sizes.hashCode
  override def toString: String = Settings.text(this)
  private[flexor] def raw: Array[Long] = sizes.toArray
}

object Shape {
  def apply(sizes: Long*): Shape = new Shape(sizes.toVector)
  /** The same, for Java. */
  @scala.annotation.varargs def of(sizes: Long*): Shape = new Shape(sizes.toVector)
  private[flexor] def from(sizes: Array[Long]): Shape = new Shape(sizes.toVector)
}

/** The type of an array's elements. */
sealed abstract class DType(val name: String, private[flexor] val number: Int, val bytes: Int) extends Serializable {
  override def toString: String = name
}

object DType {
  import flexorConstants._
  case object Float32 extends DType("float32", FLX_FLOAT32, 4)
  case object Float64 extends DType("float64", FLX_FLOAT64, 8)
  case object Float16 extends DType("float16", FLX_FLOAT16, 2)
  case object BFloat16 extends DType("bfloat16", FLX_BFLOAT16, 2)
  case object Int8 extends DType("int8", FLX_INT8, 1)
  case object Int16 extends DType("int16", FLX_INT16, 2)
  case object Int32 extends DType("int32", FLX_INT32, 4)
  case object Int64 extends DType("int64", FLX_INT64, 8)
  case object UInt8 extends DType("uint8", FLX_UINT8, 1)
  case object UInt16 extends DType("uint16", FLX_UINT16, 2)
  case object UInt32 extends DType("uint32", FLX_UINT32, 4)
  case object UInt64 extends DType("uint64", FLX_UINT64, 8)
  case object Bool extends DType("bool", FLX_BOOL, 1)

  val all: List[DType] = List(Float32, Float64, Float16, BFloat16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Bool)
  private val byNumber = all.map(d => d.number -> d).toMap
  private[flexor] def of(number: Int): DType = byNumber(number)

  /** The dtype called `name`. */
  def apply(name: String): DType =
    all.find(_.name == name).getOrElse(throw new TypeException(s"[dtype] expected one of ${all.mkString(", ")}, given $name"))
}

/** Values in the form in which settings cross to the core: MXNet's, as "(2, 2)", "True", "None", "float32", "0.001". */
object Settings {
  /** A text that is one already. */
  final case class Text(text: String) { override def toString: String = text }

  def text(value: Any): String = value match {
    case null | None       => "None"
    case Some(v)           => text(v)
    case b: Boolean        => if (b) "True" else "False"
    case d: Double         => number(d)
    case f: Float          => number(f.toDouble)
    case s: Shape          => text(s.sizes)
    case a: Array[_]       => text(a.toSeq)
    case p: Product if p.productPrefix.startsWith("Tuple") => text(p.productIterator.toVector)
    case s: Seq[_]         => s.map(text).mkString("(", ", ", if (s.length == 1) ",)" else ")")
    case s: Setting        => s.text
    case a: nn.Activation  => a.activation
    case m: HostMetric     => m.text
    case v                 => v.toString
  }

  private def number(d: Double): String = if (d.isPosInfinity) "inf" else if (d.isNegInfinity) "-inf" else if (d.isNaN) "nan" else d.toString

  def list(kind: String, settings: (String, Any)*): List[(String, String)] = settings.toList.map { case (k, v) => k -> text(v) }
}

/** Something registered by its name and settings: an immutable value that holds nothing of the library's. */
abstract class Setting private[flexor] (val kind: String, val settings: List[(String, String)]) extends Serializable {
  private[flexor] def create(): Long
  private[flexor] def text: String = if (settings.isEmpty) kind else settings.map { case (k, v) => s"$k=$v" }.mkString(kind + "(", ", ", ")")
  protected final def check(): Unit = flexorJNI.flx_free(create()) // a wrong setting is told where it is written
}

/** The learning rate by step. */
abstract class Schedule(kind: String, settings: List[(String, String)]) extends Setting(kind, settings) {
  private[flexor] def create(): Long = Native.handle(flexorJNI.flx_schedule_create(Glue.utf8(kind), Native.pairs(settings), _))
  check()

  /** The learning rate at `step`, the number of updates so far. */
  def value(step: Long): Double = Native.briefly(create())(h => Native.double(flexorJNI.flx_schedule_value(h, step, _)))
}

/** First values of parameters; they depend on the seed, the parameter's name and its shape only. */
abstract class Initializer(kind: String, settings: List[(String, String)]) extends Setting(kind, settings) {
  private[flexor] def create(): Long = Native.handle(flexorJNI.flx_initializer_create(Glue.utf8(kind), Native.pairs(settings), _))
  check()

  /** Overwrites `array` with the first values of a parameter called `name`. */
  def fill(array: NDArray, name: String = "weight", seed: Long = 0): Unit =
    Native.briefly(create())(h => flexorJNI.flx_initializer_fill(h, Glue.utf8(name), seed, array.raw))
}

/** A quality measure: named in fits, or computed here by `apply`. */
abstract class Metric(kind: String, settings: List[(String, String)]) extends Setting(kind, settings) {
  private[flexor] def create(): Long = Native.handle(flexorJNI.flx_metric_create(Glue.utf8(kind), Native.pairs(settings), _))
  check()

  /** The value for predictions and their labels; of a Composite the first. */
  def apply(predictions: NDArray, labels: NDArray): Double = values(predictions, labels).head._2

  /** All values by name: several of a Composite, else one. */
  def values(predictions: NDArray, labels: NDArray): Vector[(String, Double)] = Native.briefly(create()) { h =>
    flexorJNI.flx_metric_update(h, Array(predictions.raw), Array(labels.raw))
    Vector.tabulate(Native.int(flexorJNI.flx_metric_count(h, _))) { i =>
      var out = 0.0
      Native.ready { ready => out = Native.double(flexorJNI.flx_metric_value(h, i, -1, ready, _)) }
      Native.text(flexorJNI.flx_metric_name(h, i, _)) -> out
    }
  }
}

/** An update rule; what says which, with which settings. */
abstract class Optimizer(kind: String, settings: List[(String, String)]) extends Setting(kind, settings) {
  /** Gives the learning rate by step, if there is one. */
  def schedule: Option[Schedule]

  private def rule(): Long = Native.handle(flexorJNI.flx_optimizer_create(Glue.utf8(kind), Native.pairs(settings), _))
  flexorJNI.flx_free(rule()) // a wrong setting is told where it is written
  private[flexor] def create(): Long = {
    val made = rule()
    for (s <- schedule) Native.briefly(s.create())(flexorJNI.flx_optimizer_schedule(made, _))
    made
  }

  /** The rule with a state of its own, for `params`. */
  def start(params: Parameters): Updates = { val scope = s; new Updates(create(), params, scope) }
}

object Optimizer {
  /** An optimizer by the name and settings it is registered with. */
  def named(kind: String, settings: (String, Any)*): Optimizer = NamedOptimizer(kind, Settings.list(kind, settings: _*))
}
private[flexor] final case class NamedOptimizer(name: String, options: List[(String, String)], schedule: Option[Schedule] = None) extends Optimizer(name, options)

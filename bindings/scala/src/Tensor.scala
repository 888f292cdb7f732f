// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

/** What operators take and give: an array, or a symbol, which stands for one while a layer of one's own is traced. Arithmetic broadcasts; a result belongs to the scope. */
abstract class Tensor private[flexor] (raw: Long, scope: Scope) extends Resource(raw, scope) {
  /** What operations on it give. */
  type Self <: Tensor
  private[flexor] def binary(op: Quick, other: Tensor): Self
  private[flexor] def scalar(op: Quick, other: Double): Self
  private[flexor] def unary(op: Quick): Self

  def +(other: Tensor): Self = binary(Operators.add, other)
  def -(other: Tensor): Self = binary(Operators.sub, other)
  def *(other: Tensor): Self = binary(Operators.mul, other)
  def /(other: Tensor): Self = binary(Operators.div, other)
  def dot(other: Tensor): Self = binary(Operators.dot, other)
  def +(other: Double): Self = scalar(Operators.addScalar, other)
  def -(other: Double): Self = scalar(Operators.subScalar, other)
  def *(other: Double): Self = scalar(Operators.mulScalar, other)
  def /(other: Double): Self = scalar(Operators.divScalar, other)
  def pow(other: Double): Self = scalar(Operators.powScalar, other)
  def unary_- : Self = scalar(Operators.mulScalar, -1)

  /** The mean, and the sum, of all elements: one element. */
  def mean: Self = unary(Operators.mean)
  def sum: Self = unary(Operators.sum)

  /** Its shape; of a symbol as far as it is known, -1 being unknown. */
  def shape: Shape

  /** With another shape: -1 is what remains, 0 a size that stays. */
  def reshape(sizes: Long*): Self
}

/** An operator that is called often: prepared once for the process. */
private[flexor] final class Quick(val name: String, val call: Long)

/** Operators by name. Prepared calls are kept for the process: each is made once. */
private[flexor] object Operators {
  private val made = new java.util.concurrent.ConcurrentHashMap[(String, List[(String, String)]), java.lang.Long]

  def prepared(name: String, settings: List[(String, String)] = Nil): Long = {
    val key = (name, settings)
    val found = made.get(key)
    if (found != null) found.longValue
    else {
      val call = Native.handle(flexorJNI.flx_call_create(Glue.utf8(name), Native.pairs(settings), _))
      val before = made.putIfAbsent(key, call)
      if (before == null) call else { flexorJNI.flx_free(call); before.longValue }
    }
  }

  private def quick(name: String): Quick = new Quick(name, prepared(name))
  val add: Quick = quick("broadcast_add")
  val sub: Quick = quick("broadcast_sub")
  val mul: Quick = quick("broadcast_mul")
  val div: Quick = quick("broadcast_div")
  val dot: Quick = quick("dot")
  val addScalar: Quick = quick("_plus_scalar")
  val subScalar: Quick = quick("_minus_scalar")
  val mulScalar: Quick = quick("_mul_scalar")
  val divScalar: Quick = quick("_div_scalar")
  val powScalar: Quick = quick("_power_scalar")
  val mean: Quick = quick("mean")
  val sum: Quick = quick("sum")

  def run(name: String, inputs: Seq[Tensor], settings: List[(String, String)]): Seq[Tensor] =
    if (inputs.exists(_.isInstanceOf[Symbol])) Symbol.compose(name, inputs, settings).outputs
    else {
      val arrays = inputs.reverseIterator.dropWhile(_ == null).toArray.reverse.map(t => if (t == null) 0L else t.raw)
      val out = new Array[Array[Long]](1)
      // Settings may hold numbers without end (learning rates, random parameters): beyond so many they are not kept.
      if (made.size < 4096) flexorJNI.flx_call_run(prepared(name, settings), s.mode, arrays, null, out)
      else flexorJNI.flx_invoke(Glue.utf8(name), s.mode, arrays, Native.pairs(settings), out)
      out(0).toVector.map(new NDArray(_, s))
    }

  private def texts(settings: Array[(String, Any)]): List[(String, String)] = settings.toList.map { case (k, v) => k -> Settings.text(v) }
  def all[T <: Tensor](name: String, inputs: Seq[Tensor], settings: Array[(String, Any)]): Seq[T] = run(name, inputs, texts(settings)).asInstanceOf[Seq[T]]
  def one[T <: Tensor](name: String, inputs: Seq[Tensor], settings: Array[(String, Any)]): T = run(name, inputs, texts(settings)).head.asInstanceOf[T]
}

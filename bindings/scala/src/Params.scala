// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}
import org.flexor.nn.{Layer, Param}
import scala.collection.mutable

/** A layer's parameters by name, as it sees them: arrays when it runs, symbols when it is traced. */
trait Params {
  def names: Vector[String]
  /** The parameter called `name`. */
  def apply(name: String): Tensor
  /** A layer inside a layer of one's own: what it computes with the parameters `name.weight` and so on. One that is used twice shares them. */
  def layer(name: String, layer: Layer): Tensor => Tensor = x => layer.run(x, below(name + "."))
  private[flexor] def below(prefix: String): Params
  private[flexor] def handle: Long
}

/** A network's parameters and states, or what a file of arrays holds. */
final class Parameters private[flexor] (raw: Long, scope: Scope) extends Resource(raw, scope) with Params {
  private val parts = mutable.Map.empty[String, Handle]
  private[flexor] def handle: Long = raw

  def names: Vector[String] = Vector.tabulate(Native.int(flexorJNI.flx_params_count(raw, _)))(i => Native.text(flexorJNI.flx_params_name(raw, i, _)))

  /** The array called `name`, not a copy. */
  def apply(name: String): NDArray = {
    val scope = s
    val found = Native.handle(flexorJNI.flx_params_get(raw, Glue.utf8(name), _))
    if (found == 0) throw new NameException(s"[params] there is no `$name`; there are ${names.take(20).mkString(", ")}")
    new NDArray(found, scope)
  }

  /** Overwrites the array called `name`, converted. */
  def update(name: String, value: NDArray): Unit = Using.scope(_ => apply(name).update(value))

  private[flexor] def below(prefix: String): Params = new Part(this, prefix)
  // The arrays below a prefix as the core wants them; made once.
  private[flexor] def part(prefix: String): Long = parts.synchronized(parts.getOrElseUpdate(prefix, {
    val part = Native.handle(flexorJNI.flx_params_create(_))
    for (name <- names if name.startsWith(prefix)) Native.briefly(Native.handle(flexorJNI.flx_params_get(raw, Glue.utf8(name), _)))(flexorJNI.flx_params_set(part, Glue.utf8(name.substring(prefix.length)), _))
    Handle.own(part)
  }).raw)
  private def forgetParts(): Unit = parts.synchronized { parts.values.foreach(_.close()); parts.clear() }
  override def close(): Unit = { forgetParts(); super.close() }

  /** Writes them to a .safetensors, .flx or .params file. */
  def save(path: String): Unit = Native.ready(flexorJNI.flx_params_save(raw, Glue.utf8(path), null, -1, _))

  /** Where the first of them is. */
  def device: String = { val names = this.names; if (names.isEmpty) "cpu(0)" else Using.scope(_ => apply(names.head).device) }
  /** Moves them to `device`, in their places; gradients that were attached are attached there anew. Arrays got before stay where they are. */
  def toDevice(device: String): this.type = { flexorJNI.flx_params_move(raw, Glue.utf8(device)); forgetParts(); this }
  /** A copy on `device` (null: where they are), without gradients. */
  def copy(device: String = null): Parameters = { val scope = s; new Parameters(Native.handle(flexorJNI.flx_params_copy(raw, Glue.utf8(device), _)), scope) }

  /** Moves them out of their scope, until close(). */
  def detach: Parameters = { leave(); this }

  /** Runs `loss` recorded and goes backward from it; its value, and the parameters with their gradients, for an optimizer's `update`. */
  def gradient(loss: Parameters => NDArray): (NDArray, Gradients) = {
    flexorJNI.flx_params_attach(raw, Glue.utf8("write"))
    val value = s.recording(loss(this))
    value.backward()
    (value, new Gradients(this))
  }
}

// Those whose names begin with `prefix`, under what remains.
private[flexor] final class Part(whole: Parameters, prefix: String) extends Params {
  def names: Vector[String] = whole.names.filter(_.startsWith(prefix)).map(_.substring(prefix.length))
  def apply(name: String): NDArray = whole(prefix + name)
  private[flexor] def below(more: String): Params = new Part(whole, prefix + more)
  private[flexor] def handle: Long = whole.part(prefix)
}

object Params {
  /** What a layer of one's own declares: Params("scale" -> Ones(input.tail)). */
  def apply(parameters: (String, Param)*): Declared = new Declared(parameters.toVector)
  /** Reads the arrays of a .safetensors, .flx or MXNet's .params file to `device` (null: the CPU). */
  def load(path: String, device: String = null): Parameters = { val scope = s; new Parameters(Native.handle(flexorJNI.flx_params_load(Glue.utf8(path), Glue.utf8(device), _)), scope) }
}

/** The parameters that a layer of one's own declares, with their shapes and first values. */
final class Declared private[flexor] (private[flexor] val list: Vector[(String, Param)])

/** The gradients that `Parameters.gradient` found; valid until it is called again. */
final class Gradients private[flexor] (private[flexor] val params: Parameters) {
  /** The gradient of the parameter called `name`. */
  def apply(name: String): NDArray = params(name).grad
}

/** An optimizer with its state, for `params`. */
final class Updates private[flexor] (raw: Long, params: Parameters, scope: Scope) extends Resource(raw, scope) {
  /** One step. */
  def update(gradients: Gradients): Unit = {
    if (gradients.params ne params) throw new ArgumentException("[update] the gradients are of other parameters than the optimizer was started with")
    Origins.mark()
    flexorJNI.flx_optimizer_step(raw, params.raw)
  }
  /** Changes a setting, such as learning_rate. */
  def set(key: String, value: Any): Unit = flexorJNI.flx_optimizer_set(raw, Glue.utf8(key), Glue.utf8(Settings.text(value)))
  /** The number that a setting has now. */
  def get(key: String): Double = Native.double(flexorJNI.flx_optimizer_get(raw, Glue.utf8(key), _))
}

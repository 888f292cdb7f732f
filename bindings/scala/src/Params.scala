// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

/** Arrays by name: a network's parameters and states, or what a file holds. */
final class Params private[flexor] (raw: Long, scope: Scope) extends Resource(raw, scope) {
  def names: Vector[String] = Vector.tabulate(Native.int(flexorJNI.flx_params_count(raw, _)))(i => Native.text(flexorJNI.flx_params_name(raw, i, _)))

  /** The array called `name`, not a copy. */
  def apply(name: String): NDArray = {
    val scope = s
    val found = Native.handle(flexorJNI.flx_params_get(raw, Glue.utf8(name), _))
    if (found == 0) throw new NameException(s"[params] there is no `$name`; there are ${names.mkString(", ")}")
    new NDArray(found, scope)
  }

  /** Writes them to a .safetensors, .flx or .params file. */
  def save(path: String): Unit = Native.ready(flexorJNI.flx_params_save(raw, Glue.utf8(path), null, -1, _))

  /** Moves them out of their scope, until close(). */
  def detach: Params = { leave(); this }

  /** Runs `loss` recorded and goes backward from it; its value, and the parameters with their gradients, for an optimizer's `update`. */
  def gradient(loss: Params => NDArray): (NDArray, Gradients) = {
    flexorJNI.flx_params_attach(raw, Glue.utf8("write"))
    val value = s.recording(loss(this))
    value.backward()
    (value, new Gradients(this))
  }
}

object Params {
  /** Reads the arrays of a .safetensors, .flx or MXNet's .params file. */
  def load(path: String): Params = { val scope = s; new Params(Native.handle(flexorJNI.flx_params_load(Glue.utf8(path), null, _)), scope) }
}

/** The gradients that `Params.gradient` found; valid until it is called again. */
final class Gradients private[flexor] (private[flexor] val params: Params) {
  /** The gradient of the parameter called `name`. */
  def apply(name: String): NDArray = params(name).grad
}

/** An optimizer with its state, for `params`. */
final class Updates private[flexor] (raw: Long, params: Params, scope: Scope) extends Resource(raw, scope) {
  /** One step. */
  def update(gradients: Gradients): Unit = {
    if (gradients.params ne params) throw new ArgumentException("[update] the gradients are of other parameters than the optimizer was started with")
    flexorJNI.flx_optimizer_step(raw, params.raw)
  }
  /** Changes a setting, such as learning_rate. */
  def set(key: String, value: Any): Unit = flexorJNI.flx_optimizer_set(raw, Glue.utf8(key), Glue.utf8(Settings.text(value)))
  /** The number that a setting has now. */
  def get(key: String): Double = Native.double(flexorJNI.flx_optimizer_get(raw, Glue.utf8(key), _))
}

// SPDX-License-Identifier: Apache-2.0
package org.flexor.nn

import org.flexor._
import org.flexor.Scope.{here => s}

/** What networks are made of: an immutable description, which holds nothing of the library's and may be shared, compared and serialized. */
sealed abstract class Layer extends Serializable {
  private[flexor] def create(): Long
  private[flexor] def using[A](body: Long => A): A = Native.briefly(create())(body)
  private def shaped(input: Shape): Array[Byte] = Native.pairs(Seq("data" -> Settings.text(input.sizes.map(n => if (n < 0) None else n))))

  /** A table: each layer with its output shape and number of parameters. */
  def summary(input: Shape, columns: Int = 100): String = using(h => Native.text(flexorJNI.flx_layer_summary(h, shaped(input), columns, _)))

  /** The layer as a document; equal layers give equal texts. */
  def toJson: String = using(h => Native.text(flexorJNI.flx_layer_to_json(h, _)))

  /** First values for its parameters. */
  def init(input: Shape, seed: Long = 0, initializer: Option[Initializer] = None): Params = using { h =>
    val from = initializer.fold(0L)(_.create())
    try { val scope = s; new Params(Native.handle(flexorJNI.flx_params_init(h, shaped(input), from, seed, _)), scope) }
    finally flexorJNI.flx_free(from)
  }

  /** Computes it for `x` with `params`. */
  def apply(x: NDArray, params: Params): NDArray = using { h =>
    new NDArray(Native.longs(flexorJNI.flx_layer_run(h, params.raw, s.mode, Array(x.raw), _))(0), s)
  }
}

/** A layer of the core's: its kind and settings. */
abstract class CoreLayer private[flexor] (val kind: String, val settings: List[(String, String)]) extends Layer {
  private[flexor] def create(): Long = Native.handle(flexorJNI.flx_layer_create(Native.utf8(kind), null, Native.pairs(settings), _))
  flexorJNI.flx_free(create()) // a wrong setting is told where it is written
}

/** A layer by the name and settings it is registered with. */
final case class Named(name: String, given: List[(String, String)]) extends CoreLayer(name, given)

/** A loss: of predictions and labels, one number a sample. */
abstract class Loss private[flexor] (kind: String, settings: List[(String, String)]) extends CoreLayer(kind, settings) {
  def apply(predictions: NDArray, labels: NDArray): NDArray = using { h =>
    new NDArray(Native.longs(flexorJNI.flx_layer_run(h, 0L, s.mode, Array(predictions.raw, labels.raw), _))(0), s)
  }
}

/** Layers that hold layers. */
sealed abstract class Container private[flexor] (val kind: String, settings: List[(String, String)]) extends Layer {
  def layers: Seq[Layer]
  private[flexor] def create(): Long = {
    val made = Native.handle(flexorJNI.flx_layer_create(Native.utf8(kind), null, Native.pairs(settings), _))
    try { for (layer <- layers) layer.using(flexorJNI.flx_layer_add(made, _)); made }
    catch { case e: Throwable => flexorJNI.flx_free(made); throw e }
  }
}

/** One after another. */
final case class Sequential(layers: Layer*) extends Container("Sequential", Nil)

/** What layers compute, added to their input. */
final case class Residual(layers: Layer*) extends Container("Residual", Nil)

/** A layer that a file described. */
final case class Described(json: String) extends Layer {
  private[flexor] def create(): Long = Native.handle(flexorJNI.flx_layer_from_json(Native.utf8(json), _))
}

// SPDX-License-Identifier: Apache-2.0
package org.flexor.nn

import java.util.concurrent.ConcurrentHashMap
import org.flexor._
import org.flexor.Scope.{here => s}

/** What networks are made of: an immutable description that may be shared, compared and serialized, and the base of layers of one's own.
  *
  * {{{
  * case object ScaleShift extends Layer {
  *   def params(input: Shape) = Params("scale" -> Ones(input.tail), "shift" -> Zeros(input.tail))
  *   def apply(x: Tensor, p: Params)(implicit s: Scope) = x * p("scale") + p("shift")
  * }
  * }}}
  * It runs as Scala does. Where it is fitted, saved or hybridized, `apply` is called with symbols, and the graph becomes a layer of the core, which every language runs. So it must do with
  * symbols what it does with arrays: no decision by values, and no size of the batch as a number (write 0 in a reshape). [[org.flexor.HostOperator]] makes a function an operation for it. */
abstract class Layer extends Serializable {
  /** The parameters that a layer of one's own has, for an input of this shape; input(0), the batch, is -1. */
  def params(input: Shape): Declared

  /** Computes it for `x`, an array, or a symbol when it is traced. */
  def apply(x: Tensor, params: Params)(implicit s: Scope): Tensor

  /** Computes it for `x` with `params`. */
  def apply(x: NDArray, params: Params): NDArray = on(x, params)

  /** The same, where the compiler sees two `apply` in a layer of one's own. */
  final def on(x: NDArray, params: Params): NDArray = run(x, params).asInstanceOf[NDArray]

  /** Computes it for several inputs, or with several outputs, as recurrent layers have. */
  def all(inputs: Seq[NDArray], params: Params): Seq[NDArray] = { val scope = s; using(inputs.head.shape)(h => Native.longs(flexorJNI.flx_layer_run(h, params.handle, scope.mode, inputs.map(_.raw).toArray, _))).toVector.map(new NDArray(_, scope)) }

  /** What it is called in summaries. */
  def label: String = this match { case p: Product => p.productPrefix; case _ => getClass.getName.split("[.$]").filter(_.nonEmpty).last }

  // Whether the core has it as a whole, so that it runs in one call.
  private[flexor] def isCore: Boolean = false
  private[flexor] def run(x: Tensor, params: Params): Tensor = x match {
    case symbol: Symbol => Trace.traced(params).own(this, params, symbol)
    case array          => apply(array, params)(s)
  }
  // The layer of the core that it is, for inputs of this shape (null: not known), as a new handle.
  private[flexor] def create(input: Shape): Long = Trace.build(this, input)

  // What it was made into for runs, freed by the collector: a description holds nothing that must be closed, and is serialized without it.
  @transient @volatile private var kept: ConcurrentHashMap[Shape, Handle] = null
  private[flexor] def using[A](input: Shape)(body: Long => A): A = {
    if (kept == null) synchronized { if (kept == null) kept = new ConcurrentHashMap[Shape, Handle] }
    val key = if (isCore) Layer.any else -1L +: input.tail
    var handle = kept.get(key)
    if (handle == null) {
      if (kept.size >= 8) kept.clear()
      val made = Native.own(create(if (isCore) null else key))
      val before = kept.putIfAbsent(key, made)
      handle = if (before == null) made else { made.close(); before }
    }
    try body(Native.raw(handle)) finally java.lang.ref.Reference.reachabilityFence(handle)
  }
  private[flexor] def briefly[A](input: Shape)(body: Long => A): A = Native.briefly(create(input))(body)

  /** A table: each layer with its output shape and number of parameters. */
  def summary(input: Shape, columns: Int = 100): String = briefly(input)(h => Native.text(flexorJNI.flx_layer_summary(h, Layer.data(input), columns, _)))

  /** A picture of it as a graph. `format` is svg or dot. */
  def draw(input: Shape, format: String = "svg"): Drawing =
    briefly(input)(h => new Drawing(Native.text(flexorJNI.flx_layer_draw(h, Layer.data(Shape(input.sizes.map(n => if (n < 0) 1L else n): _*)), Native.utf8(format), _))))

  /** The layer as a document; equal layers give equal texts. One of one's own needs the input's shape. */
  def toJson: String = toJson(null)
  def toJson(input: Shape): String = briefly(input)(h => Native.text(flexorJNI.flx_layer_to_json(h, _)))

  /** The same layer, run by plans, one operation each, which are made at the first run of each signature: the same numbers, faster. */
  def hybridize: Hybridized = Hybridized(this)

  /** First values for its parameters, made on `device`, as "gpu(0)" (null: on the CPU), with the values that they have on the CPU. */
  def init(input: Shape, seed: Long = 0, initializer: Option[Initializer] = None, device: String = null): Parameters = briefly(input) { h =>
    val from = initializer.fold(0L)(_.create())
    try { val scope = s; new Parameters(Native.handle(flexorJNI.flx_params_init(h, Layer.data(input, device), from, seed, _)), scope) }
    finally flexorJNI.flx_free(from)
  }
}

private[flexor] object Layer {
  val any: Shape = Shape()
  def data(input: Shape, device: String = null): Array[Byte] =
    Native.pairs(("data" -> Settings.text(input.sizes.map(n => if (n < 0) None else n))) :: Option(device).toList.map("device" -> _))
}

/** A parameter that a layer of one's own declares. `initializer` is a name or one of [[org.flexor.initializer]], empty: the one given to the network. What is not `trainable` no optimizer changes. */
final case class Param(shape: Shape, initializer: Any = "", trainable: Boolean = true) {
  if (shape.sizes.exists(_ < 0)) throw new ShapeException(s"[Param] a parameter's shape must be known, given $shape. In params(input), input(0) is the batch.")
  private[flexor] def attributes: Seq[(String, Any)] =
    Seq("shape" -> shape, "dtype" -> "float32") ++ (if (initializer == "") Nil else Seq("init" -> initializer)) ++ (if (trainable) Nil else Seq("lr_mult" -> 0))
}
/** A parameter that begins with ones. */
object Ones { def apply(shape: Shape): Param = Param(shape, "ones") }
/** A parameter that begins with zeros. */
object Zeros { def apply(shape: Shape): Param = Param(shape, "zeros") }

/** Layers that the core computes. */
abstract class CoreRun private[flexor] extends Layer {
  /** The core knows them. */
  def params(input: Shape): Declared = Params()
  def apply(x: Tensor, params: Params)(implicit s: Scope): Tensor = run(x, params)
  override def apply(x: NDArray, params: Params): NDArray = on(x, params)
  private[flexor] override def isCore: Boolean = true
  private[flexor] override def run(x: Tensor, params: Params): Tensor = x match {
    case symbol: Symbol => Trace.traced(params).core(this, params, symbol)
    case array => val scope = s; using(null)(h => new NDArray(Native.longs(flexorJNI.flx_layer_run(h, params.handle, scope.mode, Array(array.raw), _))(0), scope))
  }
}

/** A layer of the core's: its kind and settings. */
abstract class CoreLayer private[flexor] (val kind: String, val settings: List[(String, String)]) extends CoreRun {
  private[flexor] override def create(input: Shape): Long = Native.handle(flexorJNI.flx_layer_create(Native.utf8(kind), null, Native.pairs(settings), _))
  flexorJNI.flx_free(create(null)) // a wrong setting is told where it is written
}

/** A layer by the name and settings it is registered with. */
final case class Named(name: String, options: List[(String, String)]) extends CoreLayer(name, options)

/** A loss: of predictions and labels, one number a sample. */
abstract class Loss private[flexor] (kind: String, settings: List[(String, String)]) extends CoreLayer(kind, settings) {
  def apply(predictions: NDArray, labels: NDArray): NDArray = {
    val scope = s
    using(null)(h => new NDArray(Native.longs(flexorJNI.flx_layer_run(h, 0L, scope.mode, Array(predictions.raw, labels.raw), _))(0), scope))
  }
}

/** Layers that hold layers. */
abstract class Container private[flexor] (val kind: String, private[flexor] val settings: List[(String, String)]) extends CoreRun {
  def layers: Seq[Layer]
  for (layer <- layers) layer match { case l: Loss => throw new ArgumentException(s"[$kind] a loss (${l.kind}) cannot be a child; it is given to the fit."); case _ => }
  private[flexor] override def isCore: Boolean = layers.forall(_.isCore)
  private[flexor] def empty(): Long = Native.handle(flexorJNI.flx_layer_create(Native.utf8(kind), null, Native.pairs(settings), _))
  // In Scala, where one of them is not the core's.
  private[flexor] def chain(x: Tensor, params: Params): Tensor = throw new UnsupportedException(s"[$kind] takes layers of the core only, and holds one of your own", kind)
  private[flexor] final def inTurn(x: Tensor, params: Params): Tensor = layers.zipWithIndex.foldLeft(x) { case (y, (layer, i)) => layer.run(y, params.below(s"$i.")) }
  private[flexor] override def run(x: Tensor, params: Params): Tensor = if (isCore) super.run(x, params) else chain(x, params)
  private[flexor] override def create(input: Shape): Long = {
    val made = empty()
    try {
      var now = input
      for (layer <- layers) {
        Native.briefly(layer.create(now)) { child =>
          flexorJNI.flx_layer_add(made, child)
          if (!isCore && !branches) now = Trace.output(child, now)
        }
      }
      made
    } catch { case e: Throwable => flexorJNI.flx_free(made); throw e }
  }
  // Whether each layer gets the input, not what the one before gave.
  private[flexor] def branches: Boolean = false
}

/** One after another. */
final case class Sequential(layers: Layer*) extends Container("Sequential", Nil) {
  private[flexor] override def chain(x: Tensor, params: Params): Tensor = inTurn(x, params)
}

/** What layers compute, added to their input. */
final case class Residual(layers: Layer*) extends Container("Residual", Nil) {
  private[flexor] override def chain(x: Tensor, params: Params): Tensor = x + inTurn(x, params)
}

/** Layers side by side, made by its companion. */
final case class Concurrent(layers: Seq[Layer], combine: String, axis: Long) extends Container("Concurrent", Settings.list("Concurrent", "combine" -> combine, "axis" -> axis)) {
  private[flexor] override def branches: Boolean = true
  private[flexor] override def chain(x: Tensor, params: Params): Tensor = {
    val parts = layers.zipWithIndex.map { case (layer, i) => layer.run(x, params.below(s"$i.")) }
    if (combine == "concat") op.concat(parts, axis) else parts.reduce((a: Tensor, b: Tensor) => if (combine == "add") a + b else a * b)
  }
}
object Concurrent {
  /** Each layer gets the same input; what they give becomes one by `combine`: concat (along `axis`), add or multiply. */
  def apply(combine: String = "concat", axis: Long = -1)(layers: Layer*): Concurrent = new Concurrent(layers, combine, axis)
}

/** A layer that is run by plans: see [[Layer.hybridize]]. Options are the registry's: passes, memory, plans, fallback, print. */
final case class Hybridized(layer: Layer, options: List[(String, String)] = Nil) extends CoreRun {
  private[flexor] override def isCore: Boolean = layer.isCore
  private[flexor] override def run(x: Tensor, params: Params): Tensor = x match {
    case symbol: Symbol => layer.run(symbol, params)
    case array => val scope = s; using(array.shape)(h => new NDArray(Native.longs(flexorJNI.flx_layer_run(h, params.handle, scope.mode, Array(array.raw), _))(0), scope))
  }
  private[flexor] override def create(input: Shape): Long = {
    val made = layer.create(input)
    try { flexorJNI.flx_layer_hybridize(made, Native.pairs(("active" -> "True") :: options)); made } catch { case e: Throwable => flexorJNI.flx_free(made); throw e }
  }
  /** A text about the plan used last: graph, plan, passes, memory, signatures or prologue. It needs the shape that it ran with, if it holds a layer of one's own. */
  def plan(field: String = "plan", input: Shape = null): String = using(input)(h => Native.text(flexorJNI.flx_layer_plan(h, Native.utf8(field), _)))
}

/** A layer that a file described. */
final case class Described(json: String) extends CoreRun {
  private[flexor] override def create(input: Shape): Long = Native.handle(flexorJNI.flx_layer_from_json(Native.utf8(json), _))
}

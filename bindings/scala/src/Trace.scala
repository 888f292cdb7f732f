// SPDX-License-Identifier: Apache-2.0
package org.flexor.nn

import org.flexor._
import scala.collection.mutable

/** How a layer of one's own becomes a layer of the core: its `apply` is called with symbols of known shapes. It is traced with two sizes of what is unknown, and both graphs must be equal,
  * so that no size of a batch is built in unnoticed. */
private[flexor] final class Trace {
  private val variables = mutable.LinkedHashMap.empty[String, Symbol]
  private val applied = mutable.Set.empty[String]
  private def path(params: Params): String = params.asInstanceOf[Traced].path

  /** A layer of the core on a symbol. */
  def core(layer: Layer, params: Params, x: Symbol): Symbol = {
    val (prefix, scope) = (path(params), Scope.here)
    val in = x.inferred
    val made = layer.briefly(null)(h => new Symbol(Native.handle(flexorJNI.flx_layer_apply(h, Native.utf8(prefix), Array(in.raw), _)), scope))
    if (applied.add(prefix)) {
      for ((name, i) <- made.inputs.zipWithIndex if name.startsWith(prefix) && !variables.contains(name)) variables(name) = made.part(flexorConstants.FLX_INPUT, i)
      made
    } else { // a second time: the parameters of the first
      val shared = made.inputs.filter(variables.contains)
      if (shared.isEmpty) made
      else new Symbol(Native.handle(flexorJNI.flx_symbol_substitute(made.raw, shared.map(variables(_).raw).toArray, Native.utf8(shared.toArray), _)), scope)
    }
  }

  /** A layer of one's own on a symbol. */
  def own(layer: Layer, params: Params, x: Symbol): Symbol = {
    val prefix = path(params)
    val in = x.inferred
    val declared = layer.params(-1L +: in.shape.tail).list.map { case (name, p) => name -> variables.getOrElseUpdate(prefix + name, Symbol.variable(prefix + name, p.attributes: _*).inferred) }
    layer(in: Tensor, new Traced(this, prefix, declared))(Scope.here) match {
      case y: Symbol => y
      case _ => throw new UnsupportedException(s"[${layer.label}] apply must give what it computed from its input; it gave an array when it was called with a symbol. HostOperator makes a function an operation.", layer.label)
    }
  }
}

// Parameters while tracing: symbols.
private[flexor] final class Traced(val trace: Trace, val path: String, declared: Vector[(String, Symbol)]) extends Params {
  def names: Vector[String] = declared.map(_._1)
  def apply(name: String): Symbol = declared.collectFirst { case (`name`, symbol) => symbol }.getOrElse(
    throw new NameException(s"[params] the layer declares no `$name`" + (if (declared.isEmpty) "" else s"; it declares ${names.mkString(", ")}")))
  private[flexor] def below(prefix: String): Params = new Traced(trace, path + prefix, Vector.empty)
  private[flexor] def handle: Long = throw new StateException("[params] a layer is being traced: its parameters are symbols")
}

private[flexor] object Trace {
  private val probes = List(2L, 3L) // sizes that stand for an unknown one

  def traced(params: Params): Trace = params match {
    case t: Traced => t.trace
    case _         => throw Symbol.mixed("layer")
  }

  private def with_(shape: Shape, probe: Long): Shape = Shape(shape.sizes.map(n => if (n < 0) probe else n): _*)
  private def data(shape: Shape): Symbol = Symbol.variable("data", "shape" -> shape, "dtype" -> "float32").inferred
  private def probed(input: Shape): List[Long] = if (input.sizes.exists(_ < 0)) probes else probes.take(1)

  /** A new layer of the core for a layer of one's own. */
  def build(layer: Layer, input: Shape): Long = {
    if (input == null) throw new StateException(s"[${layer.label}] is a layer of your own, so the input's shape must be known: give it", layer.label)
    Using.scope { _ =>
      val counts = Symbol.counts.get
      val graphs = for (probe <- probed(input)) yield {
        Symbol.counts.set(mutable.Map.empty)
        val trace = new Trace
        val graph = try trace.own(layer, new Traced(trace, "", Vector.empty), data(with_(input, probe))) finally Symbol.counts.set(counts)
        new Symbol(Native.handle(flexorJNI.flx_symbol_substitute(graph.raw, Array(Symbol.variable("data").raw), Native.utf8("data"), _)), Scope.here)
      }
      if (graphs.map(_.toJson).distinct.length > 1)
        throw new ArgumentException(s"[${layer.label}] apply builds the size of the batch into what it computes, so it would be right for that size alone. In a reshape write 0 for a size that stays " +
          "and -1 for one that follows; do not use x.shape(0) as a number.", layer.label)
      Native.handle(flexorJNI.flx_layer_from_symbol(graphs.head.raw, Native.utf8(layer.label), Native.utf8("data"), _))
    }
  }

  /** The output's shape of a layer of the core; -1 where the input's size is. */
  def output(layer: Long, input: Shape): Shape = Using.scope { _ =>
    val found = for (probe <- probed(input)) yield
      new Symbol(Native.handle(flexorJNI.flx_layer_apply(layer, Native.utf8(""), Array(data(with_(input, probe)).raw), _)), Scope.here).inferred.shape.sizes
    if (found.length == 1) Shape(found.head: _*) else Shape(found(0).zip(found(1)).map { case (a, b) => if (a == b) a else -1L }: _*)
  }

  /** How many numbers a model gives for a sample. */
  def width(model: Long, input: Shape): Long = Native.briefly(Native.handle(flexorJNI.flx_model_layer(model, _))) { h => val all = output(h, input).sizes; if (all.length < 2) 1 else all.last }
}

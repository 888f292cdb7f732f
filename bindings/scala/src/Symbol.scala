// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}
import scala.collection.mutable

/** A graph of operators, composed before there is data: what a layer of one's own computes on while it is traced, and what MXNet's JSON files hold. All operators of [[op]] work on symbols. */
final class Symbol private[flexor] (raw: Long, scope: Scope) extends Tensor(raw, scope) {
  import flexorConstants._
  type Self = Symbol
  private def made(call: Array[Long] => Unit): Symbol = { val scope = s; new Symbol(Native.handle(call), scope) }

  private[flexor] def binary(op: Quick, other: Tensor): Symbol = Symbol.compose(op.name, Seq(this, other), Nil)
  private[flexor] def scalar(op: Quick, other: Double): Symbol = Symbol.compose(op.name, Seq(this), List("scalar" -> Settings.text(other)))
  private[flexor] def unary(op: Quick): Symbol = Symbol.compose(op.name, Seq(this), Nil)
  def reshape(sizes: Long*): Symbol = Symbol.compose("Reshape", Seq(this), List("shape" -> Settings.text(sizes)))

  private def names(part: Int): Vector[String] = Vector.tabulate(Native.int(flexorJNI.flx_symbol_count(raw, part, _)))(i => Native.text(flexorJNI.flx_symbol_name(raw, part, i, _)))
  /** The variables that are no auxiliary states, in the graph's order. */
  def arguments: Vector[String] = names(FLX_ARGUMENT)
  /** The states that training changes, as running means. */
  def auxiliaries: Vector[String] = names(FLX_AUXILIARY)
  /** Arguments and auxiliary states in the graph's order. */
  def inputs: Vector[String] = names(FLX_INPUT)
  /** What each output is called: "fc1_output". */
  def outputNames: Vector[String] = names(FLX_OUTPUT)
  /** All outputs of all nodes. */
  def internals: Vector[String] = names(FLX_INTERNAL)
  private[flexor] def part(part: Int, index: Int): Symbol = made(flexorJNI.flx_symbol_at(raw, part, index, _))

  /** Each output as a symbol. */
  def outputs: Vector[Symbol] = { val n = Native.int(flexorJNI.flx_symbol_count(raw, FLX_OUTPUT, _)); if (n == 1) Vector(this) else Vector.tabulate(n)(part(FLX_OUTPUT, _)) }

  /** The output or internal output called `name`. */
  def apply(name: String): Symbol = {
    val index = internals.indexOf(name)
    if (index < 0) throw new NameException(s"[symbol] has no output called `$name`; there are ${internals.takeRight(10).mkString(", ")}")
    part(FLX_INTERNAL, index)
  }

  private[flexor] def inferred: Symbol = made(flexorJNI.flx_symbol_infer(raw, null, 1, _))
  /** With its shapes found, from those of its variables: infer("data" -> Shape(64, 1, 28, 28)). */
  def infer(shapes: (String, Shape)*): Symbol = made(flexorJNI.flx_symbol_infer(raw, Native.pairs(shapes.map { case (k, v) => k -> Settings.text(v) }), 0, _))

  def shape: Shape = shapeOf(FLX_OUTPUT, 0)
  private[flexor] def shapeOf(part: Int, index: Int): Shape = Using.scope { _ =>
    val (known, dims) = (new Array[Int](1), new Array[Array[Long]](1))
    flexorJNI.flx_symbol_shape(inferred.raw, part, index, new Array[Int](1), known, dims)
    if (known(0) == 0) throw new StateException("[symbol] its shape is not known. Give its variables a shape.")
    Shape.from(dims(0))
  }

  /** As MXNet's JSON document. */
  def toJson: String = Native.text(flexorJNI.flx_symbol_to_json(raw, _))
  /** Writes that document to a file. */
  def save(path: String): Unit = flexorJNI.flx_symbol_save(raw, Glue.utf8(path))
  /** A table of its operators. */
  def summary(columns: Int = 100): String = Native.text(flexorJNI.flx_symbol_summary(raw, columns, _))
  /** A picture of it. */
  def draw: Drawing = new Drawing(Native.text(flexorJNI.flx_symbol_draw(raw, Glue.utf8("svg"), _)))
  /** As a layer, whose inputs are these variables; all others are its parameters. */
  def toLayer(inputs: String*): nn.Layer =
    Native.briefly(Native.handle(flexorJNI.flx_layer_from_symbol(raw, null, Glue.utf8(inputs.toArray), _)))(h => nn.Described(Native.text(flexorJNI.flx_layer_to_json(h, _))))

  override def toString: String = s"<Symbol ${outputNames.mkString(", ")}>"
}

object Symbol {
  // Names of nodes that are given none: relu0, relu1 ... by thread; a trace counts afresh, so that equal layers give equal graphs.
  private[flexor] val counts = new ThreadLocal[mutable.Map[String, Int]] { override def initialValue: mutable.Map[String, Int] = mutable.Map.empty }
  private def name(operator: String): String = {
    val word = operator.toLowerCase.dropWhile(_ == '_').reverse.dropWhile(_ == '_').reverse
    val number = counts.get.getOrElse(word, 0)
    counts.get(word) = number + 1
    word + number
  }
  private[flexor] def mixed(operator: String): TypeException =
    new TypeException(s"[$operator] an array met a symbol: this layer is traced, to be fitted or saved. What it computes with must come from its input, its parameters and numbers.", operator)

  private[flexor] def compose(operator: String, inputs: Seq[Tensor], settings: List[(String, String)], called: String = null): Symbol = {
    val scope = s
    val there = inputs.reverse.dropWhile(_ == null).reverse
    val raws = there.flatMap {
      case x: Symbol => x.outputs.map(_.raw)
      case null      => throw new UnsupportedException(s"[$operator] an input before the last was left out, which a symbol cannot say.", operator)
      case _         => throw mixed(operator)
    }
    new Symbol(Native.handle(flexorJNI.flx_symbol_compose(Glue.utf8(operator), Glue.utf8(if (called == null) name(operator) else called), raws.toArray, null, Native.pairs(settings), _)), scope)
  }

  /** A variable; attributes may be shape, dtype, init, lr_mult ... */
  def variable(name: String, attributes: (String, Any)*): Symbol = {
    val scope = s
    new Symbol(Native.handle(flexorJNI.flx_symbol_variable(Glue.utf8(name), Native.pairs(attributes.map { case (k, v) => k -> Settings.text(v) }), _)), scope)
  }
  /** The outputs of several as one. */
  def group(symbols: Symbol*): Symbol = { val scope = s; new Symbol(Native.handle(flexorJNI.flx_symbol_group(symbols.map(_.raw).toArray, _)), scope) }
  /** Reads MXNet's JSON document, from a text or a file. */
  def fromJson(text: String): Symbol = { val scope = s; new Symbol(Native.handle(flexorJNI.flx_symbol_from_json(Glue.utf8(text), _)), scope) }
  def load(path: String): Symbol = { val scope = s; new Symbol(Native.handle(flexorJNI.flx_symbol_load(Glue.utf8(path), _)), scope) }
}

/** A picture as text. */
final class Drawing private[flexor] (val text: String) {
  /** Writes it to a file. */
  def save(path: String): Unit =
    try java.nio.file.Files.write(java.nio.file.Paths.get(path), text.getBytes(java.nio.charset.StandardCharsets.UTF_8))
    catch { case e: java.io.IOException => throw new FileException(s"[draw] the file $path cannot be written: $e", "", "", "", "", path) }
  override def toString: String = text
}

// SPDX-License-Identifier: Apache-2.0
package org.flexor

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong
import org.flexor.Scope.{here => s}

/** What a task asks for: forward, backward, batch or metric, with the arrays for it; `first` where a batch begins an epoch. */
private[flexor] final class Question(val stage: String, val arrays: Vector[NDArray], val first: Boolean)

/** Functions of Scala that the core asks for by a token, on the thread that drives the task. */
private[flexor] object Hosts {
  private val known = new ConcurrentHashMap[java.lang.Long, Question => Seq[NDArray]]
  private val last = new AtomicLong
  /** Whether any operator of one's own was recorded, so that going backward has to be a task. */
  @volatile var recorded = false

  /** A token for `function`; forgotten when no tape, operator, iterator or metric needs it any more. A null in what it gives is a gradient of zero. */
  def register(function: Question => Seq[NDArray]): Long = {
    forget()
    val token = last.incrementAndGet()
    known.put(token, function)
    token
  }

  private def forget(): Unit = {
    var token = Native.long(flexorJNI.flx_token_next(_))
    while (token >= 0) { known.remove(token); token = Native.long(flexorJNI.flx_token_next(_)) }
  }

  /** Runs the function that `task` asks for, and replies. What it throws comes out as it is. */
  def answer(task: Long): Unit = Using.scope { scope =>
    val token = Native.long(flexorJNI.flx_task_token(task, _))
    val function = known.get(token)
    if (function == null) throw new StateException(s"[host] no function of this process has the token $token")
    val stage = try Native.text(flexorJNI.flx_task_text(task, Glue.utf8("host"), _)) catch { case _: NameException => "backward" } // a task that only goes backward
    val first = stage == "batch" && Native.double(flexorJNI.flx_task_number(task, Glue.utf8("first"), _)) == 1
    val arrays = Native.longs(flexorJNI.flx_task_arrays(task, _))
    val answers = function(new Question(stage, if (arrays == null) Vector.empty else arrays.toVector.map(new NDArray(_, scope)), first))
    flexorJNI.flx_task_reply(task, answers.map(a => if (a == null) 0L else a.raw).toArray)
  }
}

/** Work of the core's that a thread of ours drives. */
private[flexor] object Tasks {
  import flexorConstants._

  /** Goes on until there is news, running what is asked for on the way. FLX_PENDING: the thread was interrupted. */
  def next(task: Long): Int = {
    Origins.mark()
    var event = FLX_HOST
    while (event == FLX_HOST) {
      // What never waits long gives the glue no time to look for interrupts.
      event = if (Thread.currentThread.isInterrupted) FLX_PENDING else Native.int(flexorJNI.flx_task_next(task, -1, _))
      if (event == FLX_HOST)
        try Hosts.answer(task)
        catch { case e: Throwable => fail(task, e.toString); throw e }
    }
    event
  }

  private def fail(task: Long, why: String): Unit = try flexorJNI.flx_task_fail(task, Glue.utf8(why.replace('\u0000', ' '))) catch { case _: FlexorException => }

  /** Brings a task to its end after the batch at work, whatever state it is in. */
  def end(task: Long): Unit = {
    val interrupted = Thread.interrupted() // or nothing would be waited for
    try {
      flexorJNI.flx_task_stop(task)
      var event = FLX_BATCH
      while (event != FLX_DONE) {
        event = Native.int(flexorJNI.flx_task_next(task, 100, _))
        if (event == FLX_HOST) fail(task, "stopped")
      }
    } catch { case _: FlexorException => } // it had failed
    finally if (interrupted) Thread.currentThread.interrupt()
  }

  /** Drives it to its end. */
  def drive(task: Long, what: String): Unit =
    try {
      var event = FLX_BATCH
      while (event != FLX_DONE) {
        event = next(task)
        if (event == FLX_PENDING) { Thread.interrupted(); throw new InterruptedException(s"[$what] the thread was interrupted") }
      }
    } catch { case e: Throwable => end(task); throw e }
}

/** Numbers in plain memory with their shape, row-major: what functions of one's own take and give. */
final class HostArray(val values: Array[Float], val shape: Shape) {
  if (values.length != shape.size) throw new ShapeException(s"[host array] shape $shape has ${shape.size} elements, given ${values.length}")
  def length: Int = values.length
  def apply(index: Int): Float = values(index)
  /** Element by element. */
  def map(f: Float => Float): HostArray = { val out = new Array[Float](length); var i = 0; while (i < length) { out(i) = f(values(i)); i += 1 }; new HostArray(out, shape) }
  /** Element by element with another of the same shape. */
  def zipMap(other: HostArray)(f: (Float, Float) => Float): HostArray = {
    if (other.shape != shape) throw new ShapeException(s"[host array] the shapes must be the same: $shape and ${other.shape}")
    val out = new Array[Float](length)
    var i = 0
    while (i < length) { out(i) = f(values(i), other.values(i)); i += 1 }
    new HostArray(out, shape)
  }
  /** Along the first axis. */
  def rows: Vector[Array[Float]] = { val n = if (shape.rank == 0) 1 else shape(0).toInt; Vector.tabulate(n)(i => java.util.Arrays.copyOfRange(values, i * length / n, (i + 1) * length / n)) }
  override def toString: String = s"HostArray($shape)"
}

private[flexor] object HostArray {
  def of(name: String)(array: NDArray): HostArray = {
    val dtype = array.dtype
    if (dtype == DType.Float64 || dtype == DType.Int64) throw new TypeException(s"[$name] a function of one's own takes float32 numbers, given $dtype: cast them, op.cast(x, DType.Float32)", name)
    new HostArray(array.toFloats, array.shape)
  }
  /** As an array again, in the type and the place of the first of `inputs`. */
  def back(inputs: NDArray*): HostArray => NDArray = {
    val (dtype, device) = inputs.headOption.fold((DType.Float32: DType, "cpu"))(x => (x.dtype, x.device))
    array => if (array == null) null else made(array, dtype, device)
  }
  private def made(array: HostArray, dtype: DType, device: String): NDArray =
    { val b = NDArray.on(device).of(array.values, array.shape); if (dtype == DType.Float32 || dtype.name.startsWith("int") || dtype.name.startsWith("uint")) b else b.to(dtype) }
}

/** An operation of one's own with its own gradient, made by its companion: of arrays at once, of symbols in layers. It runs on the thread that called, in fits and predictions, too. */
final class HostOperator private (val name: String, outputs: Int, shapes: Option[Seq[Shape] => Seq[Shape]], compute: Seq[HostArray] => Seq[HostArray],
                                  gradient: Option[(Seq[HostArray], Seq[HostArray], Seq[HostArray]) => Seq[HostArray]]) {
  private val token = Hosts.register(HostOperator.answer(name, outputs, compute, gradient))
  // A node that holds the token as long as this lives, so that files find the function by its name.
  private val anchor = Using.scope { scope => Handle.own(Native.handle(flexorJNI.flx_symbol_at(compose(Seq(Symbol.variable("x")), Nil, name).raw, flexorConstants.FLX_OUTPUT, 0, _))) }

  private def compose(inputs: Seq[Tensor], more: List[(String, String)], called: String = null): Symbol =
    Symbol.compose("_host", inputs, List("token" -> token.toString, "outputs" -> outputs.toString, "label" -> name) ++ more, called)

  /** Of one input, with one output. */
  def apply[T <: Tensor](x: T): T = apply(Seq(x)).head

  /** Of several inputs, or with several outputs. */
  def apply[T <: Tensor](inputs: Seq[T]): Seq[T] = (if (inputs.exists(_.isInstanceOf[Symbol])) traced(inputs) else now(inputs.map(_.asInstanceOf[NDArray]))).asInstanceOf[Seq[T]]

  private def traced(inputs: Seq[Tensor]): Seq[Tensor] =
    compose(inputs, shapes.toList.map(f => "shapes" -> f(inputs.map(_.shape)).map(Settings.text).mkString(", "))).outputs

  private def now(inputs: Seq[NDArray]): Seq[NDArray] = {
    val outer = s
    if ((outer.mode & flexorConstants.FLX_TRACE) != 0) throw new StateException(s"[$name] a function of one's own cannot be traced; in fits and predictions it runs as it is", name)
    val made = HostOperator.run(name, outputs, compute, inputs)
    if ((outer.mode & flexorConstants.FLX_RECORD) != 0 && gradient.isDefined && inputs.exists(x => Native.int(flexorJNI.flx_autograd_recorded(x.raw, _)) != 0)) {
      Hosts.recorded = true
      flexorJNI.flx_autograd_record(token, inputs.map(_.raw).toArray, made.map(_.raw).toArray)
    }
    java.lang.ref.Reference.reachabilityFence(anchor)
    made
  }
  override def toString: String = s"HostOperator($name)"
}

object HostOperator {
  /** Of one input: what it computes, and the gradient of the input by the gradient of the output, the input and the output. */
  def apply(name: String)(compute: HostArray => HostArray)(gradient: (HostArray, HostArray, HostArray) => HostArray): HostOperator =
    new HostOperator(name, 1, None, xs => Seq(compute(xs.head)), Some((dys, xs, ys) => Seq(gradient(dys.head, xs.head, ys.head))))

  /** Without a gradient: its result is a constant. */
  def constant(name: String)(compute: HostArray => HostArray): HostOperator = new HostOperator(name, 1, None, xs => Seq(compute(xs.head)), None)

  /** Of several inputs and outputs. The gradient is of the outputs' gradients, the inputs and the outputs, and gives one for each input; null is zero. In a network each output has the first
    * input's shape, unless `shapes` says others. */
  def many(name: String, outputs: Int = 1, shapes: Option[Seq[Shape] => Seq[Shape]] = None)(compute: Seq[HostArray] => Seq[HostArray])(
      gradient: (Seq[HostArray], Seq[HostArray], Seq[HostArray]) => Seq[HostArray]): HostOperator = new HostOperator(name, outputs, shapes, compute, Some(gradient))

  private def run(name: String, outputs: Int, compute: Seq[HostArray] => Seq[HostArray], inputs: Seq[NDArray]): Seq[NDArray] = {
    val made = compute(inputs.map(HostArray.of(name)))
    if (made.length != outputs) throw new ArgumentException(s"[$name] it was to give $outputs arrays and gave ${made.length}", name)
    made.map(HostArray.back(inputs: _*))
  }

  // No part of the operator itself, which would keep it alive.
  private def answer(name: String, outputs: Int, compute: Seq[HostArray] => Seq[HostArray],
                     gradient: Option[(Seq[HostArray], Seq[HostArray], Seq[HostArray]) => Seq[HostArray]]): Question => Seq[NDArray] = q =>
    if (q.stage == "forward") run(name, outputs, compute, q.arrays)
    else {
      val (dys, rest) = q.arrays.splitAt(outputs)
      val (xs, ys) = rest.splitAt(rest.length - outputs)
      gradient match {
        case None => xs.map(_ => null)
        case Some(g) =>
          val found = g(dys.map(HostArray.of(name)), xs.map(HostArray.of(name)), ys.map(HostArray.of(name)))
          if (found.length != xs.length) throw new ArgumentException(s"[$name] the gradient gives one array for each of the ${xs.length} inputs, given ${found.length}", name)
          found.zip(xs).map { case (v, x) => HostArray.back(x)(v) }
      }
    }
}

/** A measure of one's own for fits and evaluations, of the predictions and labels of one batch; several batches are averaged by their rows. It runs on the thread that fits. */
final class HostMetric private (val name: String, value: (HostArray, HostArray) => Double) {
  private[flexor] def text: String = s"Host(token=${Hosts.register(HostMetric.answer(name, value))}, name=$name)"
  /** The value for predictions and labels. */
  def apply(predictions: NDArray, labels: NDArray): Double = value(HostArray.of(name)(predictions), HostArray.of(name)(labels))
  override def toString: String = s"HostMetric($name)"
}

object HostMetric {
  def apply(name: String)(value: (HostArray, HostArray) => Double): HostMetric = {
    if (!name.matches("[^\\s(),=.<>][^\\s(),=<>]*")) throw new ArgumentException(s"[metric] a name without spaces and ( ) , = < > was expected, given `$name`")
    new HostMetric(name, value)
  }
  private def answer(name: String, value: (HostArray, HostArray) => Double): Question => Seq[NDArray] = q => {
    val (predictions, labels) = q.arrays.splitAt(math.max(1, q.arrays.length / 2))
    Seq(NDArray(Array(value(HostArray.of(name)(predictions.head), HostArray.of(name)(labels.head)).toFloat)))
  }
}

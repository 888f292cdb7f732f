// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

import java.nio.{Buffer, ByteBuffer, ByteOrder, DoubleBuffer, FloatBuffer, IntBuffer, LongBuffer, ShortBuffer}

/** An array, row-major, whatever made it. */
final class NDArray private[flexor] (raw: Long, scope: Scope) extends Tensor(raw, scope) {
  import flexorConstants.FLX_ROW_MAJOR
  type Self = NDArray
  private[flexor] def binary(op: Quick, other: Tensor): NDArray = {
    if (!other.isInstanceOf[NDArray]) throw Symbol.mixed(op.name)
    val out = new Array[Long](1)
    val scope = s
    flexorJNI.flx_call_binary(op.call, scope.mode, raw, other.raw, out)
    new NDArray(out(0), scope)
  }
  private[flexor] def scalar(op: Quick, other: Double): NDArray = {
    val out = new Array[Long](1)
    val scope = s
    flexorJNI.flx_call_scalar(op.call, scope.mode, raw, other, out)
    new NDArray(out(0), scope)
  }
  private[flexor] def unary(op: Quick): NDArray = {
    val out = new Array[Long](1)
    val scope = s
    flexorJNI.flx_call_unary(op.call, scope.mode, raw, out)
    new NDArray(out(0), scope)
  }

  // What Java sees: arrays, not tensors.
  override def dot(other: Tensor): NDArray = super.dot(other)
  override def pow(other: Double): NDArray = super.pow(other)
  override def mean: NDArray = super.mean
  override def sum: NDArray = super.sum

  def dtype: DType = DType.of(Native.int(flexorJNI.flx_ndarray_describe(raw, _, null)))
  def shape: Shape = Shape.from(Native.longs(flexorJNI.flx_ndarray_describe(raw, null, _)))
  def size: Long = shape.size

  /** Where it is, as "cpu(0)" or "gpu(0)". */
  def device: String = Native.text(flexorJNI.flx_ndarray_device(raw, _))

  /** A copy on `device`, "cpu" or "gpu(0)"; itself if it is there. No gradient goes through it. An operator computes where its arrays are; arrays on different devices are an error,
    * and nothing is copied between devices unasked. */
  def toDevice(device: String): NDArray = {
    val now = this.device
    if (now == device || now == device + "(0)" || now.startsWith("cpu") && device.startsWith("cpu")) this
    else { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_copy(raw, Glue.utf8(device), _)), scope) }
  }

  /** Moves it out of its scope: it lives until close(), or until the collector finds it unused. */
  def detach: NDArray = { leave(); this }

  /** Its memory without history and gradient. */
  def constant: NDArray = { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_detach(raw, _)), scope) }

  /** A copy with another dtype. */
  def to(dtype: DType): NDArray = op.cast(this, dtype)

  /** A view with another shape; -1 is what remains. */
  def reshape(sizes: Long*): NDArray = { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_reshape(raw, sizes.toArray, s.mode, _)), scope) }

  /** Rows `from` until `until` of axis 0, a view; negative ones count from the end. */
  def slice(from: Long, until: Long): NDArray = { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_slice(raw, from, until, s.mode, _)), scope) }

  /** The first `n` rows. */
  def take(n: Long): NDArray = slice(0, math.min(n, shape(0)))

  /** Element `index` of axis 0, a view. */
  def apply(index: Long): NDArray = { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_at(raw, index, s.mode, _)), scope) }

  /** The value of an array of one element. */
  def toDouble: Double = {
    val out = new Array[Double](1)
    Native.ready(flexorJNI.flx_ndarray_item(raw, -1, _, out))
    out(0)
  }

  /** Its elements, converted to `dtype`, in a new direct buffer. Waits; an interrupt of the thread ends that. */
  def toBuffer(dtype: DType = dtype): ByteBuffer = {
    val bytes = size * dtype.bytes
    if (bytes > Int.MaxValue) throw new UnsupportedException(s"[array] Java's buffers hold 2 GiB, and the array has $bytes bytes. Read it in slices.")
    val buffer = NDArray.direct(bytes.toInt)
    Native.ready(flexorJNI.flx_ndarray_read(raw, buffer, dtype.number, FLX_ROW_MAJOR, -1, _))
    buffer
  }
  def toFloats: Array[Float] = { val out = new Array[Float](size.toInt); toBuffer(DType.Float32).asFloatBuffer.get(out); out }
  def toDoubles: Array[Double] = { val out = new Array[Double](size.toInt); toBuffer(DType.Float64).asDoubleBuffer.get(out); out }
  def toInts: Array[Int] = { val out = new Array[Int](size.toInt); toBuffer(DType.Int32).asIntBuffer.get(out); out }
  def toLongs: Array[Long] = { val out = new Array[Long](size.toInt); toBuffer(DType.Int64).asLongBuffer.get(out); out }
  def toSeq: Vector[Double] = toDoubles.toVector
  /** The rows of a matrix. */
  def toRows: Array[Array[Float]] = {
    val dims = shape
    if (dims.rank != 2) throw new ShapeException(s"[array] expected a matrix, given shape $dims")
    val all = toFloats
    Array.tabulate(dims(0).toInt)(i => java.util.Arrays.copyOfRange(all, i * dims(1).toInt, (i + 1) * dims(1).toInt))
  }

  /** Overwrites its elements with `other`'s, converted. */
  def update(other: NDArray): Unit = { Origins.mark(); flexorJNI.flx_ndarray_copy_into(other.raw, raw) }

  /** Lets `backward` store a gradient for it. */
  def attachGrad(): this.type = { flexorJNI.flx_autograd_attach(raw, Glue.utf8("write"), 0); this }

  /** The gradient that `backward` stored. */
  def grad: NDArray = {
    val scope = s
    val found = Native.handle(flexorJNI.flx_autograd_grad(raw, _))
    if (found == 0) throw new StateException("[grad] no gradient is attached to the array. Call attachGrad() before it is used.")
    new NDArray(found, scope)
  }

  /** Goes backward from here, and stores the gradients of what has one attached. */
  def backward(): Unit = {
    Origins.mark()
    if (!Hosts.recorded) flexorJNI.flx_autograd_backward(Array(raw), null, flexorConstants.FLX_TRAIN)
    else Native.briefly(Native.handle(flexorJNI.flx_autograd_start(Array(raw), null, null, flexorConstants.FLX_TRAIN, _)))(Tasks.drive(_, "backward"))
  }

  /** Its gradients by `variables`, returned and not stored. With `again` that is recorded itself, for gradients of gradients. */
  def gradients(variables: Seq[NDArray], again: Boolean = false): Vector[NDArray] = {
    import flexorConstants._
    val scope = s
    val mode = FLX_TRAIN | (if (again) FLX_RETAIN | FLX_CREATE_GRAPH else 0)
    val by = variables.map(_.raw).toArray
    val found =
      if (!Hosts.recorded) Native.longs(flexorJNI.flx_autograd_gradients(Array(raw), null, by, mode, _))
      else Native.briefly(Native.handle(flexorJNI.flx_autograd_start(Array(raw), null, by, mode, _))) { task => Tasks.drive(task, "gradients"); Native.longs(flexorJNI.flx_task_arrays(task, _)) }
    found.toVector.map(new NDArray(_, scope))
  }

  /** Waits until it is computed. */
  def await(): this.type = { Native.ready(flexorJNI.flx_ndarray_wait(raw, -1, _)); this }

  override def toString: String = {
    val out = new Array[Array[Byte]](1)
    Native.ready(flexorJNI.flx_ndarray_text(raw, -1, _, out))
    Glue.text(out(0))
  }
}

/** Makes arrays on the CPU; `NDArray.on` makes them on another device. */
object NDArray extends Arrays(null) {
  /** What makes arrays on `device`: NDArray.on("gpu(0)").zeros(2, 3). */
  def on(device: String): Arrays = new Arrays(device)
  private[flexor] def direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder)

}

/** Makes arrays on `device`; null: on the CPU. */
sealed class Arrays private[flexor] (device: String) {
  import NDArray.direct
  private[flexor] def make(bytes: ByteBuffer, host: DType, shape: Shape, dtype: DType, order: Int = flexorConstants.FLX_ROW_MAJOR): NDArray =
    { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_create_from(Glue.direct(bytes), host.number, order, shape.raw, dtype.number, Glue.utf8(device), _)), scope) }

  private def sized(n: Int, bytes: Int): Int =
    if (n.toLong * bytes > Int.MaxValue) throw new UnsupportedException(s"[array] Java's buffers hold 2 GiB, given $n elements of $bytes bytes") else n * bytes

  /** From an array of numbers, which keeps its type; `shape` is its length if it is not given. */
  def apply(values: Array[Float]): NDArray = of(values, Shape(values.length))
  def apply(values: Array[Double]): NDArray = of(values, Shape(values.length))
  def apply(values: Array[Int]): NDArray = of(values, Shape(values.length))
  def apply(values: Array[Long]): NDArray = of(values, Shape(values.length))
  def of(values: Array[Float], shape: Shape): NDArray = { val b = direct(sized(values.length, 4)); b.asFloatBuffer.put(values); make(b, DType.Float32, shape, DType.Float32) }
  def of(values: Array[Double], shape: Shape): NDArray = { val b = direct(sized(values.length, 8)); b.asDoubleBuffer.put(values); make(b, DType.Float64, shape, DType.Float64) }
  def of(values: Array[Int], shape: Shape): NDArray = { val b = direct(sized(values.length, 4)); b.asIntBuffer.put(values); make(b, DType.Int32, shape, DType.Int32) }
  def of(values: Array[Long], shape: Shape): NDArray = { val b = direct(sized(values.length, 8)); b.asLongBuffer.put(values); make(b, DType.Int64, shape, DType.Int64) }

  /** A matrix, from its rows. */
  def apply(rows: Array[Array[Float]]): NDArray = {
    val width = if (rows.isEmpty) 0 else rows(0).length
    for ((row, i) <- rows.zipWithIndex) if (row.length != width) throw new ShapeException(s"[array] the rows must be equally long: row 0 has $width numbers and row $i has ${row.length}")
    val buffer = direct(sized(rows.length * width, 4))
    val floats = buffer.asFloatBuffer
    rows.foreach(r => floats.put(r))
    make(buffer, DType.Float32, Shape(rows.length, width), DType.Float32)
  }

  /** From plain numbers: float32. */
  def apply(values: Seq[Double]): NDArray = of(values.map(_.toFloat).toArray, Shape(values.length))

  /** From a direct buffer's bytes, all of them, in native order, which hold elements of `dtype`. */
  def apply(bytes: ByteBuffer, dtype: DType, shape: Shape): NDArray = make(bytes, dtype, shape, dtype)

  /** From the elements between a buffer's position and limit. */
  def apply(values: FloatBuffer, shape: Shape): NDArray = { val v = values.duplicate; val b = direct(sized(v.remaining, 4)); b.asFloatBuffer.put(v); make(b, DType.Float32, shape, DType.Float32) }
  def apply(values: DoubleBuffer, shape: Shape): NDArray = { val v = values.duplicate; val b = direct(sized(v.remaining, 8)); b.asDoubleBuffer.put(v); make(b, DType.Float64, shape, DType.Float64) }

  @scala.annotation.varargs def zeros(sizes: Long*): NDArray = full(Shape(sizes: _*), 0)
  @scala.annotation.varargs def ones(sizes: Long*): NDArray = full(Shape(sizes: _*), 1)
  /** An array filled with `value`. */
  def full(shape: Shape, value: Double, dtype: DType = DType.Float32): NDArray =
    { val scope = s; new NDArray(Native.handle(flexorJNI.flx_ndarray_create_full(shape.raw, dtype.number, Glue.utf8(device), value, _)), scope) }
}

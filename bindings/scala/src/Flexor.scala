// SPDX-License-Identifier: Apache-2.0
package org.flexor

/** What concerns the library as a whole. Its native code is found by NativeLibrary's rule: the system property `flexor.library`, FLEXOR_LIBRARY, beside the jar. */
object Flexor {
  /** The library's version, "0.1.0". */
  lazy val version: String = flexor.flx_version()

  /** A fact of the library: path, compiler, blas, features, license or build. */
  def about(field: String): String = Glue.text(Native.bytes(flexorJNI.flx_library_text(Glue.utf8(field), _)))

  /** Seeds the random stream; the same seed gives the same numbers in every language. */
  def seed(value: Long): Unit = flexorJNI.flx_random_seed(value, null)

  /** An option of the FLEXOR_ table. */
  def config(key: String): String = Glue.text(Native.bytes(flexorJNI.flx_config_get(Glue.utf8(key), _)))

  /** Sets an option of the FLEXOR_ table. */
  def config(key: String, value: String): Unit = { flexorJNI.flx_config_set(Glue.utf8(key), Glue.utf8(value)); Origins.follow() }

  /** The table of options: names, values, meanings. */
  def options: String = Native.text(flexorJNI.flx_config_list(_))

  /** Waits until all work that was pushed is done; an interrupt of the thread ends it. */
  def waitAll(): Unit = Native.ready(flexorJNI.flx_wait_all(-1, _))

  /** How many handles of the library's are not freed, of `kind` ("ndarray" ...) or of all. */
  def live(kind: String = null): Long = Native.long(flexorJNI.flx_handle_live(Glue.utf8(kind), _))

  /** Bytes of arrays on `device`: live (in use), cached, peak, limit (0: none) and total; of other devices than the CPU also fragmentation. */
  def memory(device: String = "cpu"): Map[String, Long] = {
    val stats = Seq("live", "cached", "peak", "limit", "total") ++ (if (device.startsWith("cpu")) Nil else Seq("fragmentation"))
    stats.map(stat => stat -> Native.long(flexorJNI.flx_memory_stat(Glue.utf8(device), Glue.utf8(stat), _))).toMap
  }

  /** How many devices of `kind`, "cpu" or "gpu", there are. */
  def deviceCount(kind: String = "gpu"): Int = Native.int(flexorJNI.flx_device_count(Glue.utf8(kind), _))

  /** What `device` is: its name, its memory in bytes, and what else its kind tells. */
  def deviceProperties(device: String = "cpu"): Map[String, String] =
    Native.text(flexorJNI.flx_device_properties(Glue.utf8(device), _)).split("\n").map { line => val at = line.indexOf(' '); line.take(at) -> line.drop(at + 1) }.toMap

  /** Waits until all that was issued to `device` so far is done; an interrupt of the thread ends it. What failed is told by the arrays, and by `waitAll`. */
  def synchronize(device: String = "cpu"): Unit = Native.ready(flexorJNI.flx_device_synchronize(Glue.utf8(device), -1, _))

  /** Begins the peak of `device` anew at what is live now. */
  def memoryResetPeak(device: String = "cpu"): Unit = flexorJNI.flx_memory_peak_reset(Glue.utf8(device))

  /** Gives memory of `device` that is kept for later arrays back to the system. */
  def memoryReleaseUnused(device: String = "cpu"): Unit = flexorJNI.flx_memory_release_unused(Glue.utf8(device))

  /** Limits the memory that arrays may take on `device`; 0: no limit. */
  def memoryLimit(bytes: Long, device: String = "cpu"): Unit = flexorJNI.flx_memory_limit_set(Glue.utf8(device), bytes)

  /** What left its scope by `detach`, or was loaded, and was not closed; with -Dflexor.track=true each with the line that made it. */
  def leaks: String = Leaks.report
}

/** Scopes, and AutoCloseables that are closed at the end of a block, in Scala 2.11 too. */
object Using {
  /** Runs `body` with a new scope; everything that this thread makes in it is freed at the end, but what was detached. */
  def scope[A](body: Scope => A): A = resource(new Scope)(body)

  /** Runs `body` on `thing` and closes it, whatever happens. */
  def resource[R <: AutoCloseable, A](thing: R)(body: R => A): A = {
    var failed: Throwable = null
    try body(thing)
    catch { case e: Throwable => failed = e; throw e }
    finally
      if (failed == null) thing.close()
      else try thing.close() catch { case e: Throwable => failed.addSuppressed(e) }
  }
}

/** Holds native memory: arrays, fitted models. Belongs to the scope it was made in, until `detach`. */
abstract class Resource private[flexor] (private[flexor] val raw: Long, scope: Scope) extends AutoCloseable {
  private[flexor] var owner: Scope = scope
  private[flexor] var place: Int = if (scope == null) -1 else scope.add(this)
  private[flexor] var leak: Handle = if (scope == null) Leaks.watch(this) else null

  /** Frees it now. What is used afterwards is a HandleException; closing twice is no error. */
  def close(): Unit = {
    flexorJNI.flx_free(raw)
    if (owner != null) { owner.remove(this); owner = null }
    if (leak != null) { Leaks.forget(leak); leak = null }
  }

  private[flexor] def leave(): Unit = if (owner != null) {
    owner.remove(this)
    owner = null
    leak = Leaks.watch(this)
  }
}

/** Owns what its thread makes while it is the innermost open one, and frees it when it is closed. Scopes of a thread close in the order opposite to their opening.
  *
  * Whether calls are recorded for gradients belongs to the scope too: `gradient` and `recording` switch it on for their block. */
final class Scope extends AutoCloseable {
  private var things = new Array[Resource](16)
  private var count = 0
  private var alive = true
  private[flexor] var mode = 0
  private val outer = Scope.innermost.get
  private val thread = Thread.currentThread
  Scope.innermost.set(this)

  private[flexor] def add(thing: Resource): Int = {
    if (!alive) {
      flexorJNI.flx_free(thing.raw)
      throw new StateException("[scope] the scope is closed, so nothing can be made in it. Is a result used lazily, after its Using.scope?")
    }
    if (count == things.length) compact()
    things(count) = thing
    count += 1
    count - 1
  }

  // Room for more: what was closed before leaves its place.
  private def compact(): Unit = {
    val old = things
    var kept = 0
    for (thing <- old) if (thing != null) kept += 1
    if (2 * kept > old.length) things = new Array[Resource](2 * old.length)
    count = 0
    for (thing <- old) if (thing != null) {
      things(count) = thing
      thing.place = count
      count += 1
    }
    if (things eq old) java.util.Arrays.fill(things.asInstanceOf[Array[AnyRef]], count, things.length, null)
  }

  private[flexor] def remove(thing: Resource): Unit = if (thing.place >= 0 && thing.place < count && (things(thing.place) eq thing)) things(thing.place) = null

  /** How many things it owns now. */
  def size: Int = things.count(_ != null)

  /** Frees all it owns. */
  def close(): Unit = if (alive) {
    if (Thread.currentThread ne thread) throw new StateException("[scope] a scope is closed by the thread that opened it")
    if (Scope.innermost.get eq this) {
      var next = outer
      while (next != null && !next.alive) next = next.outer
      Scope.innermost.set(next)
    }
    alive = false
    val old = things
    val n = count
    things = new Array[Resource](0)
    count = 0
    var i = n - 1
    while (i >= 0) {
      if (old(i) != null) { old(i).owner = null; old(i).close() }
      i -= 1
    }
  }

  /** Runs `body` with this scope as the innermost, so that it owns the results. */
  def run[A](body: => A): A = {
    val before = Scope.innermost.get
    Scope.innermost.set(this)
    try body finally Scope.innermost.set(before)
  }

  private[flexor] def in[A](set: Int, clear: Int)(body: => A): A = {
    val before = mode
    mode = before & ~clear | set
    try body finally mode = before
  }

  /** Runs `body` with its calls in this scope recorded, in training mode. */
  def recording[A](body: => A): A = in(flexorConstants.FLX_RECORD | flexorConstants.FLX_TRAIN, 0)(body)

  /** Runs `body` with its calls in this scope not recorded, in prediction mode. */
  def paused[A](body: => A): A = in(0, flexorConstants.FLX_RECORD | flexorConstants.FLX_TRAIN)(body)
}

object Scope {
  private[flexor] val innermost = new ThreadLocal[Scope]
  private[flexor] def here: Scope = {
    val found = innermost.get
    if (found == null) throw new StateException("[scope] no scope is open in this thread, so nothing owns the result. Put the code into Using.scope { scope => ... }.")
    Origins.mark()
    found
  }

  /** For Java: a scope for try-with-resources. */
  def open(): Scope = new Scope
}

/** The user's line: of what leaks, and with the option FLEXOR_ORIGIN of what is queued, for its errors. */
private[flexor] object Origins {
  @volatile private var on = false
  @volatile private var ever = false // threads remember the line that they told last
  follow()
  def follow(): Unit = { on = Native.text(flexorJNI.flx_config_get(Glue.utf8("FLEXOR_ORIGIN"), _)) == "1"; ever ||= on }
  /** Before what may queue work. */
  def mark(): Unit = if (ever) tell()
  def line: Option[StackTraceElement] = new Throwable().getStackTrace.find(f => !Seq("org.flexor.", "scala.", "java.").exists(f.getClassName.startsWith(_)))
  private def tell(): Unit = flexorJNI.flx_origin_set((if (on) line else None).fold(null: Array[Byte])(f => Glue.utf8(s"${f.getFileName}:${f.getLineNumber}")))
}

/** What has no scope: freed by close(), or at last by the collector, and listed until then. */
private[flexor] object Leaks {
  private val track = java.lang.Boolean.getBoolean("flexor.track")
  private val known = new java.util.WeakHashMap[Handle, (String, String)]

  def watch(thing: Resource): Handle = synchronized {
    val handle = Handle.own(thing.raw)
    known.put(handle, (thing.getClass.getSimpleName, if (track) line() else ""))
    if (flexorJNI.flx_memory_gc_hint() != 0) System.gc()
    handle
  }

  def forget(handle: Handle): Unit = synchronized { known.remove(handle); handle.close() }

  private def line(): String = Origins.line.fold("an unknown line")(_.toString)

  def report: String = synchronized {
    val list = known.values.toArray(new Array[(String, String)](0)).toList
    if (list.isEmpty) "nothing leaks"
    else list.groupBy(x => x).toList.sortBy(_._1).map { case ((kind, where), all) => s"${all.size} $kind" + (if (where.isEmpty) "" else s" made at $where") }
      .mkString(s"${list.size} not closed" + (if (track) ":\n  " else " (-Dflexor.track=true says where they were made):\n  "), "\n  ", "")
  }
}

/** Results of the glue's functions, which put them into arrays. */
private[flexor] object Native {
  // Java's own things of this package, for the packages inside it.
  def utf8(text: String): Array[Byte] = Glue.utf8(text)
  def utf8(texts: Array[String]): Array[Byte] = Glue.utf8(texts)
  def own(raw: Long): Handle = Handle.own(raw)
  def raw(handle: Handle): Long = handle.raw

  def handle(call: Array[Long] => Unit): Long = { val out = new Array[Long](1); call(out); out(0) }
  def long(call: Array[Long] => Unit): Long = handle(call)
  def int(call: Array[Int] => Unit): Int = { val out = new Array[Int](1); call(out); out(0) }
  def double(call: Array[Double] => Unit): Double = { val out = new Array[Double](1); call(out); out(0) }
  def bytes(call: Array[Array[Byte]] => Unit): Array[Byte] = { val out = new Array[Array[Byte]](1); call(out); out(0) }
  def text(call: Array[Array[Byte]] => Unit): String = Glue.text(bytes(call))
  def longs(call: Array[Array[Long]] => Unit): Array[Long] = { val out = new Array[Array[Long]](1); call(out); out(0) }

  /** Waits; the glue comes back early if the thread was interrupted, and that is told as Java tells it. */
  def ready(call: Array[Int] => Unit): Unit = {
    if (int(call) == 0) {
      Thread.interrupted()
      throw new InterruptedException("[wait] the thread was interrupted")
    }
  }

  /** Frees handles that stand for a moment only. */
  def briefly[A](raw: Long)(body: Long => A): A = try body(raw) finally flexorJNI.flx_free(raw)

  def pairs(settings: Seq[(String, String)]): Array[Byte] = {
    val map = new java.util.LinkedHashMap[String, String]
    for ((k, v) <- settings) map.put(k, v)
    Glue.utf8(map)
  }
}

// SPDX-License-Identifier: Apache-2.0
package org.flexor

/** Records what runs when, and what of the program's own is marked (docs/profiler.md). */
object Profiler {
  /** Begins to record, and forgets what was recorded before. Settings: operators, planned, passes, waits, copies, memory, api, capacity, keep. */
  def start(settings: (String, Any)*): Unit = flexorJNI.flx_profiler_start(Native.pairs(settings.map { case (k, v) => k -> Settings.text(v) }))
  /** Ends the recording; what is recorded stays. */
  def stop(): Unit = flexorJNI.flx_profiler_stop()
  def running: Boolean = Native.int(flexorJNI.flx_profiler_running(_)) != 0
  /** Forgets what is recorded. */
  def clear(): Unit = flexorJNI.flx_profiler_clear()

  /** Records what `body` does, and writes it to `path` for Perfetto, if that is given. */
  def profile[A](path: String = null)(body: => A): A = {
    start()
    try body finally { stop(); if (path != null) save(path) }
  }

  /** Writes what is recorded as trace events, which Perfetto and chrome://tracing open. */
  def save(path: String): Unit = flexorJNI.flx_profiler_save(Glue.utf8(path))
  /** A table of it, by name, count, total, self, mean, min, max or share. */
  def summary(sort: String = "share", columns: Int = 100): String = Native.text(flexorJNI.flx_profiler_summary(Glue.utf8(sort), columns, _))

  /** Runs `body` as a span called `name`. */
  def span[A](name: String, category: String = "user")(body: => A): A =
    Native.briefly(Native.handle(flexorJNI.flx_span_begin(Glue.utf8(name), Glue.utf8(category), _)))(_ => body)
  /** Records that the counter `name` is `value` from now on. */
  def counter(name: String, value: Double): Unit = flexorJNI.flx_profiler_counter(Glue.utf8(name), value)
  /** Records this moment. */
  def mark(name: String): Unit = flexorJNI.flx_profiler_mark(Glue.utf8(name))
}

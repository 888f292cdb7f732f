// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

/** Arrays by key, made by its companion: what is pushed to a key replaces its value; with an optimizer it is the gradient of the value. Pushes of the workers of a job are summed.
  *
  * Nothing waits but the making of a store, `barrier`, `finish` and `save`; what went wrong in a push or pull is thrown where the pulled array is read. */
final class Store private[flexor] (raw: Long, scope: Scope) extends Resource(raw, scope) {
  private def text(field: String): String = Native.text(flexorJNI.flx_store_text(raw, Glue.utf8(field), _))
  /** A number of it: rank, workers, servers, keys, or what `stats` has. */
  def number(field: String): Double = Native.double(flexorJNI.flx_store_number(raw, Glue.utf8(field), _))

  /** Its kind by the first name: local, dist_sync ... */
  def kind: String = text("kind")
  /** What this process is: worker, server or scheduler. */
  def role: String = text("role")
  /** Which of the workers this is, from 0. */
  def rank: Int = number("rank").toInt
  /** How many workers there are. */
  def workers: Int = number("workers").toInt
  /** For people: who belongs to the job, and who waits for whom. */
  def view: String = text("view")
  /** All numbers, as a JSON document. */
  def stats: String = Native.text(flexorJNI.flx_store_stats(raw, _))

  private def keys(pairs: Seq[(String, NDArray)]): Array[Byte] = Glue.utf8(pairs.map(_._1).toArray)
  private def arrays(pairs: Seq[(String, NDArray)]): Array[Long] = pairs.map(_._2.raw).toArray

  /** First values; a key that is there already keeps its own, so every worker may call it. */
  def init(pairs: (String, NDArray)*): Unit = flexorJNI.flx_store_init(raw, keys(pairs), arrays(pairs))
  /** Pushes arrays; those of a key named several times are summed. `samples`: of the batch behind them, by which a mean over workers weighs. */
  def push(pairs: (String, NDArray)*): Unit = push(1, 0)(pairs: _*)
  def push(samples: Long, priority: Int)(pairs: (String, NDArray)*): Unit = flexorJNI.flx_store_push(raw, keys(pairs), arrays(pairs), samples, priority)
  /** Overwrites the arrays with the keys' values. */
  def pull(pairs: (String, NDArray)*): Unit = flexorJNI.flx_store_pull(raw, keys(pairs), arrays(pairs), 0)
  /** Pushes the arrays, and overwrites them with what that gave; one array for each key. */
  def pushPull(pairs: (String, NDArray)*): Unit = pushPull(1, 0)(pairs: _*)
  def pushPull(samples: Long, priority: Int)(pairs: (String, NDArray)*): Unit = flexorJNI.flx_store_push_pull(raw, keys(pairs), arrays(pairs), arrays(pairs), samples, priority)

  /** Lets it update its values by `rule` from now on; in a job every worker calls it, and then `barrier`. */
  def optimizer(rule: Optimizer): Unit = Native.briefly(rule.create())(flexorJNI.flx_store_optimizer(raw, _))
  /** Changes a setting of its optimizer, such as learning_rate. */
  def set(key: String, value: Any): Unit = flexorJNI.flx_store_set(raw, Glue.utf8(key), Glue.utf8(Settings.text(value)))
  /** Waits until every worker has come here. */
  def barrier(): Unit = Native.ready(flexorJNI.flx_store_barrier(raw, -1, _))
  /** Lets the servers of a job write what they hold to their disks, as of what this worker has pushed so far (FLEXOR_PS_CHECKPOINT), and waits until they have. Its round. */
  def checkpoint(): Long = { Native.ready(flexorJNI.flx_store_checkpoint(raw, -1, _)); number("checkpoint_round").toLong }
  /** After a RolledBackException, which every call throws once the job went back to its checkpoint: calls count again, and what is pulled is the checkpoint's. Its round; -1: the job did not
    * go back. */
  def recover(): Long = Native.long(flexorJNI.flx_store_recover(raw, _))
  /** Leaves the job in good order: the others go on without this worker. A fit does it at its end. */
  def finish(): Unit = Native.ready(flexorJNI.flx_store_finish(raw, -1, _))
  /** Writes the optimizer with its states to a file. */
  def save(path: String): Unit = Native.ready(flexorJNI.flx_store_save(raw, Glue.utf8(path), -1, _))
  /** Goes on with the states that `save` wrote. */
  def load(path: String): Unit = flexorJNI.flx_store_load(raw, Glue.utf8(path))

  /** The indices of this worker's share of so many samples: every `workers`-th of them. */
  def shard(length: Int): Range = rank until length by workers

  /** Moves it out of its scope: it lives until close(). */
  def detach: Store = { leave(); this }
  override def toString: String = s"Store($kind): worker $rank of $workers"
}

object Store {
  /** A store of this process. */
  def apply(): Store = apply("local")

  /** A store: `local` is of this process; `dist_sync`, `dist_async` and `dist_stale` are of a job of several, which the environment names (docs/distributed.md): the call waits until all of it is
    * there. In a process that is to be a server or the scheduler, it does that part, and ends the process when the job is over. It belongs to the scope. */
  def apply(kind: String, settings: (String, Any)*): Store = {
    val store = new Store(Native.handle(flexorJNI.flx_store_create(Glue.utf8(kind), Native.pairs(settings.map { case (k, v) => k -> Settings.text(v) }), _)), s)
    try {
      if (store.role != "worker") {
        while (Native.int(flexorJNI.flx_store_serve(store.raw, 1000, _)) != flexorConstants.FLX_DONE) if (Thread.interrupted()) throw new InterruptedException("[store] the thread was interrupted")
        System.exit(0)
      }
      Native.ready(flexorJNI.flx_store_join(store.raw, -1, _))
      store
    } catch { case e: Throwable => store.close(); throw e }
  }
}

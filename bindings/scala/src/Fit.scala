// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}

import org.flexor.nn.{Described, Layer, Loss}

/** How to train: an immutable value. `metrics` are names, or values of org.flexor.metric. */
final case class Training(epochs: Int = 1, batchSize: Int = 64, optimizer: Optimizer = Adam(0.001), seed: Long = 0, validation: Option[Samples] = None, loss: Loss = nn.SoftmaxCrossEntropyLoss(),
                          metrics: Seq[Any] = Seq("accuracy"), shuffle: Boolean = true, patience: Option[Int] = None, clipGradient: Option[Double] = None, checkpoint: Option[String] = None,
                          resume: Boolean = false, initializer: Option[Initializer] = None, hybridize: Boolean = true, reportEvery: Int = 0)

/** What a fit reports, on the thread that fits. Prints as a line of progress. */
sealed abstract class Event { def progress: String; override def toString: String = progress }
/** The end of an epoch, counted from 1: its loss and metrics by name, those of the validation data as `valid.accuracy`. */
final case class Epoch(number: Int, scores: Map[String, Double])(val progress: String) extends Event
/** Some batches later, where `reportEvery` asks for it. */
final case class Progress(epoch: Int, batch: Int, loss: Double)(val progress: String) extends Event

/** A network that tells classes apart; labels are texts. */
final case class Classifier(network: Layer) {
  /** Fits to all the samples; an interrupt of the thread ends it after the batch at work, with an InterruptedException. */
  def fit(x: Array[Array[Float]], y: Array[String], training: Training): Fitted = fit(new Samples(Features(x), y), training)
  def fit(samples: Samples, training: Training): Fitted = { val run = start(samples, training); run.foreach(_ => ()); run.result }

  /** Begins to fit: an iterator of events. The work is done as it is iterated over. */
  def start(samples: Samples, training: Training): Run = {
    val scope = s // without one nothing is begun
    val classes = Samples.classes(samples.y)
    val layer = network.create()
    val model = try Native.handle(flexorJNI.flx_model_create(layer, 0L, _)) finally flexorJNI.flx_free(layer)
    val fitted = new Fitted(model, new History(Nil), scope)
    flexorJNI.flx_model_meta_set(model, Glue.utf8("task"), Glue.utf8("classification"))
    flexorJNI.flx_model_meta_set(model, Glue.utf8("classes"), Glue.utf8(Fitted.json(classes)))
    val t = training
    def batches(of: Samples, more: (String, Any)*): Long = Samples.iter(of.x, Some(Samples.indices(of.y, classes)), Seq("batch_size" -> t.batchSize) ++ more)
    val settings = Seq[(String, Any)]("epochs" -> t.epochs, "metrics" -> t.metrics.map(Settings.text).mkString(", "), "seed" -> t.seed, "patience" -> t.patience, "clip_gradient" -> t.clipGradient,
      "checkpoint" -> t.checkpoint.getOrElse(""), "resume" -> t.resume, "initializer" -> t.initializer.fold("")(_.text), "hybridize" -> t.hybridize, "report_every" -> t.reportEvery)
    val made = new scala.collection.mutable.ArrayBuffer[Long]
    def keep(h: Long): Long = { made += h; h }
    try {
      val train = keep(batches(samples, "shuffle" -> t.shuffle, "seed" -> t.seed))
      val valid = t.validation.fold(0L)(v => keep(batches(v)))
      val task = Native.handle(flexorJNI.flx_fit_start(model, keep(t.loss.create()), keep(t.optimizer.create()), train, valid, Native.pairs(settings.map { case (k, v) => k -> Settings.text(v) }), _))
      new Run(task, fitted, scope)
    } finally made.foreach(flexorJNI.flx_free(_))
  }
}

/** A fit on its way: iterate over it, then take its `result`. It needs its scope to stay open. */
final class Run private[flexor] (raw: Long, model: Fitted, scope: Scope) extends Resource(raw, scope) with Iterator[Event] {
  import flexorConstants._
  private val columns = Vector.tabulate(Native.int(flexorJNI.flx_task_column_count(raw, _)))(i => Native.text(flexorJNI.flx_task_column_name(raw, i, _)))
  private var ahead: Option[Event] = None
  private var done = false
  private def number(field: String): Double = Native.double(flexorJNI.flx_task_number(raw, Glue.utf8(field), _))

  def hasNext: Boolean = {
    if (ahead.isEmpty && !done) {
      // A fit of short epochs never waits long enough for the glue to look for interrupts.
      val event = if (Thread.currentThread.isInterrupted) FLX_PENDING else Native.int(flexorJNI.flx_task_next(raw, -1, _))
      val text = if (event == FLX_BATCH || event == FLX_EPOCH) Native.text(flexorJNI.flx_task_text(raw, Glue.utf8("progress"), _)) else ""
      if (event == FLX_EPOCH) {
        val row = columns.map(c => c -> number(c))
        model.history = model.history.add(row)
        ahead = Some(Epoch(number("epoch").toInt, row.toMap - "epoch")(text))
      } else if (event == FLX_BATCH) ahead = Some(Progress(number("epoch").toInt, number("batch").toInt, number("loss"))(text))
      else if (event == FLX_PENDING) {
        Thread.interrupted()
        finish()
        throw new InterruptedException("[fit] the thread was interrupted; the model is as the last batch left it")
      } else done = true
    }
    ahead.isDefined
  }
  def next(): Event = { if (!hasNext) throw new NoSuchElementException("the fit is done"); val event = ahead.get; ahead = None; event }

  /** Lets the fit end after the batch at work; the model stays usable. */
  def stop(): Unit = flexorJNI.flx_task_stop(raw)

  private def finish(): Unit = { stop(); while (Native.int(flexorJNI.flx_task_next(raw, 100, _)) != FLX_DONE) {}; done = true }

  /** What was fitted; what is left of the fit is done first. */
  def result: Fitted = { foreach(_ => ()); model }
}

/** A fitted network. Belongs to its scope until `detach`; may be serialized (as the bytes of its file). */
final class Fitted private[flexor] (raw: Long, private var past: History, scope: Scope) extends Resource(raw, scope) with Serializable {
  def history: History = past
  private[flexor] def history_=(h: History): Unit = past = h

  /** Moves it out of its scope: it lives until close(), or until the collector finds it unused. */
  def detach: Fitted = { leave(); this }

  /** What the model file keeps beside the network. */
  def meta(key: String): Option[String] = Option(Native.text(flexorJNI.flx_model_meta_get(raw, Glue.utf8(key), _)))

  /** The class labels, in the order of the scores; none if the file does not say. */
  lazy val classes: Vector[String] = meta("classes").fold(Vector.empty[String])(Fitted.list)

  /** The network. */
  def layer: Layer = Native.briefly(Native.handle(flexorJNI.flx_model_layer(raw, _)))(h => Described(Native.text(flexorJNI.flx_layer_to_json(h, _))))

  /** Its parameters, shared. */
  def params: Params = { val scope = s; new Params(Native.handle(flexorJNI.flx_model_params(raw, _)), scope) }

  /** The scores of a batch. */
  def apply(x: NDArray): NDArray = new NDArray(Native.longs(flexorJNI.flx_model_run(raw, s.mode, Array(x.raw), _))(0), s)

  /** The scores of all samples, batch by batch, one row a sample. */
  def scores(x: Features, batchSize: Int = 256): Array[Array[Float]] = Using.scope { implicit s =>
    val task = Native.briefly(Samples.iter(x, None, Seq("batch_size" -> batchSize)))(iter => new Task(Native.handle(flexorJNI.flx_predict_start(raw, iter, _)), s))
    task.finish()
    val out = new NDArray(Native.longs(flexorJNI.flx_task_arrays(task.raw, _))(0), s)
    if (out.shape.rank == 2) out.toRows else out.reshape(x.length, -1).toRows
  }

  /** The label of each sample: the class with the highest score. */
  def predict(x: Features): Array[String] = scores(x).map { row =>
    val best = if (row.length == 1) (if (row(0) > 0) 1 else 0) else row.indexOf(row.max)
    if (classes.isEmpty) best.toString else classes(best)
  }
  def predict(x: Array[Array[Float]]): Array[String] = predict(Features(x))

  /** How likely each class is, one row a sample. */
  def probabilities(x: Features): Array[Array[Float]] = scores(x).map { row =>
    if (row.length == 1) { val p = (1 / (1 + math.exp(-row(0)))).toFloat; Array(1 - p, p) }
    else { val top = row.max; val e = row.map(v => math.exp(v - top)); val sum = e.sum; e.map(v => (v / sum).toFloat) }
  }

  /** Writes one file (.flx) that every language reads. */
  def save(path: String): Unit = Native.ready(flexorJNI.flx_model_save(raw, Glue.utf8(path), -1, _))

  /** The bytes of that file. */
  def toBytes: Array[Byte] = { val out = new Array[Array[Byte]](1); Native.ready(flexorJNI.flx_model_to_bytes(raw, -1, _, out)); out(0) }

  private def writeReplace(): AnyRef = new FittedBytes(toBytes, history)
}

/** What stands for a fitted network in Java's serialization. */
private[flexor] final class FittedBytes(bytes: Array[Byte], history: History) extends Serializable {
  private def readResolve(): AnyRef = {
    val buffer = NDArray.direct(bytes.length)
    buffer.put(bytes)
    new Fitted(Native.handle(flexorJNI.flx_model_from_bytes(buffer, null, _)), history, null)
  }
}

private[flexor] final class Task(raw: Long, scope: Scope) extends Resource(raw, scope) {
  def finish(): Unit = {
    var event = flexorConstants.FLX_BATCH
    while (event != flexorConstants.FLX_DONE) {
      event = Native.int(flexorJNI.flx_task_next(raw, -1, _))
      if (event == flexorConstants.FLX_PENDING) { Thread.interrupted(); throw new InterruptedException("[predict] the thread was interrupted") }
    }
  }
}

object Fitted {
  /** Reads a .flx file of any language's. It belongs to no scope: close it. */
  def load(path: String): Fitted = new Fitted(Native.handle(flexorJNI.flx_model_load(Glue.utf8(path), null, _)), new History(Nil), null)

  /** A model of MXNet's checkpoint is read by its layer and parameters in other languages; a list of labels is JSON. */
  private[flexor] def json(texts: Seq[String]): String = texts.map { t =>
    t.map {
      case '"'          => "\\\""
      case '\\'         => "\\\\"
      case c if c < ' ' => "\\u%04x".format(c.toInt)
      case c            => c.toString
    }.mkString("\"", "", "\"")
  }.mkString("[", ", ", "]")

  private[flexor] def list(json: String): Vector[String] = {
    val out = Vector.newBuilder[String]
    var i = 0
    while (i < json.length) {
      if (json(i) == '"') {
        val text = new StringBuilder
        i += 1
        while (json(i) != '"') {
          if (json(i) == '\\') {
            i += 1
            json(i) match {
              case 'n' => text += '\n'
              case 't' => text += '\t'
              case 'r' => text += '\r'
              case 'b' => text += '\b'
              case 'f' => text += '\f'
              case 'u' => text += Integer.parseInt(json.substring(i + 1, i + 5), 16).toChar; i += 4
              case c   => text += c
            }
          } else text += json(i)
          i += 1
        }
        out += text.toString
      }
      i += 1
    }
    out.result()
  }
}

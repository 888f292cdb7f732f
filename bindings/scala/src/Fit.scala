// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}
import org.flexor.nn.{Layer, Loss}

/** How to train: an immutable value. `loss`: without one SoftmaxCrossEntropyLoss, for networks of one output SigmoidBinaryCrossEntropyLoss, for numbers L2Loss. `metrics` are names, values of
  * org.flexor.metric, or [[HostMetric]]s; by default the accuracy, of numbers the mean square. With a `store` the fit is one of its workers', and the samples are this worker's share of all.
  * docs/fit.md says what the others do. */
final case class Training(epochs: Int = 1, batchSize: Int = 64, optimizer: Optimizer = Adam(0.001), seed: Long = 0, validation: Option[Source] = None, loss: Option[Loss] = None,
                          metrics: Seq[Any] = Training.usual, shuffle: Boolean = true, patience: Option[Int] = None, clipGradient: Option[Double] = None, checkpoint: Option[String] = None,
                          resume: Boolean = false, initializer: Option[Initializer] = None, hybridize: Boolean = true, passes: String = "", reportEvery: Int = 0, store: Option[Store] = None,
                          updateOnStore: Option[Boolean] = None, storeCheckpoint: Int = 0, device: String = "")

object Training {
  private[flexor] val usual: Seq[Any] = Vector("usual")
}

/** What a fit reports, on the thread that fits. Prints as a line of progress. */
sealed abstract class Event { def progress: String; override def toString: String = progress }
/** The end of an epoch, counted from 1: its loss and metrics by name, those of the validation data as `valid.accuracy`. */
final case class Epoch(number: Int, scores: Map[String, Double])(val progress: String) extends Event
/** Some batches later, where `reportEvery` asks for it. */
final case class Progress(epoch: Int, batch: Int, loss: Double)(val progress: String) extends Event

/** What fits a network: a [[Classifier]] or a [[Regressor]]. An interrupt of the thread ends a fit after the batch at work, with an InterruptedException. */
abstract class Estimator private[flexor] {
  def network: Layer
  private[flexor] def task: String
  private[flexor] def classesOf(source: Source, outputs: Option[Int]): Vector[String]
  private[flexor] def lossFor(outputs: Option[Int]): Loss
  private[flexor] def usualMetrics(loss: Loss): Seq[Any]
  private[flexor] def check(outputs: Option[Int], classes: Vector[String]): Unit

  /** Fits to all that `source` gives. */
  def fit(source: Source, training: Training): Fitted = { val run = start(source, training); run.foreach(_ => ()); run.result }

  /** Begins to fit: an iterator of events. The work is done as it is iterated over. */
  def start(source: Source, training: Training): Run = begin(source, training, None)

  /** Begins to fit further what was fitted before; its own network counts, and it is changed. */
  def start(source: Source, training: Training, from: Fitted): Run = begin(source, training, Some(from))

  private def begin(source: Source, t: Training, from: Option[Fitted]): Run = {
    val scope = s // without one nothing is begun
    val input = source.input
    val made = new scala.collection.mutable.ArrayBuffer[Long]
    def keep(h: Long): Long = { made += h; h }
    try {
      val layer = keep(from.fold(network.create(input))(m => Native.handle(flexorJNI.flx_model_layer(m.raw, _))))
      // What the network gives for a sample, where shapes tell it.
      val sizes = try Some(nn.Trace.output(layer, input).sizes) catch { case _: StateException => None }
      val outputs = sizes.filter(_.nonEmpty).map(all => if (all.length == 1) 1 else all.last.toInt).filter(_ > 0)
      val classes = from.map(_.classes).filter(_.nonEmpty).getOrElse(classesOf(source, outputs))
      check(outputs, classes)
      val loss = t.loss.getOrElse(lossFor(outputs))
      val fitted = from.getOrElse(new Fitted(Native.handle(flexorJNI.flx_model_create(layer, 0L, _)), new History(Nil), scope))
      fitted.history = new History(Nil)
      fitted.metaSet("task", task)
      if (classes.nonEmpty) fitted.metaSet("classes", Json.text(classes))
      val metrics = (if (t.metrics eq Training.usual) usualMetrics(loss) else t.metrics).map(Settings.text).mkString(", ")
      val settings = Seq[(String, Any)]("epochs" -> t.epochs, "metrics" -> metrics, "seed" -> t.seed, "patience" -> t.patience, "clip_gradient" -> t.clipGradient,
        "checkpoint" -> t.checkpoint.getOrElse(""), "resume" -> t.resume, "initializer" -> t.initializer.fold("")(_.text), "hybridize" -> t.hybridize, "passes" -> t.passes, "device" -> t.device, "report_every" -> t.reportEvery, "update_on_store" -> t.updateOnStore, "store_checkpoint" -> t.storeCheckpoint)
      if (t.store.isEmpty && t.updateOnStore.contains(true)) throw new ArgumentException("[fit] updateOnStore: there is no store; give one, Training(store = Some(Store(...)))")
      val train = keep(source.open(classes, Seq("batch_size" -> t.batchSize, "shuffle" -> t.shuffle, "seed" -> t.seed), sizes.fold(2)(_.length)))
      val valid = t.validation.fold(0L)(v => keep(v.open(classes, Seq("batch_size" -> t.batchSize))))
      val work = Native.handle(flexorJNI.flx_fit_start(fitted.raw, keep(loss.create(null)), keep(t.optimizer.create()), train, valid, Native.pairs(settings.map { case (k, v) => k -> Settings.text(v) }), _))
      val run = new Run(work, fitted, scope)
      for (store <- t.store) flexorJNI.flx_fit_store(work, store.raw)
      run
    } finally made.foreach(flexorJNI.flx_free(_))
  }
}

/** A network that tells classes apart: its last layer has a unit for each (one is enough for two). Labels are texts; of a source of batches 0-based indices, which `classes` names. */
final case class Classifier(network: Layer, classes: Seq[String] = Nil) extends Estimator {
  private[flexor] def task: String = "classification"
  def fit(x: Array[Array[Float]], y: Array[String], training: Training): Fitted = fit(new Samples(Features(x), y), training)
  private[flexor] def classesOf(source: Source, outputs: Option[Int]): Vector[String] =
    if (classes.nonEmpty) classes.toVector
    else if (source.classes.nonEmpty) source.classes
    else Vector.tabulate(outputs.map(n => if (n == 1) 2 else n).getOrElse(0))(_.toString)
  private[flexor] def lossFor(outputs: Option[Int]): Loss = if (outputs.exists(_ == 1)) nn.SigmoidBinaryCrossEntropyLoss() else nn.SoftmaxCrossEntropyLoss()
  private[flexor] def usualMetrics(loss: Loss): Seq[Any] = if (loss.kind == "SigmoidBinaryCrossEntropyLoss") Seq(Classifier.binary) else Seq("accuracy")
  private[flexor] def check(outputs: Option[Int], classes: Vector[String]): Unit = for (n <- outputs)
    if (classes.nonEmpty && n != classes.length && !(n == 1 && classes.length == 2))
      throw new ArgumentException(s"[Classifier] the network gives $n scores a sample, and the labels have ${classes.length} classes. Let the last layer have ${classes.length} units.", "Classifier")
}

object Classifier {
  // The accuracy of one score, which says the second class above 0.
  private[flexor] lazy val binary: HostMetric = HostMetric("accuracy") { (p, y) => val n = y.length; (0 until n).count(i => (p(i) > 0) == (y(i) > 0.5f)).toDouble / math.max(1, n) }
}

/** A network that predicts numbers. */
final case class Regressor(network: Layer) extends Estimator {
  private[flexor] def task: String = "regression"
  def fit(x: Array[Array[Float]], y: Array[Float], training: Training): Fitted = fit(new Numbers(Features(x), y), training)
  private[flexor] def classesOf(source: Source, outputs: Option[Int]): Vector[String] =
    if (source.classes.isEmpty) Vector.empty else throw new ArgumentException("[Regressor] expected numbers to predict (Numbers), given labels. Classifier is for labels.", "Regressor")
  private[flexor] def lossFor(outputs: Option[Int]): Loss = nn.L2Loss()
  private[flexor] def usualMetrics(loss: Loss): Seq[Any] = Seq("mse")
  private[flexor] def check(outputs: Option[Int], classes: Vector[String]): Unit = ()
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
      val event = try Tasks.next(raw) catch { case e: Throwable => finish(); throw e }
      val text = if (event == FLX_BATCH || event == FLX_EPOCH) Native.text(flexorJNI.flx_task_text(raw, Glue.utf8("progress"), _)) else ""
      if (event == FLX_EPOCH) {
        val row = columns.map(c => c -> number(c))
        model.history = model.history.add(row)
        ahead = Some(Epoch(number("epoch").toInt, scala.collection.immutable.ListMap(row.filter(_._1 != "epoch"): _*))(text))
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

  private def finish(): Unit = { done = true; Tasks.end(raw) }

  /** What was fitted; what is left of the fit is done first. */
  def result: Fitted = { foreach(_ => ()); model }
}

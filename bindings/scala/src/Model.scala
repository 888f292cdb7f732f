// SPDX-License-Identifier: Apache-2.0
package org.flexor

import org.flexor.Scope.{here => s}
import org.flexor.nn.{Described, Layer}

/** A fitted network. Belongs to its scope until `detach`; may be serialized (as the bytes of its file). */
final class Fitted private[flexor] (raw: Long, private var past: History, scope: Scope) extends Resource(raw, scope) with Serializable {
  def history: History = past
  private[flexor] def history_=(h: History): Unit = past = h

  /** Moves it out of its scope: it lives until close(), or until the collector finds it unused. */
  def detach: Fitted = { leave(); this }

  /** What the model file keeps beside the network. */
  def meta(key: String): Option[String] = Option(Native.text(flexorJNI.flx_model_meta_get(raw, Glue.utf8(key), _)))
  private[flexor] def metaSet(key: String, value: String): Unit = flexorJNI.flx_model_meta_set(raw, Glue.utf8(key), Glue.utf8(value))

  /** The class labels, in the order of the scores; none if the file does not say. */
  lazy val classes: Vector[String] = meta("classes").fold(Vector.empty[String])(Json.texts)

  /** The network. */
  def layer: Layer = Native.briefly(Native.handle(flexorJNI.flx_model_layer(raw, _)))(h => Described(Native.text(flexorJNI.flx_layer_to_json(h, _))))

  /** Its parameters, shared. */
  def params: Parameters = { val scope = s; new Parameters(Native.handle(flexorJNI.flx_model_params(raw, _)), scope) }

  /** Where its parameters are, and so where it computes. */
  def device: String = Using.scope(_ => params.device)
  /** Moves its parameters to `device`. */
  def toDevice(device: String): this.type = { Using.scope(_ => params.toDevice(device)); this }

  /** The scores of a batch. */
  def apply(x: NDArray): NDArray = { val scope = s; new NDArray(Native.longs(flexorJNI.flx_model_run(raw, scope.mode, Array(x.raw), _))(0), scope) }

  /** What the network gives for all samples, batch by batch, one row a sample. An interrupt of the thread ends it. */
  def scores(x: Features, batchSize: Int = 256): Array[Array[Float]] = if (x.length == 0) Array.empty[Array[Float]] else Using.scope { scope =>
    val iter = Source.arrays(x, None, Seq("batch_size" -> batchSize))
    val task = Native.briefly(iter)(h => Native.handle(flexorJNI.flx_predict_start(raw, h, _)))
    val out = Native.briefly(task) { t => Tasks.drive(t, "predict"); new NDArray(Native.longs(flexorJNI.flx_task_arrays(t, _))(0), scope) }
    out.reshape(x.length, -1).toRows
  }

  /** The label of each sample: the class with the highest score. */
  def predict(x: Features): Array[String] = {
    if (meta("task").exists(_ == "regression")) throw new StateException("[predict] this model predicts numbers, not labels: use estimate")
    scores(x).map { row =>
      val best = if (row.length == 1) (if (row(0) > 0) 1 else 0) else row.indexOf(row.max)
      if (classes.isEmpty) best.toString else classes(best)
    }
  }
  def predict(x: Array[Array[Float]]): Array[String] = predict(Features(x))

  /** How likely each class is, one row a sample. */
  def probabilities(x: Features): Array[Array[Float]] = scores(x).map { row =>
    if (row.length == 1) { val p = (1 / (1 + math.exp(-row(0)))).toFloat; Array(1 - p, p) }
    else { val top = row.max; val e = row.map(v => math.exp(v - top)); val sum = e.sum; e.map(v => (v / sum).toFloat) }
  }
  def probabilities(x: Array[Array[Float]]): Array[Array[Float]] = probabilities(Features(x))

  /** The number that a regression predicts for each sample; of several the first (`scores` has them all). */
  def estimate(x: Features): Array[Float] = scores(x).map(_(0))
  def estimate(x: Array[Array[Float]]): Array[Float] = estimate(Features(x))

  /** Metrics over all that `source` gives, by name; they are given as for [[Training]]. */
  def evaluate(source: Source, metrics: Seq[Any] = Training.usual, batchSize: Int = 256): Map[String, Double] = Using.scope { scope =>
    val regression = meta("task").exists(_ == "regression")
    val usual = metrics eq Training.usual
    val wanted = if (!usual) metrics else if (regression) Seq("mse") else if (classes.length == 2 && nn.Trace.width(raw, source.input) == 1) Seq(Classifier.binary) else Seq("accuracy")
    Native.briefly(source.open(classes, Seq("batch_size" -> batchSize))) { iter =>
      Native.briefly(Native.handle(flexorJNI.flx_evaluate_start(raw, iter, Glue.utf8(wanted.map(Settings.text).mkString(", ")), _))) { task =>
        Tasks.drive(task, "evaluate")
        Vector.tabulate(Native.int(flexorJNI.flx_task_column_count(task, _)))(i => Native.text(flexorJNI.flx_task_column_name(task, i, _)))
          .map(name => name -> Native.double(flexorJNI.flx_task_number(task, Glue.utf8(name), _))).toMap
      }
    }
  }

  /** Writes one file (.flx) that every language reads. */
  def save(path: String): Unit = Native.ready(flexorJNI.flx_model_save(raw, Glue.utf8(path), -1, _))

  /** Writes MXNet's pair of files, path-symbol.json and path-0000.params, for inputs of this shape. */
  def saveMXNet(path: String, epoch: Int, input: Shape): Unit = Using.scope { _ =>
    val data = Symbol.variable("data", "shape" -> Shape(input.sizes.map(n => if (n < 0) 1L else n): _*))
    val layer = Native.handle(flexorJNI.flx_model_layer(raw, _))
    val symbol = Native.briefly(layer)(h => new Symbol(Native.handle(flexorJNI.flx_layer_apply(h, Glue.utf8(""), Array(data.inferred.raw), _)), s))
    val free = new Symbol(Native.handle(flexorJNI.flx_symbol_substitute(symbol.raw, Array(Symbol.variable("data").raw), Glue.utf8("data"), _)), s)
    Native.ready(flexorJNI.flx_checkpoint_save(free.raw, params.raw, Glue.utf8(path), epoch, -1, _))
  }

  /** The bytes of the file that `save` writes. */
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

object Fitted {
  /** Reads a .flx file of any language's, its parameters to `device` (null: the CPU), where it predicts then. It belongs to no scope: close it. */
  def load(path: String, device: String = null): Fitted = new Fitted(Native.handle(flexorJNI.flx_model_load(Glue.utf8(path), Glue.utf8(device), _)), new History(Nil), null)

  /** Reads MXNet's checkpoint, the files prefix-symbol.json and prefix-0000.params. What of its variables no parameter is, is its input; an output layer that wants a label (SoftmaxOutput and its
    * like) predicts without one. It belongs to no scope: close it. */
  def load(prefix: String, epoch: Int): Fitted = Using.scope { _ =>
    val (graph, values) = (new Array[Long](1), new Array[Long](1))
    flexorJNI.flx_checkpoint_load(Glue.utf8(prefix), epoch, graph, values)
    MXNet.model(new Symbol(graph(0), s), new Parameters(values(0), s))
  }
}

/** Models of MXNet's as models of ours. */
private[flexor] object MXNet {
  private val heads = Map("SoftmaxOutput" -> "softmax", "Softmax" -> "softmax", "LogisticRegressionOutput" -> "sigmoid", "LinearRegressionOutput" -> "identity", "MAERegressionOutput" -> "identity",
    "SVMOutput" -> "identity")

  def model(symbol: Symbol, values: Parameters): Fitted = {
    val known = values.names.toSet
    val inputs = symbol.arguments.filterNot(known)
    val (labels, data) = inputs.partition(_.endsWith("label"))
    if (data.isEmpty) throw new ArgumentException(s"[load] every variable of the symbol (${symbol.arguments.take(10).mkString(", ")}) is among the parameters, so nothing is left to be its input.")
    val graph = if (labels.isEmpty) symbol else { val all = symbol.outputs.map(prediction(_, labels)); if (all.length == 1) all.head else Symbol.group(all: _*) }
    val used = graph.inputs.toSet
    val params = Native.handle(flexorJNI.flx_params_create(_))
    try {
      for (name <- values.names if used(name)) flexorJNI.flx_params_set(params, Glue.utf8(name), values(name).raw)
      val layer = Native.handle(flexorJNI.flx_layer_from_symbol(graph.raw, null, Glue.utf8(data.toArray), _))
      Native.briefly(layer)(h => new Fitted(Native.handle(flexorJNI.flx_model_create(h, params, _)), new History(Nil), null))
    } finally flexorJNI.flx_free(params)
  }

  // What an output layer computes in prediction, from its data alone.
  private def prediction(output: Symbol, labels: Seq[String]): Symbol = {
    val document = Json.parse(output.toJson)
    val nodes = document("nodes")
    val head = nodes(document("heads")(0)(0).int)
    val name = head("op").text
    val what = heads.getOrElse(name, throw new ArgumentException(s"[load] the symbol wants the label ${labels.mkString(", ")} in $name, so it cannot predict without. Take an internal output of it by Symbol.load.", name))
    val (from, index) = (nodes(head("inputs")(0)(0).int)("name").text, head("inputs")(0)(1).int)
    val data = output.internals.reverse.find(n => n == from || n == s"${from}_output" || n == s"${from}_output$index").map(output(_)).get
    val channels = head.get("attrs").flatMap(_.get("multi_output")).exists(a => a.text == "True" || a.text == "1" || a.text == "true")
    Symbol.compose(what, Seq(data), if (what == "softmax") List("axis" -> (if (channels) "1" else "-1")) else Nil, head("name").text)
  }
}

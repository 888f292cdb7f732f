// SPDX-License-Identifier: Apache-2.0
package org.flexor

import java.nio.ByteBuffer
import java.nio.file.{Files, Path, Paths}
import org.flexor.nn.{Layer, Loss, Named, Sequential}

/** The shared cases by the Scala package: errors TABLE | values TABLE | indices TABLE | golden TABLE GOLDEN | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL... README.md says what each does. */
object Runner {
  private def settings(line: Line, but: String): List[(String, String)] = line.fields.filter(_._1 != but)
  private def layers(c: Case): Sequential = Sequential(c.all("layer").map(l => Named(l("kind"), settings(l, "kind"))): _*)
  private def direct(bytes: Array[Byte]): ByteBuffer = { val b = NDArray.direct(bytes.length); b.put(bytes); b.clear(); b }
  private def content(b: ByteBuffer): Array[Byte] = { val out = new Array[Byte](b.capacity); val all = b.duplicate; all.clear(); all.get(out); out }

  // ---- errors
  private def badCall(c: Case, folder: Path): Unit = Using.scope { implicit s =>
    val call = c.find("call")
    val arrays = c.all("in").map(l => NDArray.full(Cases.shape(l("shape")), 0, DType(l("dtype"))))
    val options = c.all("attr").flatMap(_.fields).map { case (k, v) => k -> v.replace("{folder}", folder.toString) }
    val path = folder.resolve(call.get("file").getOrElse("none")).toString
    for (text <- call.get("text") if call.get("file").isDefined) Files.write(Paths.get(path), text.getBytes("UTF-8"))
    val name = Glue.utf8(call("name"))
    val pairs = Native.pairs(options)
    val out = new Array[Long](1)
    call("what") match {
      case "operator"    => Operators.run(call("name"), arrays, options)
      case "layer"       => Named(call("name"), options)
      case "optimizer"   => NamedOptimizer(call("name"), options)
      case "schedule"    => flexorJNI.flx_schedule_create(name, pairs, out)
      case "initializer" => flexorJNI.flx_initializer_create(name, pairs, out)
      case "metric"      => flexorJNI.flx_metric_create(name, pairs, out)
      case "iter"        => flexorJNI.flx_iter_create(name, pairs, out)
      case "batches"     => flexorJNI.flx_iter_from_arrays(arrays.map(_.raw).toArray, Glue.utf8(Array("data", "label")), Native.pairs(Seq("batch_size" -> call("batch_size"))), out)
      case "summary"     => layers(c).briefly(null)(h => flexorJNI.flx_layer_summary(h, Native.pairs(Seq("data" -> call("input"))), 80, new Array[Array[Byte]](1)))
      case "zeros"       => flexorJNI.flx_ndarray_create(Cases.shape(call("shape")).raw, 0, Glue.utf8(call.get("device").orNull), out)
      case "item"        => arrays.head.toDouble
      case "attach"      => arrays.head.attachGrad()
      case "backward"    => arrays.head.backward()
      case "load_model"  => Fitted.load(path)
      case "load_arrays" => Params.load(path)
      case "symbol_json" => flexorJNI.flx_symbol_from_json(Glue.utf8(call("text")), out)
      case "config"      => Flexor.config(call("key"), call("value"))
    }
  }

  private def fits(text: String, want: String): Boolean = {
    val gap = want.indexOf("{any}")
    if (gap < 0) text == want
    else { val (head, tail) = (want.substring(0, gap), want.substring(gap + 5)); text.startsWith(head) && text.endsWith(tail) && text.length >= head.length + tail.length }
  }

  private def native(status: String, e: FlexorException): Boolean = (status, e) match {
    case ("ARGUMENT", _: ArgumentException) | ("TYPE", _: TypeException) | ("SHAPE", _: ShapeException) | ("INDEX", _: IndexException) | ("NAME", _: NameException) |
        ("HANDLE", _: HandleException) | ("UNSUPPORTED", _: UnsupportedException) | ("MEMORY", _: MemoryException) | ("FILE", _: FileException) | ("FORMAT", _: FormatException) |
        ("DEVICE", _: DeviceException) | ("NETWORK", _: NetworkException) | ("HOST", _: HostException) | ("STATE", _: StateException) | ("INTERNAL", _: InternalException) | ("ROLLED_BACK", _: RolledBackException) => true
    case _ => false
  }

  private def errorCase(c: Case, folder: Path): String = {
    val want = c.find("error")
    try { badCall(c, folder); "nothing failed" }
    catch {
      case e: FlexorException =>
        def clean(t: String): String = t.replace(folder.toString, "{folder}")
        val fields = List("kind" -> e.kind, "operator" -> e.operator, "node" -> e.node, "hint" -> e.hint, "file" -> clean(e.file), "offset" -> (if (e.offset < 0) "" else e.offset.toString))
        if (!native(want("status"), e)) s"it is a ${e.getClass.getName}"
        else if (!fits(clean(e.getMessage), want("text"))) clean(e.getMessage)
        else fields.collectFirst { case (k, v) if v != want(k) => s"$k is '$v'" }.getOrElse("")
    }
  }

  // ---- values
  private def valueCase(c: Case): String = Using.scope { implicit s =>
    val line = c.find("array")
    val (shape, dtype) = (Cases.shape(line("shape")), DType(line("dtype")))
    val raw = line("bytes").grouped(2).filter(_.nonEmpty).map(Integer.parseInt(_, 16).toByte).toArray
    val a = NDArray(direct(raw), dtype, shape)
    // Column-major host memory, as other languages hold it.
    val n = shape.sizes.map(_.toInt)
    val turned = new Array[Byte](raw.length)
    for (k <- 0 until shape.size.toInt) {
      val index = n.indices.map(d => k / n.drop(d + 1).product % n(d))
      val to = index.indices.map(d => index(d) * n.take(d).product).sum
      System.arraycopy(raw, k * dtype.bytes, turned, to * dtype.bytes, dtype.bytes)
    }
    val b = NDArray.make(direct(turned), dtype, shape, dtype, flexorConstants.FLX_COLUMN_MAJOR)
    def numbers: Boolean = dtype match { // by Scala's own arrays
      case DType.Float32 => content(NDArray.of(a.toFloats, shape).toBuffer()) sameElements raw
      case DType.Float64 => content(NDArray.of(a.toDoubles, shape).toBuffer()) sameElements raw
      case DType.Int32   => content(NDArray.of(a.toInts, shape).toBuffer()) sameElements raw
      case DType.Int64   => content(NDArray.of(a.toLongs, shape).toBuffer()) sameElements raw
      case _             => true
    }
    if ((content(a.toBuffer()) sameElements raw) && (content(b.toBuffer()) sameElements raw) && numbers && a.shape == shape && a.dtype == dtype) "" else s"$a instead of ${line("values")}"
  }

  // ---- golden cases
  private final class Golden(folder: String) {
    private val files = scala.collection.mutable.Map.empty[String, Array[Byte]]
    def bytes(family: String, l: Line): Array[Byte] = {
      val file = files.getOrElseUpdate(family, Files.readAllBytes(Paths.get(folder, family + ".bin")))
      val at = l("at").toInt
      java.util.Arrays.copyOfRange(file, at, at + (Cases.shape(l("shape")).size * DType(l("dtype")).bytes).toInt)
    }
    def load(family: String, l: Line): NDArray = NDArray(direct(bytes(family, l)), DType(l("dtype")), Cases.shape(l("shape")))
  }

  private def differs(l: Line, want: NDArray, got: NDArray): String = {
    val (rtol, atol) = (l.get("rtol").fold(0.0)(_.toDouble), l.get("atol").fold(0.0)(_.toDouble))
    if (got.dtype != want.dtype || got.shape != want.shape) s"${got.dtype} ${got.shape} instead of ${want.dtype} ${want.shape}"
    else {
      val exact = rtol == 0 && atol == 0
      val same = if (exact && want.dtype == DType.Int64) want.toLongs sameElements got.toLongs
      else want.toDoubles.zip(got.toDoubles).forall { case (w, g) => w == g || w.isNaN && g.isNaN || !exact && !w.isInfinite && math.abs(g - w) <= atol + rtol * math.abs(w) }
      if (same) "" else s"$got instead of $want"
    }
  }

  private var functions = 0
  private def goldenCase(c: Case, golden: Golden): String = Using.scope { implicit s =>
    val (head, call, family) = (c.lines.head, c.find("call"), c.lines.head("family"))
    val ins = c.all("in").map(l => (l, golden.load(family, l)))
    for ((l, a) <- ins if l("grad") == "1") a.attachGrad()
    val arrays = ins.map(_._2)
    val targets = c.all("writes").map(l => arrays(l("input").toInt))
    val options = c.all("attr").flatMap(_.fields)
    val mode = call("mode").toInt
    Flexor.seed(1)
    try {
      val outs = s.in(mode, 0) {
        if (targets.isEmpty) {
          // By the function of op; by name what is no function's: attributes of other types (bad calls), operators that are signs and methods here.
          val by = try OpCalls(call("operator"), arrays.toVector, new Given(options.toMap)) catch { case _: NotOfItsType => None }
          if (by.isDefined) functions += 1
          by.getOrElse(Operators.run(call("name"), arrays, options).collect { case a: NDArray => a })
        }
        else { flexorJNI.flx_invoke_into(Glue.utf8(call("name")), mode, arrays.map(_.raw).toArray, Native.pairs(options), targets.map(_.raw).toArray); targets }
      }
      if (head("kind") == "error") { outs.foreach(_.await()); if (call("answer") == "accepts") "" else "nothing failed" }
      else {
        val shapes = c.all("shape").collectFirst { case l if outs(l("index").toInt).shape != Cases.shape(l("shape")) || outs(l("index").toInt).dtype.name != l("dtype") => s"output ${l("index")} has another shape" }
        val heads = c.all("head").map(l => (outs(l("index").toInt).raw, golden.load(family, l).raw))
        if (heads.nonEmpty) flexorJNI.flx_autograd_backward(heads.map(_._1).toArray, heads.map(_._2).toArray, mode & flexorConstants.FLX_TRAIN)
        shapes.orElse(c.lines.iterator.filter(l => l.word == "out" || l.word == "grad" || l.word == "after").map { l =>
          def named: NDArray = ins.find(_._1("name") == l("name")).get._2
          val got = if (l.word == "out") outs(l("index").toInt) else if (l.word == "grad") named.grad else named
          val wrong = differs(l, golden.load(family, l), got)
          if (wrong.isEmpty) "" else s"${l.word} ${l("index")}${l("name")}: $wrong"
        }.find(_.nonEmpty)).getOrElse("")
      }
    } catch {
      case e: FlexorException if head("kind") == "error" =>
        if (e.getMessage.startsWith(s"[${call("name")}]") || e.getMessage.startsWith(s"[${call("operator")}]")) "" else e.toString
    }
  }

  // ---- axes, indices and labels count from 0
  private def indexCase(c: Case): String = Using.scope { implicit s =>
    def numbers(l: Line): Array[Double] = l("values").split(",").map(_.toDouble)
    val arrays = c.all("in").map(l => NDArray.of(numbers(l), Cases.shape(l("shape"))).to(DType(l("dtype"))))
    val (want, got) = (c.find("out"), IndexCalls(c.id, arrays.toVector))
    val rtol = want.get("rtol").fold(0.0)(_.toDouble)
    if (got.shape == Cases.shape(want("shape")) && numbers(want).zip(got.toDoubles).forall { case (w, g) => math.abs(w - g) <= rtol * math.abs(w) }) "" else s"$got instead of ${want("values")}"
  }

  // ---- the same bits
  private def fit(table: String, out: String): Unit = for (c <- Cases.read(table)) Using.scope { implicit s =>
    val (head, rule) = (c.lines.head, c.find("optimizer"))
    val loss: Loss = c.find("loss")("kind") match { case "SoftmaxCrossEntropyLoss" => nn.SoftmaxCrossEntropyLoss() }
    val spec = Training(epochs = head("epochs").toInt, batchSize = head("batch_size").toInt, seed = head("seed").toLong, shuffle = false, loss = Some(loss),
      optimizer = Optimizer.named(rule("name"), settings(rule, "name"): _*))
    Classifier(layers(c)).fit(Datasets.digits.take(head("samples").toInt), spec).save(Paths.get(out, head("id") + ".flx").toString)
  }

  private def predict(out: String, models: Seq[String]): Unit = for (path <- models) Using.scope { implicit s =>
    val base = Paths.get(out, Paths.get(path).getFileName.toString).toString
    val scans = Datasets.digits.x.slice(8000, 8010).toNDArray
    Using.resource(Fitted.load(path)) { model =>
      Files.write(Paths.get(base + ".scores"), content(model(scans).toBuffer()))
      model.save(base + ".flx")
    }
  }

  private def check(table: String)(one: Case => String): Int = {
    val wrong = Cases.read(table).map(c => c.id -> (try one(c) catch { case e: Exception => e.toString }))
    for ((id, why) <- wrong if why.nonEmpty) println(s"FAILED $id: $why")
    val failed = wrong.count(_._2.nonEmpty)
    println(s"${wrong.length - failed} passed, $failed failed")
    if (failed > 0 || wrong.isEmpty) 1 else 0
  }

  def main(args: Array[String]): Unit = {
    val result = args.head match {
      case "errors" =>
        val folder = Files.createTempDirectory("flexor")
        try check(args(1))(errorCase(_, folder)) finally { folder.toFile.listFiles.foreach(_.delete()); Files.delete(folder) }
      case "values"  => check(args(1))(valueCase)
      case "indices" => check(args(1))(indexCase)
      case "golden"  =>
        val golden = new Golden(args(2))
        val status = check(args(1))(goldenCase(_, golden))
        if (functions > 1000) status else { println(s"FAILED only $functions cases by functions"); 1 }
      case "fit"     => fit(args(1), args(3)); 0
      case "predict" => predict(args(2), args.drop(3)); 0
    }
    System.exit(result)
  }
}

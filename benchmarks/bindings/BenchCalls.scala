// SPDX-License-Identifier: Apache-2.0
import org.flexor._

/** What a call costs from Scala. BenchCalls --full|--quick FILTER; prints a line of JSON for a figure, as the peers' scripts do. Results are freed by a scope of a hundred calls. */
object BenchCalls {
  private val batch = 100

  private def seconds(quick: Boolean)(calls: => Unit): Double = {
    def once(times: Int): Double = { val start = System.nanoTime; var i = 0; while (i < times) { Using.scope(_ => calls); i += 1 }; Flexor.waitAll(); (System.nanoTime - start) / 1e9 }
    var times = 10
    while (once(times) < (if (quick) 0.02 else 0.2)) times *= 2 // the compiler of the JVM has seen them by now
    val found = Seq.fill(if (quick) 1 else 5)(once(times)).sorted
    found(found.length / 2) / times / batch
  }
  private def repeat(call: => Any): Unit = { var i = 0; while (i < batch) { call; i += 1 } }

  def main(args: Array[String]): Unit = {
    val (quick, filter) = (args.headOption.contains("--quick"), args.lift(1).getOrElse("").r)
    def measure(row: String)(call: => Any): Unit =
      if (filter.findFirstIn(row + "/flexor").isDefined) println("{\"row\": \"%s\", \"peer\": \"flexor\", \"value\": %.6g, \"unit\": \"s\"}".formatLocal(java.util.Locale.ROOT, row, seconds(quick)(repeat(call))))
    Using.scope { scope =>
      val (a, b, x, one) = (NDArray.ones(1), NDArray.ones(1), NDArray.ones(1).attachGrad(), Array(1f))
      def chain(x: NDArray): NDArray = { var y = x; var i = 0; while (i < 5) { y = (y + b) * b; i += 1 }; y }
      measure("Scala/add of one element")(a + b)
      measure("Scala/add of a number")(a + 2)
      measure("Scala/add by function")(op.elemwiseAdd(a, b))
      measure("Scala/ten small operators forward and backward") (Using.scope { s => s.recording(chain(x)).backward(); x.grad.await(); () })
      measure("Scala/array of one element and back")(NDArray(one).toFloats)
    }
  }
}

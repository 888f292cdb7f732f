// SPDX-License-Identifier: Apache-2.0
import org.junit.runner.{JUnitCore, Request}

/** Main TEST...: runs classes of JUnit's tests, and tells as tools/count_tests.py reads it. */
object Main {
  def main(args: Array[String]): Unit = {
    val result = new JUnitCore().run(Request.classes(args.map(n => Class.forName(n)): _*))
    for (i <- 0 until result.getFailures.size) println(s"FAILED ${result.getFailures.get(i).getTestHeader}: ${result.getFailures.get(i).getTrace}")
    val failed = result.getFailureCount
    println(s"${result.getRunCount - failed} passed, $failed failed, ${result.getIgnoreCount} skipped")
    System.exit(if (failed > 0 || result.getRunCount == 0) 1 else 0)
  }
}

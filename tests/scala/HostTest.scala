// SPDX-License-Identifier: Apache-2.0
import java.io.File
import java.nio.file.{Files, Path, Paths, StandardCopyOption}
import java.util.concurrent.TimeUnit
import org.flexor._
import org.flexor.nn._
import org.junit.Assert._
import org.junit.Assume.assumeTrue
import org.junit.Test

/** What HostTest runs in Java virtual machines of their own. */
object HostProgram {
  private val net = Sequential(Standardize, Dense(8, Relu), Dense(3))
  // What belongs to the process and to whoever runs the library in it.
  private def state: Seq[(String, Any)] = {
    val status = new String(Files.readAllBytes(Paths.get("/proc/thread-self/status"))).split("\n").filter(l => l.startsWith("Sig") || l.startsWith("Umask") || l.startsWith("Nice")).toSeq
    Seq("status" -> status.mkString(" ").replaceAll("Sig(Q|Pnd).*?(?= |$)", ""), "locale" -> java.util.Locale.getDefault, "zone" -> java.util.TimeZone.getDefault.getID, "environment" -> System.getenv,
      "properties" -> System.getProperties.toString, "out" -> System.identityHashCode(System.out), "folder" -> Paths.get("").toAbsolutePath,
      "handler" -> (Thread.getDefaultUncaughtExceptionHandler == null), "limits" -> new String(Files.readAllBytes(Paths.get("/proc/self/limits"))),
      "loader" -> System.identityHashCode(Thread.currentThread.getContextClassLoader), "division" -> (1.0 / 3, java.lang.Float.MIN_VALUE / 2 * 2, 1e-310 * 1))
  }
  private def compare(when: String, before: Seq[(String, Any)], after: Seq[(String, Any)]): Unit =
    for (((name, a), (_, b)) <- before.zip(after) if a != b) println(s"$when: $name was $a and is $b")

  def main(args: Array[String]): Unit = args.head match {
    case "sum" => Using.scope { _ => println(NDArray.ones(3).sum.toDouble) }
    case "settings" =>
      val first = state
      Flexor.version
      compare("loaded", first, state)
      Using.scope { _ =>
        Classifier(net).fit(Datasets.iris.samples, Training(epochs = 3))
        try NDArray.ones(2, 3) dot NDArray.ones(2, 3) catch { case _: ShapeException => }
      }
      compare("fitted", first, state)
      println("compared")
    case "iris" => Using.scope { _ =>
      val rows = Datasets.iris
      val model = Classifier(net).fit(rows.x, rows.y, Training(epochs = 40, optimizer = Adam(0.02), seed = 1))
      println(Accuracy(model.predict(rows.x), rows.y) > 0.9)
      println(Flexor.about("path"))
    }
    case "fit" => Using.scope { _ =>
      for (event <- Classifier(net).start(Datasets.iris.samples, Training(epochs = 1000000))) event match { case Epoch(3, _) => println("fits"); case _ => }
    }
  }
}

class HostTest {
  private def folderOf(thing: Class[_]): Path = Paths.get(thing.getProtectionDomain.getCodeSource.getLocation.toURI)
  private val jar = folderOf(classOf[NDArray])
  private val others = System.getProperty("java.class.path").split(File.pathSeparator).filterNot(p => Paths.get(p) == jar).toSeq

  private def started(jar: Path, in: Path, environment: Map[String, String], options: Seq[String], what: String): Process = {
    val java = Paths.get(System.getProperty("java.home"), "bin", "java").toString
    val builder = new ProcessBuilder((Seq(java, "-Xmx64m") ++ options ++ Seq("-cp", (jar.toString +: others).mkString(File.pathSeparator), "HostProgram", what)): _*)
    builder.directory(in.toFile).redirectErrorStream(true)
    builder.environment.remove("FLEXOR_LIBRARY")
    for ((k, v) <- environment) builder.environment.put(k, v)
    builder.start()
  }
  private def run(jar: Path, in: Path, what: String, environment: Map[String, String] = Map.empty, options: Seq[String] = Nil): (Int, String) = {
    val child = started(jar, in, environment, options, what)
    val text = new String(child.getInputStream.readAllBytes, "UTF-8")
    assertTrue(child.waitFor(200, TimeUnit.SECONDS))
    (child.exitValue, text)
  }
  private def inFolder[A](body: Path => A): A = {
    val folder = Files.createTempDirectory("flexor")
    try body(folder) finally { folder.toFile.listFiles.foreach(_.delete()); Files.delete(folder) }
  }
  private def copy(name: String, to: Path): Unit = Files.copy(jar.resolveSibling(name), to.resolve(name), StandardCopyOption.REPLACE_EXISTING)
  private val (glue, core) = ("libflexor_jni.so", "libflexor.so.0")

  @Test def aMissingLibraryIsTold(): Unit = inFolder { folder =>
    copy(jar.getFileName.toString, folder)
    val alone = folder.resolve(jar.getFileName)
    def error(what: (Int, String), words: String*): Unit = {
      assertNotEquals(what._2, 0, what._1)
      val line = what._2.split("\n").find(_.contains("UnsatisfiedLinkError")).getOrElse(what._2)
      for (word <- "[library]" +: words) assertTrue(line, line.contains(word))
    }
    error(run(alone, folder, "sum"), glue, "Put it beside flexor.jar", folder.toString)
    // A glue whose libflexor is nowhere, also not where this build has it.
    val text = new String(Files.readAllBytes(jar.resolveSibling(glue)), "ISO-8859-1")
    assertTrue(text.contains(core + "\u0000"))
    Files.write(folder.resolve(glue), text.replace(core + "\u0000", "libflexor.so.?\u0000").getBytes("ISO-8859-1"))
    error(run(alone, folder, "sum"), core, "FLEXOR_LIBRARY", "libflexor.so.?")
    copy(glue, folder)
    error(run(jar, folder, "sum", Map("FLEXOR_LIBRARY" -> "/none/of/it.so")), "FLEXOR_LIBRARY", "/none/of/it.so", "is no file")
    error(run(jar, folder, "sum", options = Seq("-Dflexor.library=/none")), "flexor.library", "is no file")
    // named by the environment: a folder, or the file
    assertEquals((0, "3.0\n"), run(alone, folder, "sum", Map("FLEXOR_LIBRARY" -> jar.getParent.toString)))
    assertEquals((0, "3.0\n"), run(alone, folder, "sum", options = Seq("-Dflexor.library=" + jar.resolveSibling(core))))
  }

  @Test def aLibraryThatIsTooOldIsTold(): Unit = inFolder { folder =>
    assumeTrue("there is no C compiler", Files.isExecutable(Paths.get("/usr/bin/cc")))
    val source = folder.resolve("older.c")
    Files.write(source, ("int flx_abi_require(int v) { return 8; }\nint flx_last_error_info(void *p) { return 0; }\n" +
      "const char *flx_last_error(void) { return \"[flx_abi_require] this program needs ABI version 9 of the library, which has 3.\"; }\n").getBytes)
    assertEquals(0, new ProcessBuilder("/usr/bin/cc", "-shared", "-fPIC", source.toString, "-o", folder.resolve("older.so").toString).inheritIO.start().waitFor())
    val (status, text) = run(jar, folder, "sum", Map("LD_PRELOAD" -> folder.resolve("older.so").toString))
    assertNotEquals(0, status)
    assertTrue(text, text.contains("needs ABI version 9"))
  }

  @Test def theHostsSettingsStayAsTheyWere(): Unit = inFolder { folder =>
    assertEquals((0, "compared\n"), run(jar, folder, "settings", options = Seq("-Duser.language=de", "-Duser.timezone=Asia/Tokyo")))
  }

  @Test def copiedItRunsFromAnotherFolder(): Unit = inFolder { folder =>
    for (name <- Seq(jar.getFileName.toString, glue, core)) copy(name, folder)
    val (status, text) = run(folder.resolve(jar.getFileName), Paths.get("/"), "iris", Map("LD_LIBRARY_PATH" -> ""))
    assertEquals(text, 0, status)
    val lines = text.split("\n")
    assertEquals(text, "true", lines(0))
    assertEquals(text, folder.toRealPath(), Paths.get(lines(1)).getParent.toRealPath())
  }

  @Test def ctrlCEndsTheProgram(): Unit = inFolder { folder =>
    for (signal <- Seq("INT", "TERM")) {
      val child = started(jar, folder, Map.empty, Nil, "fit")
      try {
        val out = new java.io.BufferedReader(new java.io.InputStreamReader(child.getInputStream))
        assertEquals("fits", out.readLine())
        assertEquals(0, new ProcessBuilder("kill", "-" + signal, child.pid.toString).start().waitFor())
        assertTrue("it goes on after SIG" + signal, child.waitFor(60, TimeUnit.SECONDS))
        assertEquals(if (signal == "INT") 130 else 143, child.exitValue)
        assertEquals("it says something", null, out.readLine())
      } finally child.destroyForcibly()
    }
  }

  @Test def twentyInterruptsOfAFit(): Unit = Using.scope { implicit s =>
    val me = Thread.currentThread
    val net = Sequential(Standardize, Dense(64, Relu), Dense(3))
    val data = Datasets.iris.samples
    val live = Flexor.live()
    var longest = 0.0
    for (i <- 1 to 20) Using.scope { implicit inner =>
      val run = Classifier(net).start(data, Training(epochs = 1000000, batchSize = 16, seed = i))
      run.next()
      @volatile var sent = 0L
      val other = new Thread { override def run(): Unit = { Thread.sleep(3 + 7 * i % 50); sent = System.nanoTime; me.interrupt() } }
      other.start()
      try { run.foreach(_ => ()); fail("it was not interrupted") } catch { case _: InterruptedException => longest = math.max(longest, (System.nanoTime - sent) / 1e9) }
      other.join()
      assertFalse(Thread.interrupted())
      assertEquals(150, run.result.predict(data.x).length) // the model stays usable
    }
    assertTrue(s"$longest s", longest < 60)
    for (_ <- 1 to 3000 if Flexor.live() > live + 60) { System.gc(); Thread.sleep(10) } // what the layers keep for runs is freed by the collector
    assertTrue(s"${Flexor.live()} $live", Flexor.live() <= live + 60)
  }
}

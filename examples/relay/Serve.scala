// SPDX-License-Identifier: Apache-2.0
// Last of three: Scala serves the model by HTTP, with nothing but the JDK's own server, until its input ends.
//     scala -cp flexor.jar Serve.scala FILE [PORT]
//     curl --data-binary $'5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3' localhost:PORT/predict        prints a line for each flower: its name, and how sure that is
import com.sun.net.httpserver.{HttpExchange, HttpHandler, HttpServer}
import java.net.{InetAddress, InetSocketAddress}
import java.util.concurrent.Executors
import org.flexor._

object Serve {
  /** What one request gets: its status and text. */
  def answer(model: Fitted, body: String): (Int, String) =
    try {
      val rows = Features(body.split("\n").filter(_.nonEmpty).map(_.split(",").map(_.trim.toFloat)))
      (200, model.predict(rows).zip(model.probabilities(rows)).map { case (label, p) => s"$label ${p.max}\n" }.mkString)
    } catch { case e @ (_: FlexorException | _: NumberFormatException) => (400, e.getMessage + "\n") }

  def main(args: Array[String]): Unit = Using.resource(Fitted.load(args(0))) { model =>
    val server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress, args.lift(1).fold(0)(_.toInt)), 0)
    val workers = Executors.newFixedThreadPool(4)
    server.setExecutor(workers)
    server.createContext("/predict", new HttpHandler {
      def handle(request: HttpExchange): Unit = {
        val (status, text) = answer(model, scala.io.Source.fromInputStream(request.getRequestBody, "UTF-8").mkString)
        val bytes = text.getBytes("UTF-8")
        request.sendResponseHeaders(status, bytes.length)
        request.getResponseBody.write(bytes)
        request.close()
      }
    })
    server.start()
    println(s"Scala: http://localhost:${server.getAddress.getPort}/predict")
    while (System.in.read() >= 0) {}
    server.stop(0)
    workers.shutdown()
  }
}

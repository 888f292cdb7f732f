// SPDX-License-Identifier: Apache-2.0
// A model that MXNet saved years ago, loaded and used: LoadMxnetModel [PREFIX], whose files are PREFIX-symbol.json and PREFIX-0000.params.
// tests/golden/files/models/lenet_bn_01 is such a pair: a small convolutional network for one channel of 10 x 10, five classes.
import java.nio.file.Files
import org.flexor._

object LoadMxnetModel extends App {
  val prefix = args.headOption.getOrElse(sys.props.getOrElse("flexor.source", ".") + "/tests/golden/files/models/lenet_bn_01")
  // scans without their margin, shrunk to 10 x 10 by the mean of 2 x 2 pixels
  def shrunk(scan: Array[Float]): Array[Float] =
    (for (y <- 4 until 24 by 2; x <- 4 until 24 by 2) yield (scan(28 * y + x) + scan(28 * y + x + 1) + scan(28 * y + 28 + x) + scan(28 * y + 29 + x)) / 4).toArray
  val scans = new Features(java.nio.FloatBuffer.wrap((0 until 5).flatMap(i => shrunk(Datasets.digits.x(i))).toArray), Shape(5, 1, 10, 10))
  Using.resource(Fitted.load(prefix, 0)) { model =>
    println(model.layer.summary(Shape(-1, 1, 10, 10)))
    Using.scope(_ => for (name <- model.params.names) println(name.padTo(16, ' ') + model.params(name).shape.sizes.mkString(" x ")))
    val chances = model.scores(scans)
    chances.foreach(row => println(row.map(v => f"$v%.3f").mkString("  ")))
    require(chances.forall(row => math.abs(row.sum - 1) < 1e-5), "the probabilities do not add up to 1")
    println(model.predict(scans).mkString(" "))

    // and kept as a model file of Flexor
    val copy = Files.createTempFile("copy", ".flx")
    model.save(copy.toString)
    Using.resource(Fitted.load(copy.toString))(same => require(same.predict(scans) sameElements model.predict(scans), "the file gives other classes"))
    Files.delete(copy)
  }
}

// SPDX-License-Identifier: Apache-2.0
// The tour's part (e): several workers, each with its share of the digits. flexor-launch -n 4 -s 2 java -cp app.jar DistributedTarget [EPOCHS]
import org.flexor._
import org.flexor.nn._

object DistributedTarget extends App {
  val lenet = Sequential(
    Conv2D(20, kernel = 5, activation = Tanh), MaxPool2D(2),
    Conv2D(50, kernel = 5, activation = Tanh), MaxPool2D(2),
    Flatten, Dense(500, Tanh), Dense(10))
  val digits = Datasets.digits
  val rounds = args.headOption.fold(10)(_.toInt)

  Using.scope { implicit scope =>
    val store = Store("dist_sync")
    val model = Classifier(lenet).fit(digits.shard(store), Training(epochs = rounds, store = Some(store)))
    if (store.rank == 0) model.save("lenet.flx")
  }
}

// SPDX-License-Identifier: Apache-2.0
package org

/** Flexor for Scala. Descriptions (layers, optimizers, settings) are immutable values; what holds native memory (NDArray, Params, Fitted ...) belongs to a [[org.flexor.Scope]] and is freed
  * with it, unless it is detached. */
package object flexor {
  private lazy val crossEntropy = nn.SoftmaxCrossEntropyLoss()
  /** The cross entropy of scores and 0-based class indices, one number a sample. */
  def softmaxCrossEntropy(scores: NDArray, labels: NDArray): NDArray = crossEntropy(scores, labels)
}

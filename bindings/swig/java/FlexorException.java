// SPDX-License-Identifier: Apache-2.0
package org.flexor;

/** A call of the library failed. {@code status} is one of flexorConstants.FLX_ERROR_..., {@code kind} its name. */
public class FlexorException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  public final int status;
  public final String kind;

  public FlexorException(int status, byte[] kind, byte[] message) {
    super(Glue.text(message));
    this.status = status;
    this.kind = Glue.text(kind);
  }
}

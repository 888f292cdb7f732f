// SPDX-License-Identifier: Apache-2.0
package org.flexor;

/**
 * A call of the library failed. There is a subclass for each status (ShapeException, FileException ...), made from the header by java_exceptions.py. {@code status} is one
 * of flexorConstants.FLX_ERROR_..., {@code kind} its name; the other texts are "" and {@code offset} is -1 where they are not known.
 */
public class FlexorException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  public final int status;
  public final String kind;
  public final String operator;
  public final String node;
  public final String origin;
  public final String hint;
  public final String file;
  public final long offset;

  /** For errors that the package itself finds, with the status that the library gives such an error. */
  public FlexorException(int status, String kind, String message, String... fields) {
    super(message);
    this.status = status;
    this.kind = kind;
    operator = field(fields, 0);
    node = field(fields, 1);
    origin = field(fields, 2);
    hint = field(fields, 3);
    file = field(fields, 4);
    String at = field(fields, 5);
    offset = at.isEmpty() ? -1 : Long.parseLong(at);
  }

  private static String field(String[] fields, int index) {
    return index < fields.length && fields[index] != null ? fields[index] : "";
  }

  // What the glue calls: operator, node, origin, hint, file and offset are `fields`.
  static FlexorException make(int status, byte[] kind, byte[] message, byte[][] fields) {
    String[] texts = new String[fields.length];
    for (int i = 0; i < texts.length; ++i) texts[i] = Glue.text(fields[i]);
    return Exceptions.make(status, Glue.text(kind), Glue.text(message), texts);
  }
}

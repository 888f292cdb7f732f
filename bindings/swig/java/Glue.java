// SPDX-License-Identifier: Apache-2.0
package org.flexor;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What the typemaps of java.i do on Java's side: texts cross as UTF-8 that ends with a zero byte, lists of texts as one such after another, handles as numbers. */
final class Glue {
  private Glue() {}

  private static void append(ByteArrayOutputStream out, String s) {
    if (s == null || s.indexOf(0) >= 0) throw new IllegalArgumentException("a text without null characters was expected, given " + s);
    byte[] b = s.getBytes(StandardCharsets.UTF_8);
    out.write(b, 0, b.length);
    out.write(0);
  }

  static byte[] utf8(String s) {
    return s == null ? null : utf8(new String[] {s});
  }

  static byte[] utf8(String[] list) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    if (list != null) for (String s : list) append(out, s);
    return out.toByteArray();
  }

  static byte[] utf8(Map<String, String> options) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    if (options != null) {
      for (Map.Entry<String, String> e : options.entrySet()) {
        append(out, e.getKey());
        append(out, e.getValue());
      }
    }
    return out.toByteArray();
  }

  static String text(byte[] utf8) {
    return utf8 == null ? null : new String(utf8, StandardCharsets.UTF_8);
  }

  static ByteBuffer direct(ByteBuffer b) {
    if (b == null || !b.isDirect()) throw new IllegalArgumentException("a direct ByteBuffer was expected; all of it is used, from 0 to its capacity");
    return b;
  }

  static ByteBuffer writable(ByteBuffer b) {
    if (direct(b).isReadOnly()) throw new java.nio.ReadOnlyBufferException();
    return b;
  }

  static long raw(Handle h) {
    return h == null ? 0 : h.raw;
  }

  static long[] raw(Handle[] list) {
    long[] out = new long[list == null ? 0 : list.length];
    for (int i = 0; i < out.length; ++i) out[i] = raw(list[i]);
    return out;
  }

  static boolean interrupted() {
    return Thread.currentThread().isInterrupted();
  }

  // Results, after a call: nothing was set by one that failed.
  static void put(long[] raw, Handle[] out) {
    Handle h = Handle.own(raw[0]);
    if (h != null && out == null) h.close();
    else if (out != null) out[0] = h;
  }

  static void put(long[][] raw, Handle[][] out) {
    if (raw[0] == null) return;
    Handle[] list = new Handle[raw[0].length];
    for (int i = 0; i < list.length; ++i) list[i] = Handle.own(raw[0][i]);
    if (out != null) out[0] = list;
  }

  static void put(byte[][] raw, String[] out) {
    if (out != null) out[0] = text(raw[0]);
  }
}

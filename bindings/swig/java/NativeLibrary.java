// SPDX-License-Identifier: Apache-2.0
package org.flexor;

import java.io.File;
import java.net.URISyntaxException;
import java.security.CodeSource;

/**
 * Finds and loads the native code. libflexor itself: what the system property flexor.library or the environment's FLEXOR_LIBRARY names (a file, or a folder that holds
 * libflexor.so.0); else the one beside the glue, else the system's. The glue, libflexor_jni.so: beside the jar, else in java.library.path.
 */
final class NativeLibrary {
  private NativeLibrary() {}

  static final String GLUE = "libflexor_jni.so";
  static final String CORE = "libflexor.so.0";

  static void load() {
    String given = System.getProperty("flexor.library");
    String from = "the system property flexor.library";
    if (given == null || given.isEmpty()) {
      given = System.getenv("FLEXOR_LIBRARY");
      from = "FLEXOR_LIBRARY";
    }
    if (given != null && !given.isEmpty()) {
      File file = new File(given);
      if (file.isDirectory()) file = new File(file, CORE);
      if (!file.isFile()) throw new UnsatisfiedLinkError("[library] " + from + " names " + file + ", which is no file. Give the path of " + CORE + " or of its folder.");
      System.load(file.getAbsolutePath());
    }
    File beside = beside();
    if (beside != null && beside.isFile()) {
      try {
        System.load(beside.getAbsolutePath());
      } catch (UnsatisfiedLinkError e) {
        throw told("[library] " + beside + " was found, and cannot be loaded. Is " + CORE + " beside it, or named by FLEXOR_LIBRARY? " + e.getMessage(), e);
      }
      return;
    }
    try {
      System.loadLibrary("flexor_jni");
    } catch (UnsatisfiedLinkError e) {
      throw told("[library] " + GLUE + " was found neither beside the jar (" + beside + ") nor in java.library.path ("
          + System.getProperty("java.library.path") + "). Put it beside flexor.jar, with " + CORE + ": " + e.getMessage(), e);
    }
  }

  private static UnsatisfiedLinkError told(String text, Throwable cause) {
    UnsatisfiedLinkError error = new UnsatisfiedLinkError(text);
    error.initCause(cause);
    return error;
  }

  private static File beside() {
    try {
      CodeSource source = NativeLibrary.class.getProtectionDomain().getCodeSource();
      File at = source == null || source.getLocation() == null ? null : new File(source.getLocation().toURI());
      return at == null ? null : new File(at.isDirectory() ? at : at.getParentFile(), GLUE);
    } catch (URISyntaxException | IllegalArgumentException | SecurityException e) {
      return null;
    }
  }
}

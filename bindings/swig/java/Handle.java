// SPDX-License-Identifier: Apache-2.0
package org.flexor;

import java.lang.ref.Cleaner;

/** Something of the library's: freed by close(), or when the collector finds it unused. */
public final class Handle implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private static final class Free implements Runnable {
    private final long raw;

    Free(long raw) {
      this.raw = raw;
    }

    @Override
    public void run() {
      flexorJNI.flx_free(raw);
    }
  }

  final long raw;
  private final Cleaner.Cleanable cleanable;

  private Handle(long raw) {
    this.raw = raw;
    cleanable = CLEANER.register(this, new Free(raw));
  }

  static Handle own(long raw) {
    return raw == 0 ? null : new Handle(raw);
  }

  @Override
  public void close() {
    cleanable.clean();
  }
}

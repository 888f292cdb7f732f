// SPDX-License-Identifier: Apache-2.0
// The ABI called from Java, by the glue that SWIG makes from the header: java -cp CLASSES -Djava.library.path=FOLDER CallsTest.
import static org.flexor.flexor.*;
import static org.flexor.flexorConstants.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.flexor.FlexorException;
import org.flexor.Handle;

public class CallsTest {
  interface Call { void run() throws Exception; }

  static void check(boolean ok, Object... given) {
    if (!ok) throw new AssertionError(Arrays.deepToString(given));
  }

  static <E extends Throwable> E fails(Class<E> kind, Call call, String... words) throws Exception {
    try {
      call.run();
    } catch (Throwable e) {
      if (!kind.isInstance(e)) throw new AssertionError(e);
      for (String w : words) check(e.getMessage().contains(w), w, e.getMessage());
      return kind.cast(e);
    }
    throw new AssertionError("nothing failed");
  }

  static ByteBuffer floats(float... values) {
    ByteBuffer b = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.nativeOrder());
    b.asFloatBuffer().put(values);
    return b;
  }

  static Handle make(long[] dims, float... values) {
    Handle[] out = new Handle[1];
    flx_ndarray_create_from(floats(values), FLX_FLOAT32, FLX_ROW_MAJOR, dims, FLX_FLOAT32, null, out);
    return out[0];
  }

  static long[] dims(Handle a) {
    long[][] d = new long[1][];
    flx_ndarray_describe(a, null, d);
    return d[0];
  }

  static float[] read(Handle a) {
    long size = 1;
    for (long d : dims(a)) size *= d;
    ByteBuffer b = floats(new float[(int) size]);
    int[] ready = new int[1];
    flx_ndarray_read(a, b, FLX_FLOAT32, FLX_ROW_MAJOR, -1, ready);
    check(ready[0] == 1);
    float[] out = new float[(int) size];
    b.asFloatBuffer().get(out);
    return out;
  }

  static void equal(Handle a, float... want) {
    check(Arrays.equals(read(a), want), read(a), want);
  }

  static long live(String kind) {
    long[] n = new long[1];
    flx_handle_live(kind, n);
    return n[0];
  }

  static int next(Handle task, long timeout) {
    int[] event = new int[1];
    flx_task_next(task, timeout, event);
    return event[0];
  }

  static double number(Handle task, String field) {
    double[] v = new double[1];
    flx_task_number(task, field, v);
    return v[0];
  }

  static void finish(Handle task) {
    flx_task_stop(task);
    while (next(task, -1) != FLX_DONE) { }
  }

  static Handle fitTask(int rows, int batch, int epochs) {
    float[] x = new float[2 * rows], y = new float[rows];
    for (int i = 0; i < 2 * rows; ++i) x[i] = i * 7L % 11 / 11f;
    for (int i = 0; i < rows; ++i) y[i] = i % 2;
    Handle[] batches = new Handle[1], net = new Handle[1], model = new Handle[1], loss = new Handle[1], sgd = new Handle[1], task = new Handle[1];
    flx_iter_from_arrays(new Handle[] {make(new long[] {rows, 2}, x), make(new long[] {rows}, y)}, new String[] {"data", "label"},
        Map.of("batch_size", "" + batch), batches);
    flx_layer_create("Dense", null, Map.of("units", "1"), net);
    flx_model_create(net[0], null, model);
    flx_layer_create("L2Loss", null, null, loss);
    flx_optimizer_create("SGD", Map.of("learning_rate", "0.1"), sgd);
    flx_fit_start(model[0], loss[0], sgd[0], batches[0], null, Map.of("seed", "1", "epochs", "" + epochs), task);
    return task[0];
  }

  static void versionAndConstants() throws Exception {
    flx_abi_require(FLX_ABI_VERSION);
    check(flx_abi_version() >= FLX_ABI_VERSION && FLX_COLUMN_MAJOR == 1 && FLX_ERROR_SHAPE == 4 && flx_version().contains("."));
    fails(FlexorException.class, () -> flx_abi_require(FLX_ABI_VERSION + 1000), "flx_abi_require");
  }

  static void arrayFromHostMemoryAndBack() {
    Handle a = make(new long[] {2, 3}, 1, 2, 3, 4, 5, 6);
    int[] dtype = {-1};
    long[][] d = new long[1][];
    flx_ndarray_describe(a, dtype, d);
    check(dtype[0] == FLX_FLOAT32 && Arrays.equals(d[0], new long[] {2, 3}));
    equal(a, 1, 2, 3, 4, 5, 6);
    ByteBuffer columns = floats(new float[6]);
    flx_ndarray_read(a, columns, FLX_FLOAT32, FLX_COLUMN_MAJOR, -1, null);
    check(columns.getFloat(4) == 4 && columns.getFloat(20) == 6);
    long[] n = new long[1];
    flx_ndarray_nbytes(a, n);
    check(n[0] == 24);
  }

  static void preparedCall() {
    Handle[] call = new Handle[1], sum = new Handle[1];
    flx_call_create("broadcast_add", null, call);
    flx_call_binary(call[0], 0, make(new long[] {2}, 1, 2), make(new long[] {2}, 10, 20), sum);
    equal(sum[0], 11, 22);
    flx_call_create("_plus_scalar", Map.of("scalar", "1"), call);
    Handle[] x = {make(new long[] {2}, 1, 2)};
    Handle[][] out = new Handle[1][];
    flx_call_run(call[0], 0, x, null, out);
    equal(out[0][0], 2, 3);
    flx_call_run(call[0], 0, x, new double[] {0.5}, out);
    equal(out[0][0], 1.5f, 2.5f);
  }

  static void invokeWithOptions() {
    Handle[][] out = new Handle[1][];
    flx_invoke("sum", 0, new Handle[] {make(new long[] {2, 2}, 1, 2, 3, 4)}, Map.of("axis", "1", "keepdims", "True"), out);
    check(out[0].length == 1 && Arrays.equals(dims(out[0][0]), new long[] {2, 1}));
    equal(out[0][0], 3, 7);
    Handle target = make(new long[] {2}, 0, 0);
    flx_invoke_into("square", 0, new Handle[] {make(new long[] {2}, 3, 4)}, null, new Handle[] {target});
    equal(target, 9, 16);
  }

  static void manyResults() {
    Handle[][] out = new Handle[1][];
    flx_invoke("SliceChannel", 0, new Handle[] {make(new long[] {2, 3}, 0, 1, 2, 3, 4, 5)}, Map.of("num_outputs", "3", "axis", "1"), out);
    for (int i = 0; i < 3; ++i) equal(out[0][i], i, i + 3);
    float[] thousand = new float[1000];
    thousand[999] = 7;
    flx_invoke("SliceChannel", 0, new Handle[] {make(new long[] {1000}, thousand)}, Map.of("num_outputs", "1000", "axis", "0"), out);
    check(out[0].length == 1000);
    equal(out[0][999], 7);
  }

  static void symbols() {
    Handle[] a = new Handle[1], b = new Handle[1], total = new Handle[1], known = new Handle[1], read = new Handle[1], graph = new Handle[1];
    flx_symbol_variable("a", Map.of("shape", "(2,)"), a);
    flx_symbol_variable("b", null, b);
    flx_symbol_compose("elemwise_add", "total", new Handle[] {a[0], b[0]}, new String[] {"rhs", "lhs"}, null, total);
    int[] count = new int[1];
    String[] text = new String[1];
    flx_symbol_count(total[0], FLX_ARGUMENT, count);
    flx_symbol_name(total[0], FLX_ARGUMENT, 0, text);
    check(count[0] == 2 && text[0].equals("b"));
    flx_symbol_infer(total[0], null, 0, known);
    long[][] shape = new long[1][];
    flx_symbol_shape(known[0], FLX_OUTPUT, 0, new int[1], new int[1], shape);
    check(Arrays.equals(shape[0], new long[] {2}));
    flx_symbol_to_json(total[0], text);
    flx_symbol_from_json(text[0], read);
    flx_graph_create(read[0], null, graph);
    Handle[][] out = new Handle[1][];
    flx_graph_run(graph[0], 0, new Handle[] {make(new long[] {2}, 1, 2), make(new long[] {2}, 10, 20)}, out);
    equal(out[0][0], 11, 22);
  }

  static void errorBecomesException() throws Exception {
    Handle[] wrong = {make(new long[] {2, 2}, 0, 0, 0, 0), make(new long[] {3, 2}, 0, 0, 0, 0, 0, 0)};
    FlexorException e = fails(FlexorException.class, () -> flx_invoke("dot", 0, wrong, null, new Handle[1][]), "[dot]", "(2, 2)", "(3, 2)");
    check(e.status == FLX_ERROR_SHAPE && !e.kind.isEmpty());
    fails(FlexorException.class, () -> flx_call_create("Activatoin", null, new Handle[1]), "Activation");
  }

  static void wrongArguments() throws Exception {
    Handle a = make(new long[] {1}, 1);
    fails(IllegalArgumentException.class, () -> flx_ndarray_write(a, ByteBuffer.allocate(4), 0, 0), "direct");
    fails(java.nio.ReadOnlyBufferException.class, () -> flx_ndarray_read(a, floats(1).asReadOnlyBuffer(), 0, 0, -1, null));
    fails(IllegalArgumentException.class, () -> flx_call_create("a\0b", null, new Handle[1]), "null characters");
    a.close();
    a.close();
    fails(FlexorException.class, () -> flx_ndarray_nbytes(a, null), "freed");
    fails(FlexorException.class, () -> flx_ndarray_nbytes(null, null), "null");
  }

  static void texts() {
    Handle a = make(new long[] {2}, 1, 2);
    String[] text = new String[1];
    flx_ndarray_device(a, text);  // borrowed
    check(text[0].equals("cpu(0)"));
    flx_ndarray_text(a, -1, null, text);  // owned
    check(text[0].contains("(2"));
    Handle[] net = new Handle[1];
    String name = "gr\u00f6\u00dfe \ud83d\ude00";
    flx_layer_create("Dense", name, Map.of("units", "3"), net);
    flx_layer_text(net[0], "name", text);
    check(text[0].equals(name), text[0]);
    byte[][] state = new byte[1][];
    flx_random_save(state);
    ByteBuffer b = ByteBuffer.allocateDirect(state[0].length);
    b.put(state[0]);
    flx_random_load(b);
    int[] level = new int[1];
    flx_log_next(level, text);
    check(level[0] == -1 && text[0] == null);
  }

  static void gradient() {
    Handle x = make(new long[] {3}, 1, 2, 3);
    flx_autograd_attach(x, "write", null);
    Handle[][] y = new Handle[1][];
    flx_invoke("square", FLX_RECORD, new Handle[] {x}, null, y);
    flx_autograd_backward(y[0], new Handle[] {null}, 0);
    Handle[] g = new Handle[1];
    flx_autograd_grad(x, g);
    equal(g[0], 2, 4, 6);
  }

  static void fitPolled() {
    Handle task = fitTask(64, 8, 3);
    List<Double> losses = new ArrayList<>();
    for (int event = -1; event != FLX_DONE;) {
      event = next(task, 20);
      if (event == FLX_EPOCH) losses.add(number(task, "loss"));
    }
    check(losses.size() == 3 && losses.get(2) < losses.get(0), losses);
  }

  static void waitingLetsOthersRun() throws Exception {
    int rows = 200000;
    Handle task = fitTask(rows, 1, 1);
    Thread helper = new Thread(() -> {
      System.gc();  // needs every thread, also the one that waits
      flx_task_stop(task);
    });
    helper.start();
    next(task, -1);
    helper.join();
    check(number(task, "batch") < rows);
    finish(task);
  }

  static void waitingIsInterruptible() {
    Handle task = fitTask(200000, 1, 1000);
    Thread.currentThread().interrupt();
    check(next(task, -1) == FLX_PENDING && Thread.interrupted());
    check(next(task, 150) == FLX_PENDING && next(task, 0) == FLX_PENDING);
    finish(task);
  }

  static long makeMany() {
    Handle[] kept = new Handle[100];
    for (int i = 0; i < 100; ++i) kept[i] = make(new long[] {1}, i);
    long n = live("ndarray");
    check(kept[99] != null);
    return n;
  }

  static void collectorFrees() throws Exception {
    System.gc();
    check(makeMany() >= 100);
    for (int i = 0; i < 200 && live(null) > 0; ++i) {  // the cleaner has a thread of its own
      System.gc();
      Thread.sleep(20);
    }
    check(live(null) == 0, live(null));
  }

  public static void main(String[] args) {
    Map<String, Call> tests = new java.util.LinkedHashMap<>();
    tests.put("versionAndConstants", CallsTest::versionAndConstants);
    tests.put("arrayFromHostMemoryAndBack", CallsTest::arrayFromHostMemoryAndBack);
    tests.put("preparedCall", CallsTest::preparedCall);
    tests.put("invokeWithOptions", CallsTest::invokeWithOptions);
    tests.put("manyResults", CallsTest::manyResults);
    tests.put("symbols", CallsTest::symbols);
    tests.put("errorBecomesException", CallsTest::errorBecomesException);
    tests.put("wrongArguments", CallsTest::wrongArguments);
    tests.put("texts", CallsTest::texts);
    tests.put("gradient", CallsTest::gradient);
    tests.put("fitPolled", CallsTest::fitPolled);
    tests.put("waitingLetsOthersRun", CallsTest::waitingLetsOthersRun);
    tests.put("waitingIsInterruptible", CallsTest::waitingIsInterruptible);
    tests.put("collectorFrees", CallsTest::collectorFrees);
    int passed = 0, failed = 0;
    for (Map.Entry<String, Call> t : tests.entrySet()) {
      try {
        t.getValue().run();
        ++passed;
        System.out.println("passed " + t.getKey());
      } catch (Throwable e) {
        ++failed;
        e.printStackTrace(System.out);
        System.out.println("FAILED " + t.getKey());
      }
    }
    System.out.println(passed + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }
}

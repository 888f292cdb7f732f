// SPDX-License-Identifier: Apache-2.0
import org.flexor.*;

public class Hello {
  public static void main(String[] args) {
    try (Scope scope = Scope.open()) {
      NDArray x = NDArray.of(new float[] {1, 2, 3, 4}, Shape.of(2, 2)), y = x.dot(x);
      System.out.println(java.util.Arrays.toString(y.toFloats()));
      x.dot(NDArray.ones(3, 2));
    } catch (ShapeException e) {
      System.out.println(e.getMessage());
    }
  }
}

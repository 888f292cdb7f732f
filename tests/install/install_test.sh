#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# install_test.sh BUILD_DIR SOURCE_DIR: installs the build into a temporary tree and builds two outside projects from it, one by CMake and one by
# pkg-config, then runs them. The tree is moved in between: nothing in it may know where it was installed first.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/first" > "$work/install.log" || { cat "$work/install.log"; exit 1; }
mv "$work/first" "$work/tree"
tree=$work/tree
lib=$(dirname "$(find "$tree" -name libflexor.so)")
echo "installed:"; (cd "$tree" && find . -type f -o -type l | sort | sed 's/^/  /')
if grep -rlI -e "$build" -e "$source/" "$tree" --include='*.cmake' --include='*.pc' --include='*.h' --include='*.hpp'; then
  echo "FAIL: the files above name the build or source tree"; exit 1
fi
echo "== CMake, find_package(Flexor)"
cmake -S "$source/tests/install/consumer" -B "$work/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_BUILD_TYPE=Release > "$work/consumer.log" || { cat "$work/consumer.log"; exit 1; }
cmake --build "$work/consumer"
"$work/consumer/consumer_c"
"$work/consumer/consumer_cpp"
echo "== a plugin: examples/native, built outside the tree"
cp -r "$source/examples/native" "$work/native"
cmake -S "$work/native" -B "$work/native/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_BUILD_TYPE=Release > "$work/native.log" || { cat "$work/native.log"; exit 1; }
cmake --build "$work/native/build"
"$work/native/build/use" "$work/native/build/example_swish.so"
gcc -std=gnu11 -Wall -Wextra -Werror "-I$tree/include" "$source/tests/c_api/plugin_check.c" -o "$work/plugin_check" "-L$lib" -lflexor -lm -Wl,-rpath,"$lib"
"$work/plugin_check" "$work/native/build/example_swish.so" "$work/swish.flx"
echo "== a version that is not there is refused"
sed 's/find_package(Flexor 0.1 REQUIRED)/find_package(Flexor 0.2 REQUIRED)/' "$source/tests/install/consumer/CMakeLists.txt" > "$work/newer.txt"
mkdir "$work/newer" && cp "$source"/tests/install/consumer/main.* "$work/newer/" && cp "$work/newer.txt" "$work/newer/CMakeLists.txt"
if cmake -S "$work/newer" -B "$work/newer/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree" > "$work/newer.log" 2>&1; then echo "FAIL: version 0.2 was found"; exit 1; fi
grep -q "0.2" "$work/newer.log" || { cat "$work/newer.log"; exit 1; }
echo "== pkg-config, C11, -pedantic"
export PKG_CONFIG_PATH=$lib/pkgconfig
# shellcheck disable=SC2046
gcc -std=c11 -pedantic -Wall -Wextra -Werror $(pkg-config --cflags flexor) "$source/tests/install/consumer/main.c" -o "$work/by_pkg_config" $(pkg-config --libs flexor) -Wl,-rpath,"$lib"
"$work/by_pkg_config"
for header in "$tree"/include/flexor/*.h; do gcc -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -x c -I"$tree/include" "$header"; done
for header in "$tree"/include/flexor/*.hpp; do
  [ -e "$header" ] || continue
  g++ -std=c++17 -Wall -Wextra -Werror -Wno-pragma-once-outside-header -fsyntax-only -x c++ -I"$tree/include" "$header"
done
echo "install: passed"

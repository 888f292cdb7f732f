#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# install_test.sh BUILD_DIR SOURCE_DIR: installs the build into a temporary tree and builds outside projects from it, by CMake and by pkg-config, with
# gcc and clang, then runs them. The tree is moved in between: nothing in it may know where it was installed first.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
tree=$work/tree
# shellcheck source=tests/install/consumers.sh
source "$source/tests/install/consumers.sh"
quietly cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$tree"
lib=$(library_folder)
echo "installed:"; (cd "$tree" && find . -type f -o -type l | sort | sed 's/^/  /')
names_no_place "$build"
by_cmake gcc g++
by_pkg_config gcc g++
if clang_there; then
  by_cmake "${clang[@]}"
  by_pkg_config "${clang[@]}"
fi
a_plugin gcc
gcc -std=gnu11 -Wall -Wextra -Werror "-I$tree/include" "$source/tests/c_api/plugin_check.c" -o "$work/plugin_check" "-L$lib" -lflexor -lm -Wl,-rpath,"$lib"
"$work/plugin_check" "$work/native_gcc/build/example_swish.so" "$work/swish.flx"
good
a_job
good
echo "== a version that is not there is refused"
mkdir "$work/newer" && cp "$source"/tests/install/consumer/main.* "$work/newer/"
sed 's/find_package(Flexor 0.1 REQUIRED)/find_package(Flexor 0.2 REQUIRED)/' "$source/tests/install/consumer/CMakeLists.txt" > "$work/newer/CMakeLists.txt"
if cmake -S "$work/newer" -B "$work/newer/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree" > "$work/newer.log" 2>&1; then fail "version 0.2 was found"; fi
grep -q "0.2" "$work/newer.log" || { cat "$work/newer.log"; fail "another error than the version's"; }
good
echo "== every header by itself"
for header in "$tree"/include/flexor/*.h; do gcc -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -x c -I"$tree/include" "$header"; done
for header in "$tree"/include/flexor/*.hpp; do
  g++ -std=c++17 -Wall -Wextra -Werror -Wno-pragma-once-outside-header -fsyntax-only -x c++ -I"$tree/include" "$header"
done
good
tally

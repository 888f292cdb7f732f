#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# headers_test.sh SOURCE_INCLUDE BUILD_INCLUDE: each public header compiles alone, without a warning, by each compiler that is here; the C headers as C11 and
# C++17.
set -uo pipefail
source_include=$1 build_include=$2 failed=0 count=0
flags=(-Wall -Wextra -pedantic -Werror -fsyntax-only "-I$source_include" "-I$build_include")
try() {
  count=$((count + 1))
  "$@" || { echo "FAILED: $*"; failed=$((failed + 1)); }
}
compilers=()
for c in g++ clang++; do command -v "$c" > /dev/null && compilers+=("$c"); done
[ "${#compilers[@]}" -gt 0 ] || { echo "no compiler found"; exit 1; }
for header in "$source_include"/flexor/*.hpp "$build_include"/flexor/*.hpp; do
  for c in "${compilers[@]}"; do try "$c" -std=c++17 "${flags[@]}" -x c++ "$header"; done
done
for c in gcc clang; do
  command -v "$c" > /dev/null || continue
  for header in "$source_include"/flexor/*.h; do try "$c" -std=c11 "${flags[@]}" -x c "$header"; done
done
for header in "$source_include"/flexor/*.h; do try "${compilers[0]}" -std=c++17 "${flags[@]}" -x c++ "$header"; done
for name in c_api.h c_api_native.h c_api_train.h base.hpp autograd.hpp ndarray.hpp call.hpp model.hpp train.hpp flexor.hpp; do
  [ -e "$source_include/flexor/$name" ] || { echo "missing: $name"; failed=1; }
done
for name in op nn; do [ -e "$build_include/flexor/$name.hpp" ] || { echo "missing: $name.hpp"; failed=1; }; done
echo "$count compilations, $failed failed"
[ "$failed" -eq 0 ]

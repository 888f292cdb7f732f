# SPDX-License-Identifier: Apache-2.0
# What install_test.sh and deb_test.sh share: outside projects in C and C++ against an installed tree. Source it with $source (Flexor's sources), $work
# (a folder of the test's own) and $tree (where include/ and lib/ lie) set. Every step ends the test if it fails.
# shellcheck shell=bash
# shellcheck disable=SC2154
unset LD_LIBRARY_PATH CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH CFLAGS CXXFLAGS CPPFLAGS LDFLAGS
fail() { echo "FAIL: $*"; exit 1; }
quietly() { "$@" > "$work/log" 2>&1 || { cat "$work/log"; fail "$*"; }; }
# What tools/test counts and prints (tools/count_tests.py).
passed=0 skipped=0
good() { passed=$((passed + 1)); }
tally() { echo "$passed passed, 0 failed, $skipped skipped"; }
# Sets clang to a C and a C++ compiler, if there are any.
clang_there() {
  local version
  for version in "" -19 -16 -14; do
    clang=("clang$version" "clang++$version")
    command -v "${clang[0]}" > /dev/null && command -v "${clang[1]}" > /dev/null && return 0
  done
  echo "SKIPPED programs built by clang: Debian's package clang is not installed"
  skipped=$((skipped + 1))
  return 1
}
library_folder() { dirname "$(find "$tree" -name libflexor.so)"; }

# runs PROGRAM [ABI]: it runs on the library of the tree and no other; a C++ program says which ABI it was compiled for.
runs() {
  ldd "$1" > "$work/ldd"
  grep -qF "libflexor.so.0 => $(realpath "$(library_folder)")/libflexor.so.0 " "$work/ldd" || { cat "$work/ldd"; fail "$1 runs on another libflexor"; }
  "$1" > "$work/said" 2>&1 || { cat "$work/said"; fail "$1"; }
  [ -z "${2:-}" ] || grep -qx "C++ ABI: $2" "$work/said" || { cat "$work/said"; fail "$1 was not compiled for _GLIBCXX_USE_CXX11_ABI=$2"; }
}

# by_cmake C_COMPILER CXX_COMPILER: find_package(Flexor), C and C++, the latter also for libstdc++'s old ABI.
by_cmake() {
  echo "== find_package(Flexor), $1 and $2"
  local to=$work/consumer_$1
  quietly cmake -S "$source/tests/install/consumer" -B "$to" -G Ninja -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$1" -DCMAKE_CXX_COMPILER="$2"
  quietly cmake --build "$to"
  runs "$to/consumer_c"
  runs "$to/consumer_cpp" 1
  runs "$to/consumer_cpp_old_abi" 0
  good
}

# by_pkg_config C_COMPILER CXX_COMPILER [flag of C++]
by_pkg_config() {
  echo "== pkg-config, $1 -std=c11 and $2 -std=c++17 ${3:-}"
  local flags libs to=$work/by_pkg_config_$1 strict=(-pedantic -Wall -Wextra -Werror) folder
  folder=$(library_folder)
  read -ra flags <<< "$(PKG_CONFIG_PATH=$folder/pkgconfig pkg-config --cflags flexor)"
  read -ra libs <<< "$(PKG_CONFIG_PATH=$folder/pkgconfig pkg-config --libs flexor)"
  quietly "$1" -std=c11 "${strict[@]}" "${flags[@]}" "$source/tests/install/consumer/main.c" -o "$to" "${libs[@]}" -Wl,-rpath,"$folder"
  runs "$to"
  quietly "$2" -std=c++17 "${strict[@]}" ${3:+"$3"} "${flags[@]}" "$source/tests/install/consumer/main.cc" -o "$to"_cpp "${libs[@]}" -Wl,-rpath,"$folder"
  case ${3:-} in *=0) runs "$to"_cpp 0 ;; *) runs "$to"_cpp 1 ;; esac
  good
}

# a_plugin C_COMPILER: examples/native, copied out of the tree; a program loads it.
a_plugin() {
  echo "== a plugin: examples/native, $1"
  local to=$work/native_$1
  cp -r "$source/examples/native" "$to"
  quietly cmake -S "$to" -B "$to/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$1"
  quietly cmake --build "$to/build"
  quietly "$to/build/use" "$to/build/example_swish.so"
  good
}

# names_no_place BUILD_DIR: no file names a folder of the machine it was built on, the library looks for others nowhere but where the system does.
# A library built to be debugged does name its sources.
names_no_place() {
  local library found binary=()
  library=$(library_folder)/libflexor.so
  grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Release$' "$1/CMakeCache.txt" || binary=(-I)
  found=$(grep -rlF "${binary[@]}" -e "$1" -e "$source/" "$tree") && fail "these files name the build or the sources:" "$found"
  readelf -dSW "$library" > "$work/dynamic"
  grep -q 'SONAME.*\[libflexor\.so\.0\]' "$work/dynamic" || fail "SONAME: $(cat "$work/dynamic")"
  ! grep -E 'R(UN)?PATH' "$work/dynamic" || fail "the library has a path of its own"
  [ "${#binary[@]}" -gt 0 ] || ! grep '\.debug_' "$work/dynamic" || fail "the library holds debug information"
  good
}

# a_job: the parameter server without the rest, by CMake and by pkg-config, and the programs that come with it.
a_job() {
  echo "== Flexor::ps, flexor-ps and flexor-launch"
  local to=$work/job folder flags libs
  folder=$(library_folder)
  [ -e "$folder/libflexor_ps.so" ] || { echo "SKIPPED the parameter server: built without it"; skipped=$((skipped + 1)); return; }
  quietly cmake -S "$source/tests/install/job" -B "$to" -G Ninja -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_BUILD_TYPE=Release
  quietly cmake --build "$to"
  ldd "$to/job" > "$work/ldd"
  ! grep -q 'libflexor\.so' "$work/ldd" || fail "the parameter server alone wants libflexor"
  quietly "$to/job"
  read -ra flags <<< "$(PKG_CONFIG_PATH=$folder/pkgconfig pkg-config --cflags flexor-ps)"
  read -ra libs <<< "$(PKG_CONFIG_PATH=$folder/pkgconfig pkg-config --libs flexor-ps)"
  quietly g++ -std=c++17 -Wall -Wextra -Werror "${flags[@]}" "$source/tests/install/job/main.cc" -o "$to/by_pkg_config" "${libs[@]}" -pthread -Wl,-rpath,"$folder"
  quietly "$to/by_pkg_config"
  # Nothing but include/ps is exported.
  ! nm -DC --defined-only "$folder/libflexor_ps.so" | grep -vE ' (ps::|typeinfo for ps::|typeinfo name for ps::|vtable for ps::|FLEXOR_PS_0)' || fail "libflexor_ps exports more"
  ! nm -DC --defined-only "$folder/libflexor_ps.so" | grep -E 'ps::(core|net)::' || fail "libflexor_ps exports what is inside it"
  quietly "$tree/bin/flexor-ps" keygen "$work/keys" -n 2 -s 1
  [ "$(stat -c %a "$work"/keys/*.key | sort -u)" = 600 ] || fail "keys that others can read"
  quietly "$tree/bin/flexor-launch" --help
}

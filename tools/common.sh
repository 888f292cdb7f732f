# SPDX-License-Identifier: Apache-2.0
# What tools/test, tools/quickstart and tools/bench share: packages, steps with their times. Source it; it runs nothing by itself.
# shellcheck shell=bash

# Debian 12's names. What builds the library and the examples:
PACKAGES_BUILD=(cmake ninja-build ccache g++ libopenblas-serial-dev libdnnl-dev libdmlc-dev libhwy-dev nlohmann-json3-dev zlib1g-dev
                libzmq3-dev cppzmq-dev protobuf-compiler libprotobuf-dev)
# ... and what the tests and the benchmarks need besides:
PACKAGES_TEST=(libgtest-dev libbenchmark-dev pkg-config python3 swig abigail-tools libopenblas0-pthread dpkg-dev file iproute2 nftables)
# libFuzzer, for tools/fuzz only:
PACKAGES_FUZZ=(clang-16 libclang-rt-16-dev)
# Peers of the benchmarks: OpenBLAS as others use it; what PyTorch, MXNet and ONNX Runtime from PyPI are run by (tools/bench --peers).
PACKAGES_BENCH=(libopenblas0-pthread)
PACKAGES_PEERS=(python3-venv python3-dev binutils)
# The languages whose bindings are tested where they can be had, what their packages work together with, and a second compiler for programs outside the tree,
# one group each; Julia comes by tools/get_julia.
PACKAGES_PYTHON="python3-dev python3-venv python3-numpy python3-pytest"
PACKAGES_SCALA="scala openjdk-17-jdk-headless junit4"
PACKAGES_R="r-base-core make r-cran-testthat"
PACKAGES_LANGUAGES=("$PACKAGES_PYTHON" "$PACKAGES_R" "r-cran-caret r-cran-recipes" "r-cran-knitr r-cran-markdown" "openjdk-17-jdk-headless" "$PACKAGES_SCALA" "clang")
# What the Python package is tested with, from PyPI: in build/venv-tests, above the system's packages.
PYPI_TESTS=(scikit-learn mypy tqdm scikit-build-core pandas matplotlib)

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=$(nproc)
STEP_NAMES=() STEP_TIMES=()

now() { echo "${EPOCHREALTIME/[.,]/}"; }  # microseconds
seconds() { printf '%d.%d s' $(($1 / 1000000)) $(($1 / 100000 % 10)); }

# step NAME COMMAND...: says what it does, runs it and remembers how long it took.
step() {
  local name=$1 start result=0
  shift
  echo
  echo "== $name"
  start=$(now)
  "$@" || result=$?
  STEP_NAMES+=("$name") STEP_TIMES+=($(($(now) - start)))
  [ "$result" -eq 0 ] || echo "== $name: FAILED after $(seconds "${STEP_TIMES[-1]}")"
  return "$result"
}
print_times() {
  local i total=0
  echo
  echo "== how long each step took"
  for i in "${!STEP_NAMES[@]}"; do
    printf '%10s  %s\n' "$(seconds "${STEP_TIMES[$i]}")" "${STEP_NAMES[$i]}"
    total=$((total + STEP_TIMES[i]))
  done
  printf '%10s  together\n' "$(seconds "$total")"
}

# quiet LOG COMMAND...: the output goes to LOG and is shown only if the command fails.
quiet() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  echo "(log: ${log#"$ROOT/"})"
  "$@" > "$log" 2>&1 && return 0
  tail -n 200 "$log"
  return 1
}

missing_packages() {
  local p
  for p in "$@"; do
    [ "$(dpkg-query -W -f='${Status}' "$p" 2> /dev/null)" = "install ok installed" ] || echo "$p"
  done
}
install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  if [ "${#missing[@]}" -eq 0 ]; then
    echo "all ${#} packages are there"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
      echo "These Debian packages are missing, and only root can install them: ${missing[*]}"
      return 1
    fi
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  local log=$ROOT/build/apt.log
  # The lists are fetched only if they do not know a package, or know one that the mirror no longer has.
  if apt-cache show "${missing[@]}" > /dev/null 2>&1; then
    echo "installing ${missing[*]}"
    quiet "$log" "${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}" && return 0
  fi
  echo "apt-get update, then installing ${missing[*]}"
  quiet "$log" "${as_root[@]}" apt-get update && quiet "$log" "${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}"
}
# The languages of the bindings and clang. One that cannot be had is left out, and its test says that it was skipped.
install_languages() {
  local group
  # shellcheck disable=SC2068,SC2086
  install_packages ${PACKAGES_LANGUAGES[@]} || for group in "${PACKAGES_LANGUAGES[@]}"; do install_packages $group || echo "left out: $group"; done
  if command -v julia > /dev/null; then
    echo "julia: $(command -v julia)"
  else
    "$ROOT/tools/get_julia" "$ROOT/build/julia" || echo "left out: Julia"
  fi
}

# build/venv-tests, made once; without a network the tests that want it say that they were skipped.
python_environment() {
  local folder=$ROOT/build/venv-tests python=/usr/bin/python3
  [ "$(cat "$folder/made" 2> /dev/null)" = "${PYPI_TESTS[*]}" ] && { echo "build/venv-tests is there"; return 0; }
  [ -x "$python" ] || { echo "left out: there is no $python"; return 0; }
  rm -rf "$folder"
  if "$python" -m venv --system-site-packages "$folder" && quiet "$ROOT/build/pip.log" "$folder/bin/pip" install --no-input --disable-pip-version-check "${PYPI_TESTS[@]}"; then
    echo "${PYPI_TESTS[*]}" > "$folder/made"
  else
    rm -rf "$folder"
    echo "left out: ${PYPI_TESTS[*]}"
  fi
}

# configure PRESET [cmake options]; build PRESET [targets]
configure() {
  local preset=$1
  shift
  quiet "$ROOT/build/$preset/configure.log" cmake --preset "$preset" -S "$ROOT" "$@"
}
build() {
  local preset=$1 targets=()
  shift
  [ $# -gt 0 ] && targets=(--target "$@")
  quiet "$ROOT/build/$preset/build.log" cmake --build "$ROOT/build/$preset" -j "$JOBS" "${targets[@]}"
}

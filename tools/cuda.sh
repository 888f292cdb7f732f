# SPDX-License-Identifier: Apache-2.0
# What tools/test --cuda and tools/bench --cuda share: a build for a machine that has a GPU, CUDA 13, a C++ compiler and CMake, and perhaps no network.
# Sourced after common.sh.
# shellcheck shell=bash

# What such a machine may lack of Debian's packages: headers, and small libraries that are linked in.
PACKAGES_CUDA_PACK=(libhwy-dev libhwy1 nlohmann-json3-dev libgtest-dev zlib1g-dev)
CUDA_PACK=$ROOT/build/cuda-pack.tar.gz

# Packs them, on a machine with Debian's mirror, into build/cuda-pack.tar.gz: to be brought along with the sources.
cuda_pack() {
  local folder=$ROOT/build/cuda-pack-made p
  rm -rf "$folder"
  mkdir -p "$folder/root" "$folder/deb"
  (cd "$folder/deb" && quiet "$ROOT/build/cuda-pack.log" apt-get download "${PACKAGES_CUDA_PACK[@]}") || return 1
  for p in "$folder"/deb/*.deb; do dpkg-deb -x "$p" "$folder/root" || return 1; done
  rm -rf "$folder/root/usr/share/doc" "$folder"/root/usr/lib/*/libz.so  # a link to one version of the system's; libz.a is whole
  tar -C "$folder/root" -czf "$CUDA_PACK" . || return 1
  rm -rf "$folder"
  echo "build/cuda-pack.tar.gz: $(($(stat -c %s "$CUDA_PACK") / 1024)) KiB of ${PACKAGES_CUDA_PACK[*]}"
}
# build/cuda: the GPU's tests and benchmark, by our own kernels wherever a library of the CPU's may be missing.
cuda_build() {
  local more=()
  if [ -f "$CUDA_PACK" ]; then
    mkdir -p "$ROOT/build/cuda-pack" && tar -C "$ROOT/build/cuda-pack" -xzf "$CUDA_PACK" || return 1
    more=("-DCMAKE_PREFIX_PATH=$ROOT/build/cuda-pack/usr" "-DCMAKE_LIBRARY_PATH=$ROOT/build/cuda-pack/usr/lib/$(uname -m)-linux-gnu")
  fi
  command -v ninja > /dev/null || more+=(-G "Unix Makefiles")
  [ -z "${FLEXOR_CUDA_ARCHITECTURES:-}" ] || more+=("-DFLEXOR_CUDA_ARCHITECTURES=$FLEXOR_CUDA_ARCHITECTURES")
  step "configure cuda" configure cuda "${more[@]}" && step "build cuda: $*" build cuda flexor_cuda "$@"
}
# shellcheck disable=SC2034
CUDA_MODULE=$ROOT/build/cuda/c_api/libflexor_cuda.so

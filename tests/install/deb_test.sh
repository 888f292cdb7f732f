#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deb_test.sh BUILD_DIR SOURCE_DIR: makes the Debian package of the build by cpack, reads what it says of itself, unpacks it into a folder of its own
# (nothing is installed), and builds and runs outside projects from there.
set -euo pipefail
build=$1 source=$2
skip() { printf 'SKIPPED %s\n0 passed, 0 failed, 1 skipped\n' "$1"; exit 0; }
for tool in dpkg-deb dpkg-shlibdeps file; do
  command -v "$tool" > /dev/null || skip "no Debian package can be made without $tool (Debian's packages dpkg-dev and file)"
done
[ -e "$build/CPackConfig.cmake" ] || skip "the build makes no Debian package; its configure log says why"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
tree=$work/root/usr
# shellcheck source=tests/install/consumers.sh
source "$source/tests/install/consumers.sh"
(umask 077 && quietly cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/pack")
# The CUDA module is opened by its path and has no soname, which cpack finds strange in a shared library.
! perl -0pe "s/CMake Warning \(dev\)[^\n]*\n  Shared library [^\n]*libflexor_cuda\.so' is missing soname.*?Use -Wno-dev to suppress it\.\n//s" "$work/log" |
  grep -i warning || fail "cpack warns"
architecture=$(dpkg --print-architecture)
version=$(sed -n 's/^project(Flexor VERSION \([0-9.]*\) .*/\1/p' "$source/CMakeLists.txt")
deb=$work/pack/flexor_${version}_$architecture.deb
[ "$(ls "$work"/pack/*.deb)" = "$deb" ] || fail "made: $(ls "$work/pack")"

echo "== what the package says of itself"
dpkg -I "$deb"
field() { dpkg-deb -f "$deb" "$1"; }
is() { [ "$(field "$1")" = "$2" ] || fail "the field $1 is '$(field "$1")' and should be '$2'"; }
is Package flexor
is Version "$version"
is Architecture "$architecture"
is Section libs
[ -n "$(field Maintainer)" ] || fail "no maintainer"
[ "$(field Description | wc -l)" -gt 1 ] || fail "no description"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin dpkg --no-act --log=/dev/null -i "$deb" > "$work/no_act" 2>&1 || { cat "$work/no_act"; fail "dpkg would not install it where it was built"; }
good

echo "== what lies in it"
dpkg-deb -c "$deb" > "$work/list"
sed 's/^/  /' "$work/list"
! awk '$6 !~ /^\.\/(usr\/|$)/ && $6 != "./usr"' "$work/list" | grep . || fail "not under /usr"
! awk '$2 != "root/root"' "$work/list" | grep . || fail "not root's"
! grep -vE '^(drwxr-xr-x|-rw-r--r--|lrwxrwxrwx) |^-rwxr-xr-x .* \./usr/bin/flexor-(ps|launch)$' "$work/list" || fail "other rights than Debian's"
dpkg -x "$deb" "$work/root"
dpkg -e "$deb" "$work/control"
(cd "$work/root" && md5sum -c --quiet "$work/control/md5sums")
grep -qx "libflexor 0 flexor (= $version)" "$work/control/shlibs" || fail "shlibs: $(cat "$work/control/shlibs")"
# All that cmake --install brings, and nothing else; only the binaries may differ: they are stripped.
quietly cmake --install "$build" --prefix "$work/plain"
diff -r --no-dereference -x "libflexor.so.$version" -x libflexor_cuda.so -x "libflexor_ps.so.$version" -x flexor-ps "$work/plain" "$tree" || fail "the package and cmake --install differ"
for part in include/flexor/c_api.h include/flexor/c_api_train.h include/flexor/op.hpp include/flexor/nn.hpp share/doc/flexor/copyright; do [ -s "$tree/$part" ] || fail "no $part"; done
grep -q "Apache License" "$tree/share/doc/flexor/copyright" || fail "the copyright names no licence"
names_no_place "$build"
# Each library that it needs comes with a package that it depends on.
depends=$(field Depends | tr -d ' ' | sed 's/([^)]*)//g')
while read -r needed; do
  owner=$(dpkg -S "*/$(gcc -print-multiarch)/$needed" | sed 's/:.*//' | sort -u)
  grep -qE "(^|[,|])$owner([,|]|\$)" <<< "$depends" || fail "$needed is of '$owner', on which it does not depend: $(field Depends)"
done < <(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$work/dynamic")
good

by_cmake gcc g++
by_pkg_config gcc g++ -D_GLIBCXX_USE_CXX11_ABI=0
a_plugin gcc
if clang_there; then
  by_pkg_config "${clang[@]}" -D_GLIBCXX_USE_CXX11_ABI=0
  a_plugin "${clang[0]}"
fi
tally

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_test.sh R SOURCE BUILD ROOT: R CMD build, check and INSTALL of the R package whose source this build assembled. The check must find neither error nor warning; what is
# installed from the tarball runs from another folder, without this build's variables. (The package's tests run by themselves, the check leaves them out.)
set -u
R=$1 source=$2 build=$3 root=$4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
say() {  # say STATUS WHAT [LOG]: counts it
  if [ "$1" -eq 0 ]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  echo "FAILED $2"
  [ $# -lt 3 ] || cat "$3"
}
cd "$work" || exit 1
export FLEXOR_LIB=$build/c_api FLEXOR_INCLUDE=$root/include LC_ALL=C.UTF-8 R_LIBS=
export _R_CHECK_SYSTEM_CLOCK_=0 _R_CHECK_CRAN_INCOMING_=false _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_FORCE_SUGGESTS_=false
# After each of 380 examples the check collects R's garbage, which takes five times as long once caret is loaded: no example loads it (the tests do).
vignettes=()
"$R" --vanilla --no-echo -e 'stopifnot(requireNamespace("knitr", quietly = TRUE))' > /dev/null 2>&1 || vignettes=(--no-build-vignettes)
"$R" CMD build "${vignettes[@]}" "$source" > build.log 2>&1
say $? "R CMD build" build.log
tarball=$(ls flexor_*.tar.gz 2> /dev/null)
if tar tzf "$tarball" 2> /dev/null | grep -E '\.(so|o|a)(\.[0-9]+)*$' > binaries; then say 1 "the tarball holds binaries" binaries; else say 0 ""; fi
[ "${#vignettes[@]}" -eq 0 ] || vignettes=(--ignore-vignettes)
"$R" CMD check --as-cran --no-manual --no-tests "${vignettes[@]}" "$tarball" > check.log 2>&1
say $? "R CMD check" check.log
# Tools that the check itself lacks here are no fault of the package.
perl -0pe "s/ WARNING\nA complete check needs the .checkbashisms. script/ NOTE/; s/ WARNING\n\S*qpdf\S* is needed/ NOTE/" check.log > told.log
! grep -nE '(WARNING|ERROR)$' told.log
say $? "R CMD check has warnings" check.log
mkdir library elsewhere
"$R" CMD INSTALL --library="$work/library" "$tarball" > install.log 2>&1
say $? "R CMD INSTALL" install.log
unset FLEXOR_LIB FLEXOR_INCLUDE
cd elsewhere || exit 1
R_LIBS=$work/library "$R" --vanilla --no-echo -e 'library(flexor); x <- nd_array(matrix(1:6, 2)); stopifnot(identical(as.matrix(x %*% t(x)), matrix(c(35, 44, 44, 56), 2)));
  so <- sub(".* ", "", grep("libflexor", readLines("/proc/self/maps"), value = TRUE)[1]); stopifnot(startsWith(so, normalizePath(find.package("flexor"))))
  set.seed(1); fit <- flexor(Species ~ ., iris, hidden = 8, epochs = 30, progress = FALSE); stopifnot(mean(predict(fit, iris) == iris$Species) > 0.9)' > ../run.log 2>&1
say $? "the installed package, from another folder" ../run.log
grep -E "NOTE$" -A4 "$work/check.log" | head -20
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

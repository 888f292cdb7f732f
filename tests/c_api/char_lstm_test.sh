#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# char_lstm_test.sh PROGRAM TEXT: a few epochs go well below the letters' frequencies, what is written has the text's letters, the same seed gives the
# same, and wrong calls are refused.
set -uo pipefail
program=$1 text=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*"; cat "$work"/*.log; exit 1; }
for run in 1 2; do
  "$program" --text "$text" --epochs 6 --units 64 --length 120 --seed 3 > "$work/run$run.log" 2>&1 || fail "run $run"
done
grep -q "6/6" "$work/run1.log" || fail "no progress line"
read -r loss letters < <(sed -n 's/^loss \([0-9.]*\), letter frequencies \([0-9.]*\)$/\1 \2/p' "$work/run1.log")
awk -v a="${loss:-9}" -v b="${letters:-0}" 'BEGIN { exit !(a > 0.2 && a < 0.8 * b) }' || fail "loss ${loss:-missing}, letter frequencies ${letters:-missing}"
[ "$(sed '1,/^loss/d' "$work/run1.log" | wc -c)" -ge 120 ] || fail "too little written"
diff <(sed 's/ [0-9.]* s$//' "$work/run1.log") <(sed 's/ [0-9.]* s$//' "$work/run2.log") > /dev/null || fail "two runs with one seed differ"
"$program" --text "$work/missing.txt" > "$work/missing.log" 2>&1 && fail "a missing text was read"
grep -q "missing.txt" "$work/missing.log" || fail "the missing file is not named"
for wrong in "--epochs x" "--epochs 0" "--steps 1" "--colour 1"; do
  # shellcheck disable=SC2086
  "$program" --text "$text" $wrong > "$work/wrong.log" 2>&1 && fail "$wrong was taken"
done
"$program" > "$work/usage.log" 2>&1 && fail "no --text was taken"
grep -q "usage" "$work/usage.log" || fail "no usage"
echo "char_lstm: passed (loss $loss, letter frequencies $letters)"

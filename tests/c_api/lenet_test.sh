#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lenet_test.sh PROGRAM DIGITS: one epoch, its line, the accuracy, the file; a second process recognises most of ten scans. Wrong calls are refused.
set -uo pipefail
program=$1 digits=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*"; cat "$work"/*.log; exit 1; }
"$program" train --data "$digits" --out "$work" --epochs 1 --seed 2 > "$work/train.log" 2>&1 || fail "train"
grep -q "1/1" "$work/train.log" || fail "no progress line"
accuracy=$(sed -n 's/^test accuracy \([0-9.]*\) %$/\1/p' "$work/train.log")
[ -n "$accuracy" ] && [ "${accuracy%.*}" -ge 90 ] || fail "test accuracy after one epoch: $accuracy"
[ -s "$work/lenet.flx" ] || fail "no model"
"$program" predict --data "$digits" --model "$work/lenet.flx" > "$work/predict.log" 2>&1 || fail "predict"
right=$(sed -n 's/^\([0-9]*\) of 10 scans recognised$/\1/p' "$work/predict.log")
[ -n "$right" ] && [ "$right" -ge 8 ] || fail "recognised: $right"
[ "$(grep -c '[█▀▄]' "$work/predict.log")" -ge 30 ] || fail "nothing drawn"
"$program" predict --data "$digits" --model "$work/missing.flx" > "$work/missing.log" 2>&1 && fail "a missing model was loaded"
grep -q "missing.flx" "$work/missing.log" || fail "the missing file is not named"
"$program" train --data "$digits" > "$work/usage.log" 2>&1 && fail "no --out was taken"
grep -q "usage" "$work/usage.log" || fail "no usage"
echo "lenet: passed ($accuracy % after one epoch, $right of 10)"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# symbols_test.sh SYMBOL_MLP LOAD_MXNET_MODEL DIGITS MODEL: the two examples of symbols learn, write their files, and refuse wrong calls.
set -uo pipefail
mlp=$1 load=$2 digits=$3 model=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*"; cat "$work"/*.log; exit 1; }
# accuracy LOG LINE LEAST: the percentage behind LINE is at least LEAST
accuracy() {
  local got
  got=$(sed -n "s/^$2 \([0-9.]*\) %\$/\1/p" "$1")
  awk -v a="${got:-0}" -v b="$3" 'BEGIN { exit !(a >= b) }' || fail "$2 ${got:-missing}, expected at least $3"
}
"$mlp" --data "$digits" --epochs 4 --out "$work" > "$work/mlp.log" 2>&1 || fail "symbol_mlp"
accuracy "$work/mlp.log" "test accuracy" 90
grep -q "fc128 (FullyConnected)" "$work/mlp.log" || fail "no summary"
python3 - "$work" <<'PY' || fail "what symbol_mlp wrote"
import json, sys, xml.etree.ElementTree
work = sys.argv[1]
graph = json.load(open(work + "/mlp-symbol.json"))
assert [n["name"] for n in graph["nodes"] if n["op"] != "null"] == ["flat", "fc128", "relu128", "fc64", "relu64", "scores", "softmax"]
assert xml.etree.ElementTree.parse(work + "/mlp.svg").getroot().tag.endswith("svg")
assert open(work + "/mlp-0004.params", "rb").read(8) == b"\x12\x01" + bytes(6)
PY
"$load" --model "$model" --data "$digits" --out "$work" > "$work/load.log" 2>&1 || fail "load_mxnet_model"
accuracy "$work/load.log" "test accuracy after:" 85
[ -s "$work/digits.flx" ] && [ -s "$work/digits-symbol.json" ] && [ -s "$work/digits-0000.params" ] || fail "files are missing"
"$load" --model "$work/none" --data "$digits" > "$work/none.log" 2>&1 && fail "a missing model was read"
grep -q "none-symbol.json" "$work/none.log" || fail "the missing file is not named"
"$mlp" > "$work/usage.log" 2>&1 && fail "no --data was taken"
grep -q usage "$work/usage.log" || fail "no usage"
echo "symbols: passed"

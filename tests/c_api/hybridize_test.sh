#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example hybridize: the same scores both ways, a trace that is JSON with spans of operators and passes, and the graph around each pass.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" --seconds 0.05 --out "$work" > "$work/log" || { cat "$work/log"; exit 1; }
grep -q "predicting:" "$work/log"
grep -q "==== after fuse" "$work/passes.txt"
python3 - "$work/trace.json" <<'PY'
import json, sys
events = json.load(open(sys.argv[1]))
events = events["traceEvents"] if isinstance(events, dict) else events
kinds = {e.get("cat") for e in events}
assert {"planned", "pass", "user"} <= kinds, kinds
PY

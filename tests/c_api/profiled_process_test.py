#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""profiled_process_test.py PROGRAM: FLEXOR_PROFILE and MXNET_PROFILER_AUTOSTART profile a whole process, and do no harm to it."""
import json
import os
import subprocess
import sys
import tempfile

failed = []


def check(ok, what):
    if not ok:
        failed.append(what)


def run(program, folder, **variables):
    env = {k: v for k, v in os.environ.items() if k not in ("FLEXOR_PROFILE", "MXNET_PROFILER_AUTOSTART")}
    # A child of fork leaves its parent's pool of threads behind, and here one ends by exit, where leaks are looked for.
    env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    done = subprocess.run([program], cwd=folder, env={**env, **variables}, capture_output=True, text=True, timeout=120, check=False)
    check(done.returncode == 0, f"{variables}: status {done.returncode}, {done.stderr}")
    return done


def trace_of(path, pid):
    with open(path, encoding="utf-8") as f:
        trace = json.load(f)
    events = trace["traceEvents"]
    check({e["pid"] for e in events} == {pid}, f"{path}: processes are {sorted({e['pid'] for e in events})}, not {pid}")
    relus = [e for e in events if e["ph"] == "X" and e["name"] == "relu"]
    check(len(relus) == 120, f"{path}: {len(relus)} relus")
    check(all(e["args"]["inputs"] == ["float32 (4, 3)"] and e["dur"] >= 0 for e in relus), f"{path}: a relu is not as it should be")
    check(any(e["ph"] == "C" and e["args"]["peak"] >= e["args"]["live"] >= 0 for e in events), f"{path}: no memory")
    check(trace["otherData"]["dropped"] == "0", f"{path}: {trace['otherData']}")


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        done = run(program, folder)
        check(not done.stderr and not os.listdir(folder), f"nobody asked: {done.stderr} {os.listdir(folder)}")
        run(program, folder, MXNET_PROFILER_AUTOSTART="0")
        check(not os.listdir(folder), f"0 was asked: {os.listdir(folder)}")
        for variables, name in (({"FLEXOR_PROFILE": "own.json"}, "own.json"), ({"FLEXOR_PROFILE": os.path.join(folder, "whole.json")}, "whole.json"),
                                ({"MXNET_PROFILER_AUTOSTART": "1"}, "profile.json")):
            done = run(program, folder, **variables)
            if not os.path.exists(os.path.join(folder, name)):
                failed.append(f"{variables}: no file; {done.stderr}")
                continue
            trace_of(os.path.join(folder, name), int(done.stdout))
        check(sorted(os.listdir(folder)) == ["own.json", "profile.json", "whole.json"], f"files: {os.listdir(folder)}")
        done = run(program, folder, FLEXOR_PROFILE="/no/such/folder/trace.json")
        check("/no/such/folder/trace.json" in done.stderr, f"an error that is not told: {done.stderr}")
    print("\n".join(failed) or "profiled processes: passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

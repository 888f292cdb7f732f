# SPDX-License-Identifier: Apache-2.0
"""What the peers' scripts share. Each is called with --full or --quick and a regular expression for `ROW/peer`, and prints a line of JSON for a figure."""
import gc
import json
import re
import statistics
import subprocess
import sys
import time

QUICK = "--quick" in sys.argv
FILTER = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
PEER = ""  # set by the script


def chain(x, one):
    for _ in range(5):
        x = x + one
        x = x * one
    return x


def wanted(row, peer=None):
    return bool(FILTER.search(f"{row}/{peer or PEER}"))


def note(text):
    print(json.dumps({"note": text}), flush=True)


def figure(row, value, unit="s", peer=None):
    print(json.dumps({"row": row, "peer": peer or PEER, "value": value, "unit": unit}), flush=True)


def seconds(call, sync, clock, window, samples):
    call()
    sync()
    count = 1
    while True:  # as many calls as fill the window
        start = clock()
        for _ in range(count):
            call()
        sync()
        took = clock() - start
        if took >= window or count >= 1 << 22:
            break
        count = max(count + 1, min(count * 10, int(count * window * 1.2 / max(took, 1e-9))))
    found = [took / count]
    gc.collect()
    gc.disable()
    for _ in range(samples - 1):
        start = clock()
        for _ in range(count):
            call()
        sync()
        found.append((clock() - start) / count)
    gc.enable()
    return statistics.median(found)


def measure(row, make, sync=lambda: None, cpu=False, peer=None):
    """Time of the call that make() returns. cpu: the calling thread's time, where no other thread works for it. `sync` waits for queued work."""
    if not wanted(row, peer):
        return
    try:
        took = seconds(make(), sync, time.thread_time if cpu else time.perf_counter, 0.02 if QUICK else 0.1, 2 if QUICK else 5)
    except Exception as error:  # what a peer lacks is a note, not an end
        note(f"{row}/{peer or PEER}: {str(error).splitlines()[0][:160]}")
        return
    figure(row, took, peer=peer)


def memory(field):
    with open("/proc/self/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def in_own_process(part):
    """Runs this script again for one part that needs a fresh process, and hands its lines on."""
    done = subprocess.run([sys.executable, "-B", "-W", "ignore", sys.argv[0]] + sys.argv[1:3] + [part], capture_output=True, text=True, check=False)
    lines = [l for l in done.stdout.splitlines() if l.startswith("{")]
    print("\n".join(lines), flush=True)
    if done.returncode:
        note(f"{PEER} {part}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:160]}")


def part():
    return sys.argv[3] if len(sys.argv) > 3 else ""


def held_arrays(make, wait):
    """Bytes that one more one-element array takes, of 100,000 held."""
    count = 100000
    first = [make() for _ in range(2000)]
    wait()
    gc.collect()
    gc.disable()
    held = [None] * count
    before = memory("VmRSS")
    for i in range(count):
        held[i] = make()
    wait()
    figure("Memory/one-element array held", (memory("VmRSS") - before) / count, "B")
    del first


def start_up(statement):
    row = "Start/to the first result"
    if not wanted(row):
        return
    took = []
    for _ in range(2 if QUICK else 4):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", statement], check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    figure(row, statistics.median(took))


def overlap(sort, wait_each, wait_all):
    """2 ms of host work beside about 2 ms of sorting, as engine_bench.cc has it."""
    row = "Overlap/2 ms host and 2 ms operations"
    if not wanted(row):
        return
    def timed(call):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    host = 0.002
    one = statistics.median(timed(lambda: wait_each(sort())) for _ in range(20))
    count = max(1, round(host / one))
    def spin():
        end = time.perf_counter() + host
        while time.perf_counter() < end:
            pass
    def alone():
        for _ in range(count):
            wait_each(sort())
    def step():
        held = [sort() for _ in range(count)]
        spin()
        wait_all()
        del held
    pairs = [(timed(alone), timed(step)) for _ in range(60)]
    figure(row, statistics.median(p[1] for p in pairs) / max(host, statistics.median(p[0] for p in pairs)), "x")


# The shapes of kernels_bench.cc: name: batch, channels, filters, side, kernel, stride, pad, groups
CONVOLUTIONS = {"3x3": (16, 64, 64, 56, 3, 1, 1, 1), "7x7s2": (8, 3, 64, 224, 7, 2, 3, 1), "1x1": (16, 256, 64, 28, 1, 1, 0, 1), "depthwise": (16, 64, 64, 56, 3, 1, 1, 64)}
PRODUCTS = (256, 512, 1024, 2048)
SIDE, BIG = 4096, 16 << 20

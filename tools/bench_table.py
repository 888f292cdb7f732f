#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs benchmark programs in rounds and prints one table: Flexor's figure, each peer's, the ratio to the best peer, the goal and whether it is met.

    bench_table.py [PROGRAM...] [--peers FILE]... [--goals FILE] [--rounds N] [--filter REGEX] [--quick] [--json FILE] [--markdown FILE [--table --languages]]
    bench_table.py --self-test

A benchmark called ROW/flexor has as peers those called ROW/<peer>, and any other name is a row alone. A peer "... alone" is a floor, not compared with;
"flexor-..." is Flexor in another way, not compared with either.
A peer's program (FILE lists them) prints lines of JSON: {"row": ..., "peer": ..., "value": ..., "unit": ...}, or {"note": ...}. Units: s, B, x. Less is
better in all of them; a row whose benchmark counts its work is shown as a rate. Each round runs every program once; figures are medians of all samples, with half their range as the spread.
"""
import argparse
import datetime
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time

SUFFIX = re.compile(r"/(real_time|manual_time|process_time|iterations:\d+|min_time:[\d.]+|min_warmup_time:[\d.]+|repeats:\d+)(?=/|$)")
RATES = (("FLOPS", "FLOP/s"), ("bytes_per_second", "B/s"), ("items_per_second", "items/s"))
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
FLOOR = " alone"  # "libraries alone" is nobody's rival, but what is in the figure whoever writes it
OWN = "flexor-"  # "flexor-imperative": ours too
BEGIN, END = "<!-- figures: made by tools/bench{} --markdown -->", "<!-- end of figures{} -->"  # of the table that an option makes


class Figures:
    """Samples by row and peer, in the order in which rows were first seen."""

    def __init__(self):
        self.rows = {}   # row -> peer -> [values]
        self.units = {}  # row -> s, B, x
        self.work = {}   # row -> (amount, unit of the rate)
        self.notes = []

    def add(self, row, peer, value, unit):
        if self.units.setdefault(row, unit) != unit:
            raise ValueError(f"{row}: {peer} is given in {unit}, others in {self.units[row]}")
        self.rows.setdefault(row, {}).setdefault(peer, []).append(value)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def add_google(self, document):
        """The JSON of a Google Benchmark program."""
        found = []
        for b in document["benchmarks"]:
            if b.get("run_type", "iteration") != "iteration":
                continue
            name = SUFFIX.sub("", b["name"])
            if b.get("error_occurred"):
                self.note(f"{name}: {b.get('error_message', 'failed')}")
                continue
            found.append((name, b))
        ours = {name.rpartition("/")[0] for name, _ in found if (name.rpartition("/")[2] + "-").startswith(OWN)} | set(self.rows)
        for name, b in found:
            row, _, peer = name.rpartition("/")
            if row not in ours:
                row, peer = name, "flexor"
            if "value" in b:
                self.add(row, peer, b["value"], b.get("label") or "x")
                continue
            real = "/real_time" in b["name"] or "/manual_time" in b["name"]
            taken = b["real_time" if real else "cpu_time"] * SECONDS[b["time_unit"]]
            self.add(row, peer, taken, "s")
            for counter, unit in RATES:
                if counter in b and row not in self.work:
                    # The counters are by the clock that the time is by.
                    self.work[row] = (b[counter] * taken, unit)

    def add_lines(self, text):
        """What a peer's program printed."""
        for line in text.splitlines():
            if not line.startswith("{"):
                continue
            f = json.loads(line)
            if "note" in f:
                self.note(f["note"])
            else:
                self.add(f["row"], f["peer"], f["value"], f["unit"])

    def median(self, row, peer):
        values = self.rows.get(row, {}).get(peer)
        return statistics.median(values) if values else None

    def spread(self, row, peer):
        values = self.rows[row][peer]
        middle = statistics.median(values)
        return (max(values) - min(values)) / 2 / middle if middle and len(values) > 1 else 0.0


def scaled(value, unit, factors):
    for factor, prefix in factors:
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    factor, prefix = factors[-1]
    return f"{value / factor:.3g} {prefix}{unit}"


def show(figures, row, value):
    unit = figures.units[row]
    if row in figures.work and value > 0:
        amount, rate = figures.work[row]
        if rate == "items/s" and amount / value < 1e6:
            return f"{amount / value:.4g} {rate}"
        return scaled(amount / value, rate, ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")))
    if unit == "s":
        return scaled(value, "s", ((1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")))
    if unit == "B":
        return scaled(value, "B", ((1e6, "M"), (1, "")))
    return f"{value:.3g} {'×' if unit == 'x' else unit}"


def read_goals(text):
    goals = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        row, _, goal = (part.strip() for part in line.partition("|"))
        m = re.fullmatch(r"(<=|>=) ([\d.]+) (\w+)", goal)
        if not m:
            raise ValueError(f"no goal: {line}")
        sign, number, unit = m.groups()
        if unit == "best":
            if sign != ">=":
                raise ValueError(f"a goal beside the best peer is at least so many times as good: {line}")
            goals[row] = ("best", float(number), f"≥ {number}× the best peer")
        elif sign == "<=":
            goals[row] = ("most", float(number) * SECONDS.get(unit, 1.0), f"≤ {number} {unit.replace('us', 'µs') if unit != 'x' else '×'}")
        else:
            raise ValueError(f"figures are better if they are less: {line}")
    return goals


def lines_of(figures, goals):
    """The table's rows: name, ours, spread, peers, ratio, goal, met (yes, no, or empty)."""
    table = []
    for row, by_peer in figures.rows.items():
        ours = figures.median(row, "flexor")
        peers = sorted((figures.median(row, p), p) for p in by_peer if p != "flexor" and not p.endswith(FLOOR) and not p.startswith(OWN))
        floors = [f"({p} {show(figures, row, figures.median(row, p))})" for p in by_peer if p.endswith(FLOOR) or p.startswith(OWN)]
        best = peers[0][0] if peers else None
        ratio = best / ours if ours and best else None
        goal, met = goals.get(row), ""
        if goal and ours is not None and (goal[0] == "most" or ratio is not None):
            met = "yes" if (ours <= goal[1] if goal[0] == "most" else ratio >= goal[1]) else "no"
        table.append((row, show(figures, row, ours) if ours is not None else "", f"±{figures.spread(row, 'flexor') * 100:.0f} %" if ours is not None else "",
                      ", ".join([f"{p} {show(figures, row, v)}" for v, p in peers] + floors), f"{ratio:.2f}" if ratio else "", goal[2] if goal else "", met))
    return table


HEAD = ("row", "Flexor", "spread", "peers, the best first", "times as good", "goal", "met")


def as_text(table):
    widths = [max(len(r[i]) for r in [HEAD] + table) for i in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(r, widths)).rstrip() for r in [HEAD] + table)


def as_markdown(table):
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in r) + " |" for r in [HEAD, ("---",) * len(HEAD)] + table)


def summary(table, goals, rows):
    met = [r[0] for r in table if r[6] == "yes"]
    missed = [f"{r[0]}: {r[1]}, {'ratio ' + r[4] + ', ' if 'best' in r[5] else ''}goal {r[5]}" for r in table if r[6] == "no"]
    unknown = [g for g in goals if not any(r[0] == g and r[6] for r in table)] if rows == "all" else []
    lines = [f"Goals met: {len(met)} of {len(met) + len(missed)} measured."]
    if missed:
        lines += ["Not met: " + "; ".join(missed) + "."]
    if unknown:
        lines += ["Goals not measured in this run: " + "; ".join(unknown) + "."]
    return lines


def busy():
    with open("/proc/stat", encoding="ascii") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / os.sysconf("SC_CLK_TCK")


def own():
    return sum(getattr(resource.getrusage(who), t) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF) for t in ("ru_utime", "ru_stime"))


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} cores, {model or os.uname().machine}, Linux {os.uname().release}"


def ahead_of_others():
    """In a benchmark's process: before what else runs here, where the system lets us (root)."""
    os.setsid()  # the kernel shares time out between sessions first
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write("-20")
    except OSError:
        pass


def run(command, figures, args, environment=None):
    """What it printed, and whether it ended well."""
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **(environment or {})), check=False,
                          preexec_fn=None if args.quick else ahead_of_others)
    if done.returncode:
        figures.note(f"{os.path.basename(command[0])} ended with {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1][:200]}")
    return done.stdout, done.returncode == 0


def measure(args, figures):
    """False: a benchmark program of ours failed."""
    well = True
    peers = {"commands": [], "skipped": []}
    for file in args.peers:
        with open(file, encoding="utf-8") as f:
            for key, more in json.load(f).items():
                peers.setdefault(key, []).extend(more)
    for skip in peers.get("skipped", []):
        figures.note("skipped: " + skip)
    for turn in range(args.rounds):
        for program in args.programs:
            print(f"   round {turn + 1} of {args.rounds}: {os.path.basename(program)}", file=sys.stderr, flush=True)
            out, ended_well = run([program, "--benchmark_format=json", f"--benchmark_repetitions={1 if args.quick else 3}", f"--benchmark_min_time={0.02 if args.quick else 0.1}"] +
                      ([f"--benchmark_filter={args.filter}"] if args.filter else []), figures, args)
            well = well and ended_well
            if "{" in out:
                figures.add_google(json.loads(out[out.index("{"):]))
        for peer in peers.get("commands", []):
            print(f"   round {turn + 1} of {args.rounds}: {peer['name']}", file=sys.stderr, flush=True)
            figures.add_lines(run(peer["command"] + ["--quick" if args.quick else "--full", args.filter or ""], figures, args, peer.get("environment"))[0])
    return well


def write_markdown(path, block, option=""):
    text, begin, end = "", BEGIN.format(option), END.format(option)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            text = f.read()
    if begin not in text or end not in text[text.find(begin):]:
        text += f"{begin}\n{end}\n"
    start = text.index(begin)
    stop = text.index(end, start)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:start] + begin + "\n" + block + "\n" + text[stop:])


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--table", default="")
    parser.add_argument("--peers", action="append", default=[])
    parser.add_argument("--goals", default=os.devnull)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--filter", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", default="")
    parser.add_argument("--markdown", default="")
    args = parser.parse_args(argv)
    with open(args.goals, encoding="utf-8") as f:
        goals = read_goals(f.read())
    figures = Figures()
    used, mine, start = busy(), own(), time.time()
    well = measure(args, figures)
    took = time.time() - start
    others = max(0.0, (busy() - used) - (own() - mine)) / max(took, 1e-9)
    table = lines_of(figures, goals)
    about = [f"{datetime.date.today().isoformat()}, {machine()}; {args.rounds} rounds in {took:.0f} s, during which other programs used {others:.2f} cores."]
    about += [n if n.endswith(".") else n + "." for n in figures.notes]
    about += summary(table, goals, "some" if args.filter else "all")
    print(as_text(table) if table else "no benchmark matched")
    print()
    print("\n".join(about))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"about": about, "units": figures.units, "work": figures.work, "samples": figures.rows}, f, indent=1)
    if args.markdown:
        write_markdown(args.markdown, "\n\n".join(about) + "\n\n" + as_markdown(table), args.table and " " + args.table)
    return 0 if table and well else 1


def self_test():
    f = Figures()
    f.add_google({"benchmarks": [
        {"name": "Add/1/flexor", "run_type": "iteration", "real_time": 300.0, "cpu_time": 100.0, "time_unit": "ns"},
        {"name": "Add/1/flexor", "run_type": "iteration", "real_time": 300.0, "cpu_time": 120.0, "time_unit": "ns"},
        {"name": "Add/1/flexor", "run_type": "iteration", "real_time": 300.0, "cpu_time": 110.0, "time_unit": "ns"},
        {"name": "Add/1/flexor_mean", "run_type": "aggregate", "real_time": 1.0, "cpu_time": 1.0, "time_unit": "ns"},
        {"name": "Add/1/flexor-slow", "run_type": "iteration", "real_time": 50.0, "cpu_time": 50.0, "time_unit": "ns"},
        {"name": "Sgemm/256/flexor/min_time:0.250/real_time", "real_time": 2.0, "cpu_time": 9.0, "time_unit": "ms", "FLOPS": 1e9},
        {"name": "Sgemm/256/openblas/min_time:0.250/real_time", "real_time": 1.0, "cpu_time": 9.0, "time_unit": "ms", "FLOPS": 2e9},
        {"name": "Held/flexor/iterations:1/real_time", "real_time": 2.0, "cpu_time": 9.0, "time_unit": "ms", "value": 180.0, "label": "B"},
        {"name": "Alone/10000/real_time", "real_time": 2.0, "cpu_time": 9.0, "time_unit": "us"},
        {"name": "Broken/flexor", "error_occurred": True, "error_message": "why", "real_time": 0, "cpu_time": 0, "time_unit": "ns"}]})
    f.add("Held", "pages alone", 64.0, "B")
    f.add_lines('noise\n{"row": "Add/1", "peer": "torch", "value": 1.1e-6, "unit": "s"}\n{"row": "Add/1", "peer": "libtorch", "value": 4.4e-7, "unit": "s"}\n{"note": "torch 2"}\n')
    goals = read_goals("# head\nAdd/1 | <= 0.15 us\nSgemm/256 | >= 0.9 best\nHeld | <= 200 B\nGone | <= 1 x\n")
    table = lines_of(f, goals)
    want = [("Add/1", "110 ns", "±9 %", "libtorch 440 ns, torch 1.1 µs, (flexor-slow 50 ns)", "4.00", "≤ 0.15 µs", "yes"),
            ("Sgemm/256", "1 GFLOP/s", "±0 %", "openblas 2 GFLOP/s", "0.50", "≥ 0.9× the best peer", "no"),
            ("Held", "180 B", "±0 %", "(pages alone 64 B)", "", "≤ 200 B", "yes"), ("Alone/10000", "2 µs", "±0 %", "", "", "", "")]
    faults = [f"wanted {w}\ngiven  {g}" for w, g in zip(want, table) if w != g] + ([] if len(want) == len(table) else [f"{len(table)} rows"])
    if f.notes != ["Broken/flexor: why", "torch 2"]:
        faults.append(f"notes: {f.notes}")
    told = summary(table, goals, "all")
    if told != ["Goals met: 2 of 3 measured.", "Not met: Sgemm/256: 1 GFLOP/s, ratio 0.50, goal ≥ 0.9× the best peer.", "Goals not measured in this run: Gone."]:
        faults.append(f"summary: {told}")
    for bad in ("Add | fast", "Add | >= 3 us", "Add | <= 1 best"):
        try:
            read_goals(bad)
            faults.append(f"accepted: {bad}")
        except ValueError:
            pass
    try:
        f.add("Held", "torch", 1.0, "s")
        faults.append("accepted two units in a row")
    except ValueError:
        pass
    faults += merge_test()
    print("\n".join(faults) or "table, goals and summary are right")
    return 1 if faults else 0


def merge_test():
    """A block of figures takes the old one's place and leaves the rest of the page alone."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "page.md")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"head\n{BEGIN.format('')}\nold\n{END.format('')}\ntail\n")
        for block in ("new", "newer"):
            write_markdown(path, block)
        write_markdown(path, "other", " --languages")
        with open(path, encoding="utf-8") as f:
            text = f.read()
    wanted = "".join(f"{before}\n{BEGIN.format(o)}\n{block}\n{END.format(o)}\n" for before, o, block in (("head", "", "newer"), ("tail", " --languages", "other")))
    return [] if text == wanted else [f"page: {text!r}"]


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1:]))

# SPDX-License-Identifier: Apache-2.0
"""Jobs of real processes for tests, started by the launcher: their output line by line, signals to their nodes, their end."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SLOW = float(os.environ.get("TEST_SLOW", "1"))  # sanitizers
HERE = os.path.dirname(os.path.abspath(__file__))
LAUNCH = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools", "launch.py")


def clean_environment(**more):
    """This process's without what would make it a node."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("FLEXOR_PS", "DMLC_"))}
    own.update({k: str(v) for k, v in more.items()})
    return own


def healthy(output):
    """A sanitizer's complaint is a failure whatever the node's end means."""
    where = re.search(r"(ERROR|WARNING): \w+Sanitizer|runtime error:", output)
    assert not where, output[where.start():][:8000]


class Job:
    """`command` for each worker; {folder} in what it is given is the job's own folder. Nodes say `pid N` first."""

    tedious = r"\[worker \d+\] (round|step) \d+ "  # lines that a failure does not show

    def __init__(self, command, workers, servers, *options, program=None, **env):
        self.folder = tempfile.mkdtemp()
        self.lines, self.changed = [], threading.Condition()
        own = clean_environment(TMPDIR=self.folder, **{k: str(v).replace("{folder}", self.folder) for k, v in env.items()})
        self.process = subprocess.Popen([sys.executable, LAUNCH, "-n", str(workers), "-s", str(servers), *(["--program", program] if program else []), *options, *command],
                                        env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("[end]")
            self.changed.notify_all()

    def wait(self, pattern, after=0, seconds=100, count=1):
        """The index behind the count-th line from `after` on that has the pattern."""
        end = time.monotonic() + seconds * SLOW
        with self.changed:
            while True:
                hits = [i for i in range(after, len(self.lines)) if re.search(pattern, self.lines[i])]
                if len(hits) >= count:
                    return hits[count - 1] + 1
                left = end - time.monotonic()
                if left <= 0 or (self.lines and self.lines[-1] == "[end]"):
                    raise AssertionError(f"no `{pattern}` x{count}; " + self.tail())
                self.changed.wait(left)

    def tail(self):
        return "the last lines:\n    " + "\n    ".join([x for x in self.lines if not re.match(self.tedious, x)][-40:])

    def pid(self, node):
        self.wait(rf"^\[{node}\] pid \d+$")
        return int(self.texts(rf"^\[{node}\] pid (\d+)$")[-1])

    def send(self, node, number):
        os.kill(self.pid(node), number)

    def end(self, seconds=120):
        try:
            self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the job does not end; " + self.tail())
        finally:
            self.reader.join(10)
        healthy("\n".join(self.lines))
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def texts(self, pattern):
        return [m for line in self.lines for m in re.findall(pattern, line)]


def run(cases, names=()):
    """Runs the cases by name, all or those named, and ends the process; Skip is raised where one cannot run here."""
    passed = failed = skipped = 0
    for name in names or cases:
        begin = time.monotonic()
        try:
            cases[name]()
            passed += 1
            print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)
        except Skip as e:
            skipped += 1
            print(f"SKIPPED {name}: {e}", flush=True)
        except Exception as e:  # every failure is told
            failed += 1
            print(f"{name}: {type(e).__name__} {e}\nFAILED {name}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


class Skip(Exception):
    pass

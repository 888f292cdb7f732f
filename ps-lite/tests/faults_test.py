# SPDX-License-Identifier: Apache-2.0
"""faults_test.py LAUNCH NODE [CASE...]: jobs of real processes, through the launcher; a node of each role in turn is killed or stopped. NODE is ps_test_node: a
value tells who was counted how often, and each worker checks every round it sees."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

LAUNCH, NODE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SLOW = float(os.environ.get("TEST_SLOW", "1"))  # sanitizers


class Job:
    def __init__(self, workers, servers, *options, rounds=100000, pause=10, program=None, **env):
        self.folder = tempfile.mkdtemp()
        self.lines, self.changed = [], threading.Condition()
        own = {k: v for k, v in os.environ.items() if not k.startswith(("FLEXOR_PS", "DMLC_"))}
        own.update({k: str(v) for k, v in env.items()}, TMPDIR=self.folder)
        if SLOW > 1:
            own.setdefault("TEST_BEAT_MS", str(int(400 * SLOW)))
        self.process = subprocess.Popen([sys.executable, LAUNCH, "-n", str(workers), "-s", str(servers), "--program", program or NODE, *options, NODE, "worker", str(rounds), str(pause)],
                                        env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        self.gone = set()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("[end]")
            self.changed.notify_all()

    def wait(self, pattern, after=0, seconds=30, count=1):
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
        return "the last lines:\n    " + "\n    ".join(self.lines[-40:])

    def pid(self, node):
        self.wait(rf"^\[{node}\] pid \d+$")
        return int([re.match(rf"^\[{node}\] pid (\d+)$", line).group(1) for line in self.lines if line.startswith(f"[{node}] pid ")][-1])

    def send(self, node, number):
        os.kill(self.pid(node), number)

    def everybody_at(self, number, workers, after=0):
        for w in workers:
            self.wait(rf"^\[worker {w}\] round {number} by", after)

    def round(self):
        return max((int(m.group(1)) for line in self.lines if (m := re.match(r"\[worker \d+\] round (\d+) by", line))), default=0)

    def end(self, seconds=40):
        try:
            self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the job does not end; " + self.tail())
        finally:
            self.reader.join(10)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def texts(self, pattern):
        return [m for line in self.lines for m in re.findall(pattern, line)]


def all_counted(job, workers, rounds):
    """Undisturbed result: every worker in every round."""
    want = rounds * workers * (workers + 1) // 2
    finals = job.texts(r"final (.*)$")
    assert len(finals) == workers and set(finals) == {f"{want} big" + f" {want}" * 5}, (want, finals)


def undisturbed():
    job = Job(4, 2, rounds=20, pause=0)
    try:
        assert job.end() == 0, job.tail()
        all_counted(job, 4, 20)
    finally:
        job.close()


def with_keys():
    job = Job(2, 2, "--keys", rounds=10, pause=0)
    try:
        assert job.end() == 0, job.tail()
        all_counted(job, 2, 10)
    finally:
        job.close()


def a_worker_dies_and_the_job_fails(number=signal.SIGKILL):
    job = Job(3, 2)
    try:
        job.everybody_at(5, range(3))
        begin = time.monotonic()
        job.send("worker 1", number)
        if number == signal.SIGSTOP:
            job.wait(r"^\[worker [02]\] failed: .*worker 1")
        assert job.end(15) != 0, job.tail()
        print(f"  {time.monotonic() - begin:.1f} s")
    finally:
        job.close()


def everybody_hears_who_died(role):
    """Without the launcher's help: --elastic keeps it from ending the others, and the policy is fail."""
    job = Job(3, 2, "--elastic", FLEXOR_PS_POLICY="fail", FLEXOR_PS_REPLICAS=0)
    try:
        job.everybody_at(5, range(3))
        begin = time.monotonic()
        job.send(role, signal.SIGKILL)
        left = [w for w in range(3) if role != f"worker {w}"]
        for w in left:
            job.wait(rf"^\[worker {w}\] failed: .*{role}", seconds=8)
        print(f"  {time.monotonic() - begin:.1f} s: " + next(line for line in job.lines if re.search(rf"^\[worker {left[0]}\] failed", line)))
        assert job.end(20) != 0, job.tail()
    finally:
        job.close()


def a_worker_is_lost_and_the_others_go_on(number=signal.SIGKILL):
    job = Job(3, 2, "--elastic", rounds=100)
    try:
        job.everybody_at(5, range(3))
        job.send("worker 1", number)
        where = job.wait(r"^\[worker [02]\] round \d+ by 02 ", seconds=15)
        if number == signal.SIGSTOP:
            job.send("worker 1", signal.SIGCONT)
            job.wait(r"^\[worker 1\] failed: .*\(code 8\)", where)  # it is told that it was taken out
        assert job.end() == 0, job.tail()
        finals = job.texts(r"^\[worker [02]\] final (\d+) ")
        assert len(finals) == 2 and len(set(finals)) == 1, finals
        by = {}  # every round's contributors, as everybody saw them
        for number, who in job.texts(r"round (\d+) by (\d+) "):
            assert by.setdefault(int(number), who) == who, (number, who, by)
        assert int(finals[0]) == sum(int(w) + 1 for who in by.values() for w in who), (finals, by)
    finally:
        job.close()


def a_server_is_lost_and_a_copy_takes_over(number=signal.SIGKILL):
    job = Job(3, 2, "--elastic", rounds=60, FLEXOR_PS_REPLICAS=1)
    try:
        job.everybody_at(5, range(3))
        job.send("server 0", number)
        if number == signal.SIGSTOP:
            at = job.round()
            job.everybody_at(at + 5, range(3))
            job.send("server 0", signal.SIGCONT)
        assert job.end() == 0, job.tail()
        all_counted(job, 3, 60)  # bitwise as if nothing had been
    finally:
        job.close()


def the_scheduler_starts_again(log=True):
    job = Job(2, 2, "--elastic", "--restarts", "1", rounds=60, **({"FLEXOR_PS_LOG": os.path.join(tempfile.gettempdir(), f"flexor-log-{os.getpid()}")} if log else {}))
    try:
        job.everybody_at(5, range(2))
        at = job.round()
        job.send("scheduler", signal.SIGKILL)
        job.everybody_at(at + 20, range(2))  # training goes on meanwhile
        assert job.end() == 0, job.tail()
        all_counted(job, 2, 60)
    finally:
        job.close()
        if log:
            try:
                os.remove(os.path.join(tempfile.gettempdir(), f"flexor-log-{os.getpid()}"))
            except OSError:
                pass


def a_worker_comes_back():
    job = Job(3, 2, "--elastic", "--restarts", "1", rounds=150)
    try:
        job.everybody_at(5, range(3))
        job.send("worker 1", signal.SIGKILL)
        job.wait(r"started again")
        where = job.wait(r"^\[worker 1\] pid", count=2)
        job.wait(r"^\[worker 1\] round \d+ by 012 ", where, seconds=20)
        assert job.end() == 0, job.tail()
        finals = job.texts(r"^\[worker \d\] final (\d+) ")
        assert len(finals) == 3 and len(set(finals)) == 1, finals
    finally:
        job.close()


def a_server_comes_back_and_another_is_lost():
    """The copy that came back is brought up to date, and is good enough to take over."""
    job = Job(2, 2, "--elastic", "--restarts", "1", rounds=300, FLEXOR_PS_REPLICAS=1)
    try:
        job.everybody_at(5, range(2))
        job.send("server 0", signal.SIGKILL)
        where = job.wait(r"^\[server 0\] pid", count=2)
        job.wait(r"^\[server 0\] notice 7", where, seconds=20)
        time.sleep(1.5 * SLOW)
        job.send("server 1", signal.SIGKILL)
        assert job.end(60) == 0, job.tail()
        all_counted(job, 2, 300)
    finally:
        job.close()


CASES = {
    "undisturbed": undisturbed,
    "with_keys": with_keys,
    "worker_killed_fail": a_worker_dies_and_the_job_fails,
    "worker_stopped_fail": lambda: a_worker_dies_and_the_job_fails(signal.SIGSTOP),
    "worker_named": lambda: everybody_hears_who_died("worker 1"),
    "server_named": lambda: everybody_hears_who_died("server 0"),
    "worker_killed": a_worker_is_lost_and_the_others_go_on,
    "worker_stopped": lambda: a_worker_is_lost_and_the_others_go_on(signal.SIGSTOP),
    "server_killed": a_server_is_lost_and_a_copy_takes_over,
    "server_stopped": lambda: a_server_is_lost_and_a_copy_takes_over(signal.SIGSTOP),
    "scheduler_killed": the_scheduler_starts_again,
    "scheduler_killed_no_log": lambda: the_scheduler_starts_again(False),
    "worker_back": a_worker_comes_back,
    "server_back": a_server_comes_back_and_another_is_lost,
}
passed = failed = 0
for name in sys.argv[3:] or CASES:
    begin = time.monotonic()
    try:
        CASES[name]()
        passed += 1
        print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)
    except Exception as e:  # every failure is told
        failed += 1
        print(f"{name}: {type(e).__name__} {e}\nFAILED {name}", flush=True)
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)

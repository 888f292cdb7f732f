# SPDX-License-Identifier: Apache-2.0
"""faults_test.py FLEXOR_PS DIGITS_WORKER [CASE...]: the digits by 4 workers, 2 servers that update the weights, and a scheduler; a process of each role in turn is
killed or stopped for longer than silence takes. Where a copy takes over, the weights are bitwise those of the undisturbed job."""
import functools
import signal
import sys
import time

from digits_job import DigitsJob
from jobs import SLOW, run

STEPS = 150  # a pause of 10 ms after each: the job outlasts the fault


@functools.lru_cache(maxsize=None)
def undisturbed(optimizer="Adam", replicas=1):
    """The weights' bits and the accuracy."""
    with DigitsJob(optimizer, STEPS, pause=0, FLEXOR_PS_REPLICAS=replicas) as job:
        return job.good_end()


def bitwise_the_same(job):
    found, want = job.good_end(), undisturbed()
    assert found == want, (found, want, job.tail())


def same_without_copies():
    """What is not disturbed gives these bits with copies and without."""
    assert undisturbed(replicas=0) == undisturbed()
    assert undisturbed()[1] > 80, undisturbed()


def a_server_is_killed():
    with DigitsJob("Adam", STEPS) as job:
        job.everybody_at(30)
        job.send("server 0", signal.SIGKILL)
        at = job.now_before(STEPS)
        job.everybody_at(at + 20)
        bitwise_the_same(job)


def the_scheduler_is_killed():
    with DigitsJob("Adam", STEPS, "--restarts", "1", FLEXOR_PS_LOG="{folder}/log") as job:
        job.everybody_at(30)
        job.send("scheduler", signal.SIGKILL)
        where = job.wait(r"scheduler was ended by SIGKILL; it is started again")
        job.now_before(STEPS)
        job.wait(r"^\[scheduler\] pid", where)
        bitwise_the_same(job)


def stopped(node):
    with DigitsJob("Adam", 2 * STEPS) as job:
        job.everybody_at(30)
        job.send(node, signal.SIGSTOP)
        time.sleep(1.0 + job.silence)
        job.now_before(2 * STEPS)
        job.send(node, signal.SIGCONT)
        with DigitsJob("Adam", 2 * STEPS, pause=0) as other:
            want = other.good_end()
        found = job.good_end()
        assert found == want, (found, want, job.tail())


def a_worker_is_lost(number):
    """The others go on; what the lost one pushed counts once: as often as it was told, or once more, if it was lost before it heard."""
    with DigitsJob("SGD", STEPS) as job:
        job.everybody_at(30)
        job.send("worker 1", number)
        told = job.step_of(1)
        where = job.wait(rf"^\[worker 0\] step (\d+) counts (?!\1 \1 \1)", seconds=15)
        if number == signal.SIGSTOP:
            job.now_before(STEPS)
            job.send("worker 1", signal.SIGCONT)
            job.wait(r"^\[worker 1\] failed: .*worker 1 was taken out of the job", where)
        bits, accuracy = job.good_end(workers=(0, 2, 3))
        told = max(told, job.step_of(1))
        counted = job.counts(0)[-1][1]
        assert counted in (told, told + 1), (counted, told)
        for w in (0, 2, 3):
            for step, counts in enumerate(job.counts(w), 1):
                assert counts == [step, min(step, counted), step, step], (w, step, counts)
        assert abs(accuracy - undisturbed("SGD")[1]) <= 0.5, (accuracy, undisturbed("SGD"))


def unequal_numbers_of_batches():
    """The last worker has fewer, and finishes first; the others' rounds go on without it."""
    with DigitsJob("SGD", 60, last=40) as job:
        assert job.end() == 0, job.tail()
        finals = dict(job.texts(r"^\[worker (\d)\] weights (\w+) "))
        assert len(finals) == 4 and finals["0"] == finals["1"] == finals["2"], finals
        for w in range(3):
            assert job.counts(w) == [[n, n, n, min(n, 40)] for n in range(1, 61)], job.counts(w)


CASES = {
    "undisturbed": same_without_copies,
    "server_killed": a_server_is_killed,
    "scheduler_killed": the_scheduler_is_killed,
    "server_stopped": lambda: stopped("server 1"),
    "scheduler_stopped": lambda: stopped("scheduler"),
    "worker_killed": lambda: a_worker_is_lost(signal.SIGKILL),
    "worker_stopped": lambda: a_worker_is_lost(signal.SIGSTOP),
    "unequal": unequal_numbers_of_batches,
}
run(CASES, sys.argv[3:])

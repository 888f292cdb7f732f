# SPDX-License-Identifier: Apache-2.0
"""faults_test.py FLEXOR_PS DIGITS_WORKER [CASE...]: the digits by 4 workers, 2 servers that update the weights, and a scheduler; a process of each role in turn is
killed or stopped for longer than silence takes. Where a copy takes over, the weights are bitwise those of the undisturbed job."""
import signal
import sys
import time

from digits_job import DigitsJob, undisturbed
from jobs import run

STEPS = 300   # with a pause of 10 ms after each the job outlasts a kill,
LONGER = 700  # and with these a stop


def same_without_copies():
    """What is not disturbed gives these bits with copies and without."""
    assert undisturbed("Adam", STEPS, replicas=0) == undisturbed("Adam", STEPS)
    assert undisturbed("Adam", STEPS)[1] > 80, undisturbed("Adam", STEPS)


def a_server_is_killed():
    with DigitsJob("Adam", STEPS) as job:
        job.everybody_at(30)
        job.send("server 0", signal.SIGKILL)
        job.everybody_at(job.in_time() + 20)
        job.bitwise_undisturbed()


def the_scheduler_is_killed():
    with DigitsJob("Adam", STEPS, "--restarts", "1", FLEXOR_PS_LOG="{folder}/log") as job:
        job.everybody_at(30)
        job.send("scheduler", signal.SIGKILL)
        where = job.wait(r"scheduler was ended by SIGKILL; it is started again")
        job.in_time()
        job.wait(r"^\[scheduler\] pid", where)
        job.bitwise_undisturbed()


def stopped(node):
    with DigitsJob("Adam", LONGER) as job:
        job.everybody_at(30)
        job.send(node, signal.SIGSTOP)
        time.sleep(1.0 + job.silence)
        job.in_time()
        job.send(node, signal.SIGCONT)
        job.bitwise_undisturbed()


def a_worker_is_lost(number):
    with DigitsJob("SGD", STEPS) as job:
        job.everybody_at(30)
        job.send("worker 1", number)
        where = job.wait(r"^\[worker 0\] step (\d+) counts (?!\1 \1 \1)")
        if number == signal.SIGSTOP:
            job.in_time()
            job.send("worker 1", signal.SIGCONT)
            job.wait(r"^\[worker 1\] failed: .*worker 1 was taken out of the job", where)
        job.the_others_went_on(lost=1)


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

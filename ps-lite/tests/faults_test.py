# SPDX-License-Identifier: Apache-2.0
"""faults_test.py NODE [CASE...]: jobs of real processes, through the launcher; a node of each role in turn is killed or stopped. NODE is ps_test_node: a
value tells who was counted how often, and each worker checks every round it sees."""
import os
import re
import signal
import sys
import time

import jobs
from jobs import SLOW

NODE = os.path.abspath(sys.argv[1])


class Job(jobs.Job):
    def __init__(self, workers, servers, *options, rounds=100000, pause=10, **env):
        env.setdefault("TEST_BEAT_MS", int(1000 * SLOW))  # a machine that is busy for a moment is not silence
        super().__init__([NODE, "worker", str(rounds), str(pause)], workers, servers, *options, program=NODE, **env)

    def everybody_at(self, number, workers, after=0):
        for w in workers:
            self.wait(rf"^\[worker {w}\] round {number} by", after)

    def round(self):
        return max((int(n) for n in self.texts(r"^\[worker \d+\] round (\d+) by")), default=0)


def all_counted(job, workers, rounds):
    """Undisturbed result: every worker in every round."""
    want = rounds * workers * (workers + 1) // 2
    finals = job.texts(r"final (.*)$")
    assert len(finals) == workers and set(finals) == {f"{want} big" + f" {want}" * 5}, (want, finals)


def undisturbed():
    with Job(4, 2, rounds=20, pause=0) as job:
        assert job.end() == 0, job.tail()
        all_counted(job, 4, 20)


def with_keys():
    with Job(2, 2, "--keys", rounds=10, pause=0) as job:
        assert job.end() == 0, job.tail()
        all_counted(job, 2, 10)


def a_worker_dies_and_the_job_fails(number=signal.SIGKILL):
    with Job(3, 2) as job:
        job.everybody_at(5, range(3))
        begin = time.monotonic()
        job.send("worker 1", number)
        if number == signal.SIGSTOP:
            job.wait(r"^\[worker [02]\] failed: .*worker 1")
        assert job.end() != 0, job.tail()
        print(f"  {time.monotonic() - begin:.1f} s")


def everybody_hears_who_died(role):
    """Without the launcher's help: --elastic keeps it from ending the others, and the policy is fail."""
    with Job(3, 2, "--elastic", FLEXOR_PS_POLICY="fail", FLEXOR_PS_REPLICAS=0) as job:
        job.everybody_at(5, range(3))
        begin = time.monotonic()
        job.send(role, signal.SIGKILL)
        left = [w for w in range(3) if role != f"worker {w}"]
        for w in left:
            job.wait(rf"^\[worker {w}\] failed: .*{role}")
        print(f"  {time.monotonic() - begin:.1f} s: " + next(line for line in job.lines if re.search(rf"^\[worker {left[0]}\] failed", line)))
        assert job.end() != 0, job.tail()


def a_worker_is_lost_and_the_others_go_on(number=signal.SIGKILL):
    with Job(3, 2, "--elastic", rounds=100) as job:
        job.everybody_at(5, range(3))
        job.send("worker 1", number)
        where = job.wait(r"^\[worker [02]\] round \d+ by 02 ")
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


def a_server_is_lost_and_a_copy_takes_over(number=signal.SIGKILL):
    with Job(3, 2, "--elastic", rounds=60, FLEXOR_PS_REPLICAS=1) as job:
        job.everybody_at(5, range(3))
        job.send("server 0", number)
        if number == signal.SIGSTOP:
            at = job.round()
            job.everybody_at(at + 5, range(3))
            job.send("server 0", signal.SIGCONT)
        assert job.end() == 0, job.tail()
        all_counted(job, 3, 60)  # bitwise as if nothing had been


def the_scheduler_starts_again(log=True):
    with Job(2, 2, "--elastic", "--restarts", "1", rounds=60, **({"FLEXOR_PS_LOG": "{folder}/log"} if log else {})) as job:
        job.everybody_at(5, range(2))
        at = job.round()
        job.send("scheduler", signal.SIGKILL)
        job.everybody_at(at + 20, range(2))  # training goes on meanwhile
        assert job.end() == 0, job.tail()
        all_counted(job, 2, 60)


def the_scheduler_is_stopped():
    """Longer than silence: when it goes on it has heard nobody, and nobody is lost."""
    with Job(2, 2, "--elastic", rounds=400, pause=int(20 * SLOW)) as job:
        job.everybody_at(5, range(2))
        job.send("scheduler", signal.SIGSTOP)
        time.sleep(4 * SLOW)
        at = job.round()
        job.send("scheduler", signal.SIGCONT)
        assert at < 390, "the scheduler went on too late"
        assert job.end() == 0, job.tail()
        all_counted(job, 2, 400)


def a_worker_comes_back(rounds=600, start=5, final=r"(\d+) ", **settings):
    """Killed in round `start`, back before the others have made all their rounds, however slowly it starts; at the end all say the same of `final`."""
    with Job(3, 2, "--elastic", "--restarts", "1", rounds=rounds, **settings) as job:
        job.everybody_at(start, range(3))
        job.send("worker 1", signal.SIGKILL)
        job.wait(r"started again")
        where = job.wait(r"^\[worker 1\] pid", count=2)
        job.wait(r"^\[worker 1\] round \d+ by 012 ", where)
        assert job.end() == 0, job.tail()
        finals = job.texts(r"^\[worker \d\] final " + final)
        assert len(finals) == 3 and len(set(finals)) == 1, finals


def a_worker_comes_back_where_keys_are_pushed_unevenly():
    """It begins in the same step of every key; a call waits for the one before it, so that any other number would stop the job."""
    a_worker_comes_back(rounds=599, start=15, final=r"(\d+ big.*)$", TEST_SELDOM=7)


def a_server_comes_back_and_another_is_lost():
    """The copy that came back is brought up to date, and is good enough to take over."""
    with Job(2, 2, "--elastic", "--restarts", "1", rounds=900, FLEXOR_PS_REPLICAS=1) as job:
        job.everybody_at(5, range(2))
        job.send("server 0", signal.SIGKILL)
        where = job.wait(r"^\[server 0\] pid", count=2)
        job.wait(r"^\[server 0\] notice 7", where)
        time.sleep(1.5 * SLOW)
        job.send("server 1", signal.SIGKILL)
        assert job.end() == 0, job.tail()
        all_counted(job, 2, 900)


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
    "scheduler_stopped": the_scheduler_is_stopped,
    "worker_back": a_worker_comes_back,
    "worker_back_uneven": a_worker_comes_back_where_keys_are_pushed_unevenly,
    "server_back": a_server_comes_back_and_another_is_lost,
}
jobs.run(CASES, sys.argv[2:])

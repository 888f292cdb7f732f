# SPDX-License-Identifier: Apache-2.0
"""network_test.py FLEXOR_PS DIGITS_WORKER [CASE...]: the job of faults_test.py with keys over a network of its own, a host for each node. Links are cut and healed, lose
packets, are slow; the weights are bitwise those of an undisturbed job on one machine. FLEXOR_TEST_LARGE runs more cases."""
import os
import sys
import tempfile
import time

import cluster
from digits_job import DigitsJob
from jobs import SLOW, run

STEPS = 300   # with a pause of 10 ms after each the job outlasts a cut that stops it,
LONGER = 700  # and with these one that does not
reason = cluster.enter()
if reason:
    print(f"SKIPPED {reason}\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def started(optimizer="Adam", steps=STEPS, pause=10):
    return DigitsJob(optimizer, steps, "--keys", "--host", cluster.SCHEDULER, pause=pause, wrap=net.wrap)


def undisturbed():
    with started(pause=0) as job:
        job.bitwise_undisturbed()


def a_cut(host, *others, goes_on, steps=STEPS, **how):
    """Longer than silence; training goes on meanwhile, or waits until it is healed."""
    with started(steps=steps) as job:
        job.everybody_at(20)
        host.cut(*others, **how)
        time.sleep(0.5 * SLOW)
        before = job.step_of(0)
        time.sleep(job.silence + 1)
        if goes_on:
            job.everybody_at(before + 20)
        at = job.in_time()
        assert goes_on or at == before, (before, at, job.tail())
        net.heal()
        job.everybody_at(at + 5)
        job.bitwise_undisturbed()


def worker_and_server():
    a_cut(net.workers[2], net.servers[0], goes_on=False)


def one_way():
    a_cut(net.servers[1], net.workers[1], goes_on=False, ways=("out",))


def server_and_server():
    a_cut(net.servers[0], net.servers[1], goes_on=True, steps=LONGER)


def server_alone():
    """Its copies take over."""
    a_cut(net.servers[1], *net.others(net.servers[1]), goes_on=True, steps=LONGER)


def scheduler_alone():
    a_cut(net.scheduler, *net.others(net.scheduler), goes_on=True, steps=LONGER)


def scheduler_deaf_to_a_server():
    a_cut(net.scheduler, net.servers[0], goes_on=True, steps=LONGER, ways=("in",))


def worker_alone():
    """It is lost, the others go on; when it is back it is told so."""
    with started("SGD", LONGER) as job:
        job.everybody_at(20)
        net.workers[1].cut(*net.others(net.workers[1]))
        where = job.wait(r"^\[worker 0\] step (\d+) counts (?!\1 \1 \1)")
        job.in_time()
        net.heal()
        job.wait(r"^\[worker 1\] failed: .*worker 1 was taken out of the job", where)
        job.the_others_went_on(lost=1)


def loss():
    with started() as job:
        job.everybody_at(20)
        net.servers[0].lose(5)
        job.bitwise_undisturbed()


def slow_worker():
    """The others wait for it, step by step."""
    with started(steps=60, pause=0) as job:
        job.everybody_at(40)
        begin = time.monotonic()
        how = net.workers[3].slow()
        job.bitwise_undisturbed()
        took = time.monotonic() - begin
        print(f"  {how}: {took:.1f} s")
        assert took > 1, took


CASES = {"undisturbed": undisturbed, "worker_and_server": worker_and_server, "scheduler_alone": scheduler_alone}
MORE = {"slow_worker": slow_worker, "server_and_server": server_and_server, "server_alone": server_alone, "worker_alone": worker_alone,
        "one_way": one_way, "scheduler_deaf_to_a_server": scheduler_deaf_to_a_server, "loss": loss}


def healed(case):
    def run_it():
        try:
            case()
        finally:
            net.heal()
    return run_it


with tempfile.TemporaryDirectory() as folder:
    net = cluster.Cluster(folder, workers=4, servers=2)
    try:
        names = sys.argv[3:] or [*CASES, *(MORE if os.environ.get("FLEXOR_TEST_LARGE") else [])]
        run({name: healed(case) for name, case in {**CASES, **MORE}.items()}, names)
    finally:
        net.close()

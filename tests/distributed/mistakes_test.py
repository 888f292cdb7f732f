# SPDX-License-Identifier: Apache-2.0
"""mistakes_test.py FLEXOR_PS DIGITS_WORKER [CASE...]: jobs that are started wrongly, process by process, without the launcher. Whoever can do something about it is told what
was found and what is wanted, within the rendezvous limit. (What goes wrong within a job, calls of a key above all, is tests/kvstore's.)"""
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import digits_job  # where the programs are
import jobs

LIMIT = 6 * jobs.SLOW  # FLEXOR_PS_RENDEZVOUS


class Nodes:
    """Processes of one job by name; each is given its role and what else differs."""

    def __init__(self, workers=2, servers=1, **common):
        self.folder = tempfile.TemporaryDirectory()
        # Held until the job is over: nobody else is given the port, and the scheduler may still listen there, since ZeroMQ sets SO_REUSEADDR, too.
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind(("127.0.0.1", 0))
        self.port = self.held.getsockname()[1]
        self.common = {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": self.port, "DMLC_NUM_WORKER": workers, "DMLC_NUM_SERVER": servers, "FLEXOR_PS_RENDEZVOUS": LIMIT,
                       "FLEXOR_PS_HEARTBEAT": 2 * jobs.SLOW, "FLEXOR_PS_TIMEOUT": 60 * jobs.SLOW, "OMP_NUM_THREADS": 1, **common}
        self.processes = {}

    def start(self, name, **own):
        role = name.split()[0]
        command = [digits_job.WORKER, digits_job.DATA, "SGD", "5", "0"] if role == "worker" else [digits_job.PS, role]
        self.processes[name] = subprocess.Popen(command, env=jobs.clean_environment(DMLC_ROLE=role, **{**self.common, **own}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def started(self, *names):
        for name in names:
            self.start(name)
        return self

    def told(self, name, *patterns, seconds=None):
        """It ends badly, in time, and says this."""
        seconds = LIMIT + 30 * jobs.SLOW if seconds is None else seconds
        try:
            out, _ = self.processes[name].communicate(timeout=seconds)
            jobs.healthy(out)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} does not end within {seconds} s") from None
        assert self.processes[name].returncode not in (0, None) and self.processes[name].returncode > 0, (name, self.processes[name].returncode, out)
        for pattern in patterns:
            assert re.search(pattern, out), (name, pattern, out)

    def well(self, name):
        out, _ = self.processes[name].communicate(timeout=60 * jobs.SLOW)
        jobs.healthy(out)
        assert self.processes[name].returncode == 0, (name, out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.processes.values():
            if p.poll() is None:
                p.kill()
                p.communicate()
        self.held.close()
        self.folder.cleanup()


def somebody_is_missing():
    with Nodes().started("scheduler", "server", "worker 0") as job:
        for name in job.processes:
            job.told(name, r"the rendezvous ended: 1 of 2 workers came within \d+ s: \S+ pid \d+")


def nobody_listens():
    with Nodes() as job:
        for name in ("server", "worker"):
            job.start(name)
        for name in ("server", "worker"):
            job.told(name, rf"the scheduler at 127\.0\.0\.1:{job.port} could not be reached for \d+ s: .*nobody listens there")


def another_listens():
    with Nodes() as job:
        job.held.listen()
        job.start("worker")
        job.told("worker", rf"the scheduler at 127\.0\.0\.1:{job.port} could not be reached for \d+ s: 127")


def the_port_is_in_use():
    with Nodes() as job:
        job.held.listen()
        job.start("scheduler")
        job.told("scheduler", rf"port {job.port} cannot be bound: Address already in use. Another process has it: choose another port")


def two_of_one_rank():
    """The later one is refused at once; the job goes on with another."""
    with Nodes().started("scheduler", "server") as job:
        job.start("worker first", FLEXOR_PS_RANK=0)
        time.sleep(2 * jobs.SLOW)  # it has come by then
        job.start("worker second", FLEXOR_PS_RANK=0)
        job.told("worker second", rf"two processes want to be worker 0; the first is .* pid {job.processes['worker first'].pid}\b")
        job.start("worker other")
        for name in ("worker first", "worker other", "server", "scheduler"):
            job.well(name)


def another_job():
    with Nodes(FLEXOR_PS_JOB="one").started("scheduler") as job:
        job.start("worker", FLEXOR_PS_JOB="two")
        job.told("worker", r"FLEXOR_PS_JOB")


def other_numbers():
    with Nodes().started("scheduler") as job:
        job.start("worker", DMLC_NUM_WORKER=3)
        job.start("worker alone", DMLC_NUM_SERVER=0)
        job.start("server", DMLC_NUM_SERVER=2)
        job.told("worker", r"for a job of 3 workers and 1 servers \(DMLC_NUM_WORKER, DMLC_NUM_SERVER\), the scheduler's is of 2 and 1")
        job.told("worker alone", r"for a job of 2 workers and 0 servers")
        job.told("server", r"this server is for a job of 2 workers and 2 servers")


def other_slices():
    with Nodes().started("scheduler") as job:
        for name in ("worker", "server"):
            job.start(name, FLEXOR_PS_SLICE=65536)
        for name in ("worker", "server"):
            job.told(name, rf"slices of this {name} have 65536 bytes \(FLEXOR_PS_SLICE\), those of the scheduler 1048576")


def more_copies_than_servers():
    with Nodes() as job:
        job.start("scheduler", FLEXOR_PS_REPLICAS=1)
        job.told("scheduler", r"FLEXOR_PS_REPLICAS must be below the number of servers, 1; given 1")


def nothing_is_set():
    with Nodes() as job:
        job.start("worker", DMLC_PS_ROOT_PORT="")
        job.told("worker", "DMLC_PS_ROOT_PORT", "flexor-launch")
        job.start("scheduler", DMLC_NUM_WORKER="")
        job.told("scheduler", "DMLC_NUM_WORKER")
        job.start("server", DMLC_NUM_SERVER=0)
        job.told("server", "DMLC_NUM_SERVER=0")


def off_this_host_without_keys():
    with Nodes(DMLC_PS_ROOT_URI="192.0.2.1") as job:
        for name in ("scheduler", "server", "worker"):
            job.start(name)
        for name in ("scheduler", "server", "worker"):
            job.told(name, "192.0.2.1", "FLEXOR_PS_KEY")


def wrong_keys():
    """Keys of another job, of another role, none."""
    with Nodes(workers=1) as job:
        mine, other = (os.path.join(job.folder.name, n) for n in ("mine", "other"))
        for folder in (mine, other):
            subprocess.run([digits_job.PS, "keygen", folder, "-n", "1", "-s", "1"], check=True)
        job.start("scheduler", FLEXOR_PS_KEY_FILE=f"{mine}/scheduler.key", FLEXOR_PS_ALLOW=f"{mine}/allow", FLEXOR_PS_RENDEZVOUS=10 * LIMIT)
        with open(f"{mine}/scheduler.key", encoding="ascii") as f:
            public = next(line.split()[1] for line in f if line.startswith("public"))
        job.start("worker of another job", FLEXOR_PS_KEY_FILE=f"{other}/worker-0.key")
        job.start("worker not in the list", FLEXOR_PS_KEY_FILE=f"{other}/worker-0.key", FLEXOR_PS_SCHEDULER_KEY=public)
        job.start("worker with a server's key", FLEXOR_PS_KEY_FILE=f"{mine}/server-0.key")
        job.start("worker without")
        job.told("worker of another job", "scheduler", "key")
        job.told("worker not in the list", "FLEXOR_PS_ALLOW|the scheduler's list")
        job.told("worker with a server's key", "list does not allow this key to be a worker")
        job.told("worker without", "it may want keys, and this node has none|one side has keys and the other has not")
        job.start("worker", FLEXOR_PS_KEY_FILE=f"{mine}/worker-0.key")  # who may is not held up
        job.start("server", FLEXOR_PS_KEY_FILE=f"{mine}/server-0.key")
        for name in ("worker", "server", "scheduler"):
            job.well(name)


def known_when_time_is_up():
    """What only the end of the rendezvous shows; all at once, since each takes as long."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for case in [pool.submit(case) for case in (somebody_is_missing, nobody_listens, another_listens, another_job)]:
            case.result()


CASES = {case.__name__: case for case in (known_when_time_is_up, the_port_is_in_use, two_of_one_rank, other_numbers, other_slices, more_copies_than_servers, nothing_is_set,
                                          off_this_host_without_keys, wrong_keys)}
jobs.run(CASES, sys.argv[3:])

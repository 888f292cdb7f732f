# SPDX-License-Identifier: Apache-2.0
"""A cluster on one machine: the launcher and the scheduler in one network namespace, each server and worker in its own, links between them that can be cut, made lossy
and slow. All of it lives in namespaces of this process and its children, and ends with them."""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

SCHEDULER = "10.77.0.1"
INSIDE = "FLEXOR_TEST_NAMESPACE"
PR_SET_PDEATHSIG = 1


def enter():
    """This process anew in a namespace of its own; or why that cannot be."""
    if os.environ.get(INSIDE):
        return ""
    if os.geteuid() != 0:
        return "network namespaces are made by root"
    for tool in ("ip", "tc", "nft", "unshare", "nsenter"):
        if not shutil.which(tool):
            return f"there is no `{tool}` (packages iproute2, nftables, util-linux)"
    probe = "ip link add vx0 type veth peer name vx1 && ip link add bx0 type bridge && nft add table ip probe && nft 'add chain ip probe c { type filter hook input priority 0; }'"
    tried = subprocess.run(["unshare", "-n", "sh", "-c", probe], capture_output=True, text=True, check=False)
    if tried.returncode:
        return "this machine's kernel allows no namespaces, bridges or packet filters: " + " ".join(tried.stderr.split())
    os.execvpe("unshare", ["unshare", "-n", sys.executable, "-B", *sys.argv], {**os.environ, INSIDE: "1"})


class Host:
    """A namespace with one address; the scheduler's is the one we are in."""

    def __init__(self, name, address, libc=None):
        self.name, self.address, self.holder, self.hindered = name, address, None, False
        if address == SCHEDULER:
            return
        parent = os.getpid()

        def before():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        mine = os.readlink("/proc/self/ns/net")
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], preexec_fn=before)
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == mine:
            time.sleep(0.005)
        device = "v" + address.rsplit(".", 1)[1]
        call("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        call("ip", "link", "set", device, "master", "bridge0", "up")
        self.call("ip", "link", "set", "lo", "up")
        self.call("ip", "address", "add", address + "/24", "dev", "eth0")
        self.call("ip", "link", "set", "eth0", "up")

    def call(self, *command):
        call(*(["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"] if self.holder else []), *command)

    def rule(self, *rules):
        self.hindered = True
        self.call("nft", "add table ip faults; add chain ip faults out { type filter hook output priority 0; }; add chain ip faults in { type filter hook input priority 0; }; "
                  + "; ".join("add rule ip faults " + r for r in rules))

    def cut(self, *others, ways=("out", "in")):
        """Nothing reaches the others (out), nothing of theirs comes in (in)."""
        self.rule(*(f"{way} ip {'daddr' if way == 'out' else 'saddr'} {o.address} drop" for o in others for way in ways))

    def lose(self, percent):
        self.rule(*(f"{way} ip {'daddr' if way == 'out' else 'saddr'} 10.77.0.0/24 numgen random mod 100 < {percent} drop" for way in ("out", "in")))

    def slow(self):
        """Late, where the kernel can do it; else through a narrow pipe. Which it was."""
        for how in ("netem delay 30ms", "tbf rate 8mbit burst 16kb latency 400ms"):
            try:
                self.call("tc", "qdisc", "replace", "dev", "eth0", "root", *how.split())
                self.narrow = True
                return how
            except AssertionError as e:
                why = e
        raise why

    narrow = False

    def heal(self):
        if self.hindered:
            self.call("nft", "delete table ip faults")
        if self.narrow:
            self.call("tc", "qdisc", "del", "dev", "eth0", "root")
        self.hindered = self.narrow = False


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)


class Cluster:
    def __init__(self, folder, workers, servers):
        libc = ctypes.CDLL(None)
        call("ip", "link", "set", "lo", "up")
        call("ip", "link", "add", "bridge0", "type", "bridge")
        call("ip", "address", "add", SCHEDULER + "/24", "dev", "bridge0")
        call("ip", "link", "set", "bridge0", "up")
        self.scheduler = Host("scheduler", SCHEDULER)
        self.servers = [Host(f"server-{i}", f"10.77.0.{10 + i}", libc) for i in range(servers)]
        self.workers = [Host(f"worker-{i}", f"10.77.0.{20 + i}", libc) for i in range(workers)]
        self.hosts = [self.scheduler, *self.servers, *self.workers]
        self.wrap = os.path.join(folder, "enter")  # COMMAND...: on this node's host
        with open(self.wrap, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\ncase $DMLC_ROLE-$FLEXOR_PS_RANK in\n")
            for h in self.servers + self.workers:
                f.write(f'{h.name}) export DMLC_NODE_HOST={h.address}; exec nsenter --net=/proc/{h.holder.pid}/ns/net "$@" ;;\n')
            f.write('*) exec "$@" ;;\nesac\n')
        os.chmod(self.wrap, 0o700)

    def others(self, host):
        return [h for h in self.hosts if h is not host]

    def heal(self):
        for h in self.hosts:
            h.heal()

    def close(self):
        for h in self.servers + self.workers:
            h.holder.kill()
            h.holder.wait()

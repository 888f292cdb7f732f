#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flexor-launch -n WORKERS -s SERVERS command...: a job of the parameter server as processes of this machine.

The command is run once for each worker; servers and the scheduler are flexor-ps (or --program). Each line of output has its node's name before it.
Ctrl-C and other signals go to the workers. The exit status is the job's: 0 if every worker's was, else that of the first worker that failed (128 + signal).
Nothing stays behind, however the launcher ends: a keeper process watches it and ends what carries the job's mark in its environment.
docs/distributed.md tells more; docs/security.md says what --keys defends."""
import argparse
import ctypes
import errno
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

MARK = "FLEXOR_LAUNCH_JOB"
RESTART = "FLEXOR_LAUNCH_RESTART"  # how often this node was started again: a script may skip what the whole job does once
# What this launcher decides by MXNet's names (docs/options.md); an option's own name would overrule them.
OURS = ["FLEXOR_PS_" + n for n in ("ROLE", "ROOT_HOST", "ROOT_PORT", "WORKERS", "SERVERS", "HOST", "INTERFACE", "RANK")] + ["DMLC_INTERFACE", "DMLC_RANK"]
GRACE = 10.0  # seconds that the rest of a job has to end by itself, once its end is decided elsewhere
TERM = 3.0    # ... after SIGTERM, before SIGKILL
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT)
PR_SET_PDEATHSIG = 1


def marked(token):
    """Processes of this job, also those that left their process group."""
    wanted, found = f"{MARK}={token}".encode(), []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as f:
                    if wanted in f.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                pass  # another user's, or gone
    return found


def send(pid, number, group=False):
    try:
        (os.killpg if group else os.kill)(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def sweep(token):
    """Kills what is left; what is being started while we look is found by looking again."""
    end = time.monotonic() + 5
    while (left := marked(token)) and time.monotonic() < end:
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(0.02)


def keeper(token, folder):
    """Forks the process that cleans up when this one ends, however; returns the pipe whose end tells it."""
    watched, held = os.pipe()
    pid = os.fork()
    if pid:
        os.close(watched)
        return pid, held
    try:
        os.setsid()
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        os.close(held)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.read(watched, 1)  # until the launcher is gone
        sweep(token)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)


def reserve_port(host):
    """A port that nobody else is given; bound and not listening, so that the scheduler can bind it, too, also a second time."""
    family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    return s


def find_program():
    here = os.path.dirname(os.path.realpath(__file__))
    for path in (os.path.join(here, "flexor-ps"), os.path.join(here, "..", "build", "release", "ps-lite", "program", "flexor-ps"), shutil.which("flexor-ps")):
        if path and os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.realpath(path)
    sys.exit("flexor-launch: there is no flexor-ps beside it, in build/release or on the PATH; name it by --program")


class Node:
    def __init__(self, role, rank, command, env):
        self.role, self.rank, self.command, self.env = role, rank, command, env
        self.name = role if role == "scheduler" else f"{role} {rank}"
        self.process, self.status, self.restarts, self.rest = None, None, 0, {}

    def start(self, job):
        parent, libc = os.getpid(), job.libc

        def before():  # in the child: it ends with the launcher
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        self.status = None
        self.process = subprocess.Popen(self.command, env={**self.env, RESTART: str(self.restarts)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=before)
        for pipe, to in ((self.process.stdout, 1), (self.process.stderr, 2)):
            os.set_blocking(pipe.fileno(), False)
            self.rest[pipe] = b""
            job.selector.register(pipe, selectors.EVENT_READ, (self, to))

    def running(self):
        return self.process is not None and self.status is None

    def signal(self, number):
        if self.running():
            send(self.process.pid, number, group=True)


class Job:
    def __init__(self, options, folder, token):
        self.options, self.token = options, token
        self.libc = ctypes.CDLL(None)
        self.selector = selectors.DefaultSelector()
        self.caught, self.result, self.deadline, self.interrupted, self.hard, self.broken = [], None, None, False, False, False
        self.port = reserve_port(options.host)
        program = shlex.split(options.program) if options.program else [find_program()]
        env = {**os.environ, **dict(pair.split("=", 1) for pair in options.env), MARK: token, "DMLC_PS_ROOT_URI": options.host, "DMLC_PS_ROOT_PORT": str(self.port.getsockname()[1]),
               "DMLC_NUM_WORKER": str(options.workers), "DMLC_NUM_SERVER": str(options.servers), "DMLC_NODE_HOST": options.host, "FLEXOR_PS_JOB": token}
        for name in OURS:
            env.pop(name, None)
        env.setdefault("PYTHONUNBUFFERED", "1")
        if options.elastic:
            env.setdefault("FLEXOR_PS_POLICY", "continue")
            env.setdefault("FLEXOR_PS_REPLICAS", str(min(1, max(options.servers or options.workers, 1) - 1)))
        if options.keys:
            subprocess.run([find_program() if options.program else program[0], "keygen", folder, "-n", str(options.workers), "-s", str(options.servers)], check=True)
            for name in ("FLEXOR_PS_KEY", "FLEXOR_PS_SCHEDULER_KEY"):
                env.pop(name, None)
        self.nodes = [self.node("scheduler", 0, program + ["scheduler"], env, folder)]
        self.nodes += [self.node("server", i, program + ["server"], env, folder) for i in range(options.servers)]
        self.nodes += [self.node("worker", i, options.command, env, folder) for i in range(options.workers)]

    def node(self, role, rank, command, env, folder):
        own = {"DMLC_ROLE": role}
        if role != "scheduler":
            own["FLEXOR_PS_RANK"] = str(rank)
        if self.options.keys:
            own["FLEXOR_PS_KEY_FILE"] = os.path.join(folder, "scheduler.key" if role == "scheduler" else f"{role}-{rank}.key")
            if role == "scheduler":
                own["FLEXOR_PS_ALLOW"] = os.path.join(folder, "allow")
        return Node(role, rank, command, {**env, **own})

    def workers(self):
        return [n for n in self.nodes if n.role == "worker"]

    def write(self, to, data):
        while data and not self.broken:
            try:
                data = data[os.write(to, data):]
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # nobody reads us any more
                self.broken = True
                self.caught.append(signal.SIGHUP)

    def say(self, text):
        self.write(2, f"[launch] {text}\n".encode())

    def read(self, pipe, node, to):
        try:
            data = os.read(pipe.fileno(), 1 << 16)
        except BlockingIOError:
            return
        lines = (node.rest[pipe] + data).split(b"\n")
        if data:
            node.rest[pipe] = lines.pop() if len(lines[-1]) < 1 << 20 else b""
        elif not lines[-1]:
            lines.pop()
        self.write(to, b"".join(b"[%s] %s\n" % (node.name.encode(), line) for line in lines))
        if not data:
            self.selector.unregister(pipe)
            pipe.close()
            del node.rest[pipe]

    def end(self, status, seconds, tell=None):
        """The job's end is decided: what runs has so long, then it is told, then killed."""
        if self.result is None:
            self.result = status
        if self.deadline is None:
            self.deadline = time.monotonic() + seconds
        for node in self.nodes:
            if tell is not None and node.role == "worker":
                node.signal(tell)

    def ended(self, node):
        status = node.status = 128 - node.process.returncode if node.process.returncode < 0 else node.process.returncode
        for pipe in list(node.rest):  # what it wrote last; a child of its own may hold the pipe still
            while pipe in node.rest and self.selector.get_key(pipe) and self.readable(pipe):
                self.read(pipe, node, self.selector.get_key(pipe).data[1])
        if status == 0 or self.hard:
            return
        how = f"was ended by {signal.Signals(status - 128).name}" if node.process.returncode < 0 else f"ended with status {status}"
        if self.deadline is None and node.restarts < self.options.restarts:
            node.restarts += 1
            self.say(f"{node.name} {how}; it is started again ({node.restarts} of {self.options.restarts})")
            return node.start(self)
        self.say(f"{node.name} {how}")
        if self.options.elastic or self.result is not None:
            return
        if node.role == "worker":
            self.end(status, 0)
        else:
            self.end(status, GRACE)  # the workers find out, and say what it means

    @staticmethod
    def readable(pipe):
        with selectors.PollSelector() as s:
            s.register(pipe, selectors.EVENT_READ)
            return bool(s.select(0))

    def handle(self, number):
        if number in ENDING:
            if self.interrupted:
                self.deadline, self.hard = 0, True  # asked twice
            else:
                self.interrupted, self.deadline, self.result = True, None, 128 + number
                self.end(128 + number, TERM, tell=number)
        else:
            for node in self.workers():
                node.signal(number)

    def run(self):
        awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.selector.register(awake, selectors.EVENT_READ, None)
        for number in ENDING + PASSED_ON:
            if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGTERM:
                signal.signal(number, lambda n, _: self.caught.append(signal.Signals(n)))
        signal.signal(signal.SIGCHLD, lambda n, _: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for node in self.nodes:
            if self.caught:
                break
            try:
                node.start(self)
            except OSError as e:
                self.say(f"{node.name}: {node.command[0]}: {e.strerror}")
                self.end(127 if e.errno == errno.ENOENT else 126, 0)
                break
        told = False
        while True:
            for node in self.nodes:
                if node.running() and node.process.poll() is not None:
                    self.ended(node)
            while self.caught:
                self.handle(self.caught.pop(0))
            if not any(n.running() for n in self.nodes):
                break
            if self.deadline is None and not any(n.running() for n in self.workers()):
                self.end(self.outcome(), GRACE)
            now = time.monotonic()
            if self.interrupted and not told and not any(n.running() for n in self.workers()):
                self.deadline = 0  # nothing to wait for
            if self.deadline is not None and now >= self.deadline:
                left = [n.name for n in self.nodes if n.running()]
                if not told and self.result == 0:
                    self.say(f"the workers are done, and not ended yet: {', '.join(left)}; told to")
                for node in self.nodes:
                    node.signal(signal.SIGKILL if told or self.hard else signal.SIGTERM)
                told, self.deadline = True, now + TERM
            wait = 0.5 if self.deadline is None else max(0.0, min(0.5, self.deadline - now))
            for key, _ in self.selector.select(wait):
                if key.data is None:
                    try:
                        os.read(awake, 4096)
                    except BlockingIOError:
                        pass
                elif key.fileobj in key.data[0].rest:
                    self.read(key.fileobj, *key.data)
        return self.outcome() if self.result is None else self.result

    def outcome(self):
        failed = [n.status for n in self.workers() if n.status]
        good = any(n.status == 0 for n in self.workers())
        return failed[0] if failed and not (self.options.elastic and good) else 0


def main():
    parser = argparse.ArgumentParser(prog="flexor-launch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--num-workers", dest="workers", type=int, required=True, help="workers: how often the command is run")
    parser.add_argument("-s", "--num-servers", dest="servers", type=int, default=1, help="servers (1); 0: the workers' processes hold the keys")
    parser.add_argument("--launcher", choices=["local"], default="local", help=argparse.SUPPRESS)
    parser.add_argument("--keys", action="store_true", help="make keys for this job: every link is authenticated and encrypted")
    parser.add_argument("--host", default="127.0.0.1", help="the address of this machine that the nodes use (127.0.0.1); any other needs --keys")
    parser.add_argument("--elastic", action="store_true", help="the loss of a node does not end the job (FLEXOR_PS_POLICY=continue, FLEXOR_PS_REPLICAS=1)")
    parser.add_argument("--restarts", type=int, default=0, metavar="N", help="start a node that failed again, up to N times each")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for every node")
    parser.add_argument("--program", metavar="COMMAND", help="what servers and the scheduler are, in place of flexor-ps; the role is added")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the workers' command")
    options = parser.parse_args()
    if options.command[:1] == ["--"]:
        options.command = options.command[1:]
    if not options.command:
        parser.error("a command for the workers is wanted")
    if not 1 <= options.workers <= 1024 or not 0 <= options.servers <= 1024:
        parser.error("1 to 1024 workers and 0 to 1024 servers can be had")
    if any("=" not in pair for pair in options.env):
        parser.error("--env wants NAME=VALUE")
    token, folder = uuid.uuid4().hex, tempfile.mkdtemp(prefix="flexor-launch-")
    pid, held = keeper(token, folder)
    os.set_inheritable(held, False)
    status = 1
    try:
        status = Job(options, folder, token).run()
    except subprocess.CalledProcessError as e:
        print(f"[launch] keys could not be made: status {e.returncode}", file=sys.stderr)
    finally:
        sweep(token)
        os.close(held)
        os.waitpid(pid, 0)
    sys.exit(status)


if __name__ == "__main__":
    main()

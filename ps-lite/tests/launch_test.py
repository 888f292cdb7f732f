# SPDX-License-Identifier: Apache-2.0
"""launch_test.py LAUNCH [FLEXOR_PS]: the launcher with scripts in place of servers and scheduler; with FLEXOR_PS, keys too."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PS = sys.argv[2] if len(sys.argv) > 2 else ""
work = tempfile.mkdtemp()
LAUNCH = shutil.copy(sys.argv[1], os.path.join(work, "flexor-launch"))
if PS:  # it is looked for beside the launcher
    os.symlink(os.path.abspath(PS), os.path.join(work, "flexor-ps"))
temporary = os.path.join(work, "tmp")
os.mkdir(temporary)
# A server or scheduler that ends when every worker has, as the real ones do: each worker leaves a file.
NODE = f"""import os, sys, time, glob
print("I am", sys.argv[1], flush=True)
end = time.time() + 60
while len(glob.glob({work!r} + "/done-" + os.environ["FLEXOR_PS_JOB"] + "-*")) < int(os.environ["DMLC_NUM_WORKER"]) and time.time() < end: time.sleep(0.02)
"""
with open(os.path.join(work, "node.py"), "w") as f:
    f.write(NODE)
DONE = f'touch {work}/done-$FLEXOR_PS_JOB-$FLEXOR_PS_RANK'
PROGRAM = f"{sys.executable} {work}/node.py"
ENV = {**{k: v for k, v in os.environ.items() if not k.startswith(("FLEXOR_PS", "DMLC_"))}, "TMPDIR": temporary}


def command(*arguments, program=PROGRAM):
    return [sys.executable, LAUNCH, *(["--program", program] if program else []), *arguments]


def launch(*arguments, program=PROGRAM, **more):
    return subprocess.run(command(*arguments, program=program), env=ENV, capture_output=True, text=True, timeout=60, **more)


def start(*arguments, program=PROGRAM):
    return subprocess.Popen(command(*arguments, program=program), env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition(), "it did not happen"


def alive(path):
    """Of the processes that wrote their numbers into `path`, one a line, those that run."""
    with open(path) as f:
        pids = [int(line) for line in f if line.strip()]
    found = []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] not in "ZX":
                    found.append(pid)
        except OSError:
            pass
    return pids and found


def outputs_and_settings():
    r = launch("-n", "2", "-s", "2", "sh", "-c", f"echo $DMLC_ROLE $FLEXOR_PS_RANK $DMLC_NUM_WORKER $DMLC_NUM_SERVER; echo oops >&2; printf 'no end'; {DONE}")
    assert r.returncode == 0, r
    lines = r.stdout.splitlines()
    for line in ("[worker 0] worker 0 2 2", "[worker 1] worker 1 2 2", "[server 0] I am server", "[server 1] I am server", "[scheduler] I am scheduler", "[worker 0] no end"):
        assert line in lines, (line, lines)
    assert sorted(r.stderr.splitlines()) == ["[worker 0] oops", "[worker 1] oops"], r.stderr


def the_first_failure_is_the_jobs():
    begin = time.monotonic()
    r = launch("-n", "3", "sh", "-c", f"echo $$ >> {work}/failing; [ $FLEXOR_PS_RANK = 1 ] && sleep 0.3 && exit 7; exec sleep 60")
    assert r.returncode == 7 and "worker 1 ended with status 7" in r.stderr, r
    assert time.monotonic() - begin < 45 and not alive(f"{work}/failing")
    r = launch("-n", "1", "sh", "-c", "kill -SEGV $$")
    assert r.returncode == 128 + signal.SIGSEGV and "SIGSEGV" in r.stderr, r


def a_command_that_is_not_there():
    r = launch("-n", "1", "/nowhere/at/all")
    assert r.returncode == 127 and "/nowhere/at/all" in r.stderr, r
    assert launch("-n", "0", "true").returncode == 2 and launch("-n", "1").returncode == 2


def signals_are_passed_on():
    p = start("-n", "2", sys.executable, "-c", "import signal, time, sys, os\nsignal.signal(signal.SIGINT, lambda *_: (print('interrupted', flush=True), sys.exit(9)))\n"
              f"signal.signal(signal.SIGUSR1, lambda *_: print('one', flush=True))\nopen('{work}/ready', 'a').write(str(os.getpid()) + '\\n')\nwhile True: time.sleep(0.05)")
    until(lambda: os.path.exists(f"{work}/ready") and len(open(f"{work}/ready").readlines()) == 2)
    p.send_signal(signal.SIGUSR1)
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=30)
    assert p.returncode == 130, p.returncode
    assert out.count("interrupted") == 2 and out.count("one\n") == 2, out
    assert not alive(f"{work}/ready")


def nothing_outlives(how):
    """The launcher is ended in a way it cannot see; grandchildren that left their group and ignore signals are there."""
    pids = f"{work}/pids-{how}"
    p = start("-n", "2", "sh", "-c", f"trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM INT HUP; echo $$ >> {pids}; while :; do sleep 0.1; done' & echo $$ >> {pids}; while :; do sleep 0.1; done")
    until(lambda: os.path.exists(pids) and len(open(pids).readlines()) == 4)
    if how == "kill":
        p.kill()
    elif how == "lost":  # nobody reads its output any more; it notices when it writes
        p.stdout.close()
        p.stderr.close()
        p.send_signal(signal.SIGHUP)
    else:
        p.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        p.send_signal(signal.SIGTERM)
    p.wait(timeout=30)
    until(lambda: not alive(pids))
    until(lambda: not os.listdir(temporary))


def nodes_are_started_again():
    r = launch("-n", "1", "--restarts", "2", "sh", "-c", f"echo again >> {work}/tries; [ $(wc -l < {work}/tries) -lt 3 ] && kill -9 $$; {DONE}")
    assert r.returncode == 0 and r.stderr.count("started again") == 2, r
    r = launch("-n", "1", "--restarts", "1", "sh", "-c", "exit 4")
    assert r.returncode == 4, r


def an_elastic_job_goes_on():
    r = launch("-n", "2", "--elastic", "sh", "-c", f"{DONE}; echo $FLEXOR_PS_POLICY; [ $FLEXOR_PS_RANK = 1 ] && kill -9 $$; sleep 0.5; echo through")
    assert r.returncode == 0 and "[worker 0] through" in r.stdout and "[worker 0] continue" in r.stdout and "worker 1 was ended by SIGKILL" in r.stderr, r


def the_port_is_this_jobs():
    bind = ("import os, socket, time\ns = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
            "s.bind((os.environ['DMLC_PS_ROOT_URI'], int(os.environ['DMLC_PS_ROOT_PORT'])))\ns.listen()\nprint('port', s.getsockname()[1], flush=True)\ntime.sleep(0.5)\n")
    with open(f"{work}/bind.py", "w") as f:
        f.write("import sys\nif sys.argv[1] == 'scheduler':\n" + "".join("    " + line + "\n" for line in bind.splitlines()))
    jobs = [start("-n", "1", "sleep", "0.5", program=f"{sys.executable} {work}/bind.py") for _ in range(6)]
    ports = []
    for p in jobs:
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0, (out, err)
        ports += re.findall(r"port (\d+)", out)
    assert len(set(ports)) == 6, ports


def keys_are_the_jobs():
    r = launch("-n", "2", "-s", "1", "--keys", "sh", "-c", f"stat -c %a $FLEXOR_PS_KEY_FILE; cat $FLEXOR_PS_KEY_FILE; dirname $FLEXOR_PS_KEY_FILE; echo allow=$FLEXOR_PS_ALLOW; {DONE}",
               program=f"sh -c 'cat $FLEXOR_PS_ALLOW; exec {PROGRAM} $0'")
    assert r.returncode == 0, r
    mine = [line.split("] ", 1)[1] for line in r.stdout.splitlines() if line.startswith("[worker 1] ")]
    assert mine[0] == "600" and mine[-1] == "allow=", mine
    key = next(line.split()[1] for line in mine if line.startswith("public "))
    assert f"[scheduler] worker {key} worker-1" in r.stdout.splitlines(), r.stdout
    assert not os.path.exists(mine[-2]), mine[-2]


def named(name, test):
    test.__name__ = name
    return test


TESTS = [outputs_and_settings, the_first_failure_is_the_jobs, a_command_that_is_not_there, signals_are_passed_on, 
         *(named("nothing_outlives_" + how, lambda how=how: nothing_outlives(how)) for how in ("kill", "lost", "term")), nodes_are_started_again, an_elastic_job_goes_on, the_port_is_this_jobs]
if PS:
    TESTS.append(keys_are_the_jobs)
passed = failed = 0
for test in TESTS:
    begin = time.monotonic()
    try:
        test()
        passed += 1
    except Exception as e:  # every failure is told
        failed += 1
        print(f"FAILED {test.__name__}: {type(e).__name__} {e}")
    print(f"{test.__name__}: {time.monotonic() - begin:.1f} s")
shutil.rmtree(work, ignore_errors=True)
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)

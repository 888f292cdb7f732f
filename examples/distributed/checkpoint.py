# SPDX-License-Identifier: Apache-2.0
"""A loop of one's own that survives the loss of a server's values, and of the whole job.

    flexor-launch -n 2 -s 2 --restarts 1 --env FLEXOR_PS_POLICY=rollback --env FLEXOR_PS_CHECKPOINT=/tmp/lines --env FLEXOR_PS_RESUME=1 python checkpoint.py --lose 35

Each server writes its part to /tmp/lines.<shard>.<number> every ten steps. With --lose the first worker kills a server; the launcher starts it again, the job goes back to its
last checkpoint, and the result is what it would have been. Started again after it was interrupted, the job goes on from its last checkpoint."""
import argparse
import os
import signal

import numpy as np

import flexor as fx
from flexor import nd

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--every", type=int, default=10, help="steps between checkpoints")
parser.add_argument("--lose", type=int, default=-1, help="the step at which the first worker kills a server")
parser.add_argument("--stop", type=int, default=-1, help="the step at which the first worker ends the job by force")
options = parser.parse_args()


def server_process(rank):
    """The process of this job, on this machine, that is the server of this rank."""
    wanted = {b"DMLC_ROLE=server", b"FLEXOR_PS_RANK=%d" % rank, b"FLEXOR_LAUNCH_JOB=" + os.environ["FLEXOR_LAUNCH_JOB"].encode()}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as environ:
                if wanted <= set(environ.read().split(b"\0")):
                    return int(name)
        except OSError:
            pass  # another user's, or gone
    raise SystemExit("the server is not on this machine")


random = np.random.RandomState(1)
x = random.standard_normal((512, 6)).astype(np.float32)
wanted = np.arange(6, dtype=np.float32)
y = x @ wanted + 0.01 * random.standard_normal(512).astype(np.float32)

store = fx.Store("dist_sync", aggregate="mean")
first = store.rank == 0
weight, bias = nd.zeros(6), nd.zeros(1)
store.init(["weight", "bias"], [weight, bias])  # what a checkpoint has stays as it is
store.set_optimizer(fx.SGD(0.05, momentum=0.5))
store.barrier()
step = int(store.stats()["returned_to"])  # 0, or where the job goes on: each step pushes every key once, so the round of a key is the number of steps
print(f"worker {store.rank} begins at step {step}", flush=True)
pulled = False
while True:
    try:
        if not pulled:
            store.pull(["weight", "bias"], out=[weight, bias])
            pulled = True
        if step == options.steps:
            store.finish()
            break
        if first and step % options.every == 0:
            store.checkpoint()
        if first and step == options.lose:
            options.lose = -1
            os.kill(server_process(1), signal.SIGKILL)
        if first and step == options.stop:
            os._exit(1)
        rows = np.arange(32) * 16 + step % 8 * 2 + store.rank
        error = x[rows] @ weight.asnumpy() + bias.asnumpy() - y[rows]
        store.push_pull(["weight", "bias"], [nd.array(x[rows].T @ error / 32), nd.array(error.mean(keepdims=True))], out=[weight, bias], samples=32)
        weight.asnumpy()  # an error of the push or pull is raised here
        step += 1
    except fx.RolledBackError:
        step = store.recover()
        pulled = False
        print(f"worker {store.rank}: the job went back to step {step}", flush=True)
print(f"worker {store.rank}: weight {' '.join(w.hex() for w in weight.asnumpy().tolist())}, off by {np.abs(weight.asnumpy() - wanted).max():.4f}", flush=True)

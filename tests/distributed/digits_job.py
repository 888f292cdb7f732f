# SPDX-License-Identifier: Apache-2.0
"""The job of faults_test.py and network_test.py: digits_worker, servers and scheduler are flexor-ps, copies are kept, the loss of a node is survived."""
import functools
import os
import re
import shlex
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "ps-lite", "tests"))
import jobs  # noqa: E402

PS, WORKER = (os.path.abspath(path) for path in sys.argv[1:3])
DATA = os.path.join(ROOT, "examples", "data", "digits")


class DigitsJob(jobs.Job):
    def __init__(self, optimizer, steps, *options, pause=10, last=0, workers=4, servers=2, wrap="", **env):
        beat = 1.0 * jobs.SLOW  # a machine that is busy for a moment is not silence
        self.silence, self.workers, self.optimizer, self.steps = 3 * beat, workers, optimizer, steps
        env = {"FLEXOR_PS_HEARTBEAT": beat, "FLEXOR_PS_REPLICAS": 1, "FLEXOR_PS_TIMEOUT": 60 * jobs.SLOW, "FLEXOR_PS_RENDEZVOUS": 30 * jobs.SLOW,
               "MXNET_KVSTORE_BIGARRAY_BOUND": 10000, "FLEXOR_PS_SLICE": 65536,  # so that the largest weight lies on both servers, in slices
               "OMP_NUM_THREADS": 1, **env}
        program = f"{wrap} sh -c 'echo pid $$; exec {shlex.quote(PS)} $0'"
        super().__init__([*shlex.split(wrap), WORKER, DATA, optimizer, str(steps), str(int(pause * jobs.SLOW)), str(last)], workers, servers, "--elastic", *options, program=program.strip(), **env)

    def everybody_at(self, step, seconds=100):
        for w in range(self.workers):
            self.wait(rf"^\[worker {w}\] step {step} ", seconds=seconds)

    def counts(self, worker):
        return [[int(n) for n in text.split()] for text in self.texts(rf"^\[worker {worker}\] step \d+ counts ([\d ]+)$")]

    def step_of(self, worker):
        return max((int(n) for n in self.texts(rf"^\[worker {worker}\] step (\d+) ")), default=0)

    def in_time(self):
        """The step of now, which is before the last ones, or the fault came too late to tell anything."""
        step = self.step_of(0)
        assert step < self.steps - 10, f"step {step} of {self.steps} already"
        return step

    def good_end(self, workers=None):
        """The job ended well for these workers, with the same weights: their bits, and the accuracy."""
        assert self.end() == 0, self.tail()
        finals = {w: rest for w, rest in self.texts(r"^\[worker (\d+)\] weights (.*)$")}
        want = [str(w) for w in (workers or range(self.workers))]
        assert sorted(finals) == want and len(set(finals.values())) == 1, (finals, self.tail())
        bits, accuracy = re.fullmatch(r"(\w+) accuracy ([\d.]+)", finals[want[0]]).groups()
        return bits, float(accuracy)

    def bitwise_undisturbed(self):
        found, want = self.good_end(), undisturbed(self.optimizer, self.steps)
        assert found == want, (found, want, self.tail())

    def the_others_went_on(self, lost):
        """What the lost one pushed counts once: as often as it was told, or once more, if it was lost before it heard."""
        left = [w for w in range(self.workers) if w != lost]
        accuracy = self.good_end(left)[1]
        told, counted = self.step_of(lost), self.counts(left[0])[-1][lost]
        assert counted in (told, told + 1), (counted, told)
        for w in left:
            for step, counts in enumerate(self.counts(w), 1):
                assert counts == [min(step, counted) if x == lost else step for x in range(self.workers)], (w, step, counts)
        want = undisturbed("SGD", self.steps)[1]
        assert abs(accuracy - want) <= 0.5, (accuracy, want)


@functools.lru_cache(maxsize=None)
def undisturbed(optimizer, steps, replicas=1):
    """The weights' bits and the accuracy, over loopback."""
    with DigitsJob(optimizer, steps, pause=0, FLEXOR_PS_REPLICAS=replicas) as job:
        return job.good_end()

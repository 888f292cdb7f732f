# SPDX-License-Identifier: Apache-2.0
"""What the tests share: programs in processes of their own."""
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def program():
    """program(text, *args, env=None, **more): runs `text` as a Python program of its own and gives what subprocess.run does; fails if the program does."""
    def run(text, *args, env=None, fails=False, **more):
        done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", text, *args], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **(env or {})}, **more)
        assert fails or done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done
    return run

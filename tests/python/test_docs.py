# SPDX-License-Identifier: Apache-2.0
"""The code of docs/python.md runs, all blocks in one go."""
import re
from pathlib import Path


def test_the_code_of_the_page(capsys):
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) >= 4
    exec(compile("\n".join(blocks), "docs/python.md", "exec"), {"__name__": "docs"})  # noqa: S102
    assert "epoch" in capsys.readouterr().out

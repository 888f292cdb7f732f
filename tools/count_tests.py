#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""count_tests.py DIR STATUS: how many tests ran. DIR holds ctest's JUnit file and one XML file for each GoogleTest program and each file of pytest's; STATUS is
ctest's exit status. Another program (a file of testthat's, too) may end its output with `N passed, N failed, N skipped` and say `FAILED what`, `SKIPPED why`; otherwise it counts as one test.
Prints what failed and why something was skipped, then `N passed, N failed, N skipped`. A program that died counts as a failure.
`--self-test` counts a made-up run."""
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ET


def count(folder, status):
    passed = failed = skipped = 0
    for test in ET.parse(os.path.join(folder, "ctest.junit")).getroot().iter("testcase"):
        name, state = test.get("name"), test.get("status")
        cases = os.path.join(folder, name + "_test.xml")
        if state in ("notrun", "disabled"):
            reason = test.find("skipped")
            print(f"skipped {name}: {reason.get('message') if reason is not None else state}")
            skipped += 1
            continue
        bad = good = 0
        if os.path.exists(cases):
            try:
                for case in ET.parse(cases).getroot().iter("testcase"):
                    full = f"{name}: {case.get('classname')}.{case.get('name')}"
                    if case.find("failure") is not None or case.find("error") is not None:
                        bad += 1
                        print("failed ", full)
                    elif (why := case.find("skipped")) is not None:
                        skipped += 1
                        text = (why.get("message") or why.text or "").strip().split("\n")
                        print(f"skipped {full}: {' '.join(t for t in text if t and '.cc:' not in t)}")
                    elif case.get("status", "run") == "run":  # pytest's have none
                        good += 1
            except ET.ParseError:
                bad = 0  # the program died while it wrote
        else:
            out = test.findtext("system-out") or ""
            told = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", out, re.M)
            if told:
                good, bad = int(told[-1][0]), int(told[-1][1])
                skipped += int(told[-1][2] or 0)
                for why in re.findall(r"^SKIPPED (.+)$", out, re.M):
                    print(f"skipped {name}: {why}")
                if bad:
                    print("failed ", name, ":", "; ".join(re.findall(r"^FAILED (.+)$", out, re.M)))
            else:
                good = 1 if state == "run" else 0
        if state != "run" and bad == 0:
            bad = 1  # died, timed out, leaked: its cases do not tell
            print("failed ", name)
        passed, failed = passed + good, failed + bad
    if status != 0 and failed == 0:
        failed = 1
        print("failed  ctest itself, status", status)
    return passed, failed, skipped


def main(folder, status):
    passed, failed, skipped = count(folder, status)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0


def self_test():
    run = """<testsuite>
<testcase name="good" status="run"/>
<testcase name="script" status="run"/>
<testcase name="bad" status="fail"/>
<testcase name="died" status="fail"/>
<testcase name="leaked" status="fail"/>
<testcase name="pytest" status="fail"/>
<testcase name="told" status="fail"><system-out>passed x
FAILED y
3 passed, 1 failed
</system-out></testcase>
<testcase name="left_out" status="run"><system-out>SKIPPED no room
2 passed, 0 failed, 1 skipped</system-out></testcase>
<testcase name="absent" status="notrun"><skipped message="SKIP_RETURN_CODE=4"/></testcase>
</testsuite>"""
    cases = {
        "good": '<testcase name="a" status="run"/><testcase name="b" status="run"><skipped message="f.cc:3&#x0A;no room"/></testcase>',
        "bad": '<testcase name="a" status="run"/><testcase name="b" status="run"><failure message="x"/></testcase>',
        "died": None,
        "leaked": '<testcase name="a" status="run"/>',
        "pytest": '<testcase name="a"/><testcase name="b"><skipped message="no sklearn"/></testcase><testcase name="c"><error message="x"/></testcase>',
    }
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "ctest.junit"), "w", encoding="utf-8") as f:
            f.write(run)
        for name, body in cases.items():
            with open(os.path.join(folder, name + "_test.xml"), "w", encoding="utf-8") as f:
                f.write("<testsuites><testsuite name='t'>" + (body + "</testsuite></testsuites>" if body is not None else ""))
        got = count(folder, 8)
    want = (1 + 1 + 1 + 1 + 3 + 2 + 1, 1 + 1 + 1 + 1 + 1, 1 + 1 + 1 + 1)
    print(got, "as expected" if got == want else f"instead of {want}")
    return 0 if got == want else 1


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(sys.argv[1], int(sys.argv[2])))

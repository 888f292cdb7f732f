#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""count_tests.py DIR STATUS: how many tests ran. DIR holds ctest's JUnit file and one XML file per GoogleTest program; STATUS is ctest's exit status.
Prints what failed and why something was skipped, then `N passed, N failed, N skipped`. A program that died counts as one failure."""
import os
import sys
import xml.etree.ElementTree as ET


def main(folder, status):
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
                    if case.find("failure") is not None:
                        bad += 1
                        print("failed ", full)
                    elif (why := case.find("skipped")) is not None:
                        skipped += 1
                        text = (why.get("message") or why.text or "").strip().split("\n")
                        print(f"skipped {full}: {' '.join(t for t in text if t and '.cc:' not in t)}")
                    elif case.get("status") == "run":
                        good += 1
            except ET.ParseError:
                bad = 0  # the program died while it wrote
        else:
            good = 1 if state == "run" else 0
        if state != "run" and bad == 0:
            bad = 1  # died, timed out, leaked: its cases do not tell
            print("failed ", name)
        passed, failed = passed + good, failed + bad
    if status != 0 and failed == 0:
        failed = 1
        print("failed  ctest itself, status", status)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""features.py ROOT [--write]: README's table of what each language has is that of tests/bindings/features.txt, and the tests named there exist. --write writes the table.
features.py --self-test: that each rule finds what it is for."""
import os
import re
import sys
import tempfile

LANGUAGES = ["C", "C++", "Python", "R", "Julia", "Scala"]
BEGIN, END = "<!-- made by tests/bindings/features.py --write -->\n", "<!-- end of what is made -->\n"
# How a test called NAME is written in a file with this ending; in a runner of the shared cases it is a command.
WRITTEN = {".py": r"^def {}\(", ".R": r"^test_that\({}, \{{", ".jl": r"^ *@testset {} begin", ".scala": r"@Test def {}\(", ".c": r"^(static )?void {}\(void\)", ".cc": r"^TEST\({}\)"}
# A test without a name is a whole program or script: what runs it names it, or its folder.
WHOLE = ("examples/", "tests/")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def features(text):
    """[(feature, {language: test or "- reason"})], and what is wrong with the table."""
    found, faults = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            found.append((line.strip(), {}))
            continue
        language, _, shown = line.strip().partition(" ")
        if not found or language not in LANGUAGES or not shown.strip() or language in found[-1][1]:
            faults.append(f"features.txt:{number}: expected each of {', '.join(LANGUAGES)} once below a feature, with a test or `- REASON`, given `{line.strip()}`.")
            continue
        found[-1][1][language] = shown.strip()
    faults += [f"features.txt: `{feature}` says nothing of {language}." for feature, shown in found for language in LANGUAGES if language not in shown]
    names = [feature for feature, _ in found]
    return found, faults + [f"features.txt: `{n}` stands twice." for n in sorted({n for n in names if names.count(n) > 1})]


def pattern(path, name):
    """What a test's definition looks like in the file."""
    ending = os.path.splitext(path)[1]
    if "/shared/run." in path:
        return rf'"{re.escape(name)}"|^ *{re.escape(name)} = '
    text = re.escape(name)
    if ending in (".R", ".jl"):
        text = f'"{text}"'
    if ending == ".cc":
        text = re.escape(name.replace(".", ", ", 1))
    return WRITTEN[ending].format(text)


def missing(root, shown, tests):
    """Why a test that is named is none; empty if it is one."""
    path, _, name = shown.partition(":")
    whole = os.path.join(root, path)
    if not os.path.isfile(whole):
        return f"there is no file {path}."
    if name:
        if not re.search(pattern(path, name), read(whole), re.M):
            return f"{path} has no test `{name}`."
        return ""
    folder, stem = os.path.dirname(path), os.path.splitext(os.path.basename(path))[0]
    if not path.startswith(WHOLE) or not re.search(rf"\b{re.escape(stem)}\b|{re.escape(folder)}(?![\w/])", tests):
        return f"no file CMakeLists.txt of the tests runs {path}."
    return ""


def faults_of(root, found):
    tests = "".join(read(os.path.join(d, n)) for d, _, names in os.walk(os.path.join(root, "tests")) for n in names if n == "CMakeLists.txt")
    out = []
    for feature, shown in found:
        for language, text in shown.items():
            why = "" if text.startswith("- ") else missing(root, text, tests)
            out += [f"features.txt: `{feature}`, {language}: {why}"] if why else []
    return out


def table(found):
    """README's table: yes, or the letter of a reason below it."""
    reasons, rows = [], []
    for feature, shown in found:
        cells = []
        for language in LANGUAGES:
            text = shown[language]
            if not text.startswith("- "):
                cells.append("yes")
                continue
            if text[2:] not in reasons:
                reasons.append(text[2:])
            cells.append(f"no ({reasons.index(text[2:]) + 1})")
        rows.append(f"| {feature} | {' | '.join(cells)} |")
    head = ["| | " + " | ".join(LANGUAGES) + " |", "|---|" + "---|" * len(LANGUAGES)]
    return "\n".join(head + rows) + "\n\n" + "".join(f"{k}. {r}\n" for k, r in enumerate(reasons, 1))


def place(readme):
    """Where the made part begins and ends."""
    begin, end = readme.find(BEGIN), readme.find(END)
    return (begin + len(BEGIN), end) if 0 <= begin < end else None


def check(root, write=False):
    found, faults = features(read(os.path.join(root, "tests", "bindings", "features.txt")))
    faults = faults or faults_of(root, found)
    path = os.path.join(root, "README.md")
    readme = read(path)
    where = place(readme)
    if not where:
        faults.append(f"README.md: expected a line `{BEGIN.strip()}` and below it `{END.strip()}`.")
    elif not faults and readme[where[0]:where[1]] != table(found):
        if write:
            with open(path, "w", encoding="utf-8") as f:
                f.write(readme[:where[0]] + table(found) + readme[where[1]:])
        else:
            faults.append("README.md: the table of what each language has is not that of tests/bindings/features.txt: python3 tests/bindings/features.py . --write")
    return len(found), faults


def self_test():
    good = "Adds\n" + "".join(f"  {language}  {shown}\n" for language, shown in zip(LANGUAGES, [
        "- C cannot", "tests/a.cc:Sum.Adds", "tests/a.py:test_adds", "tests/a.R:it adds", "tests/a.jl:it adds", "tests/A.scala:adds"]))
    files = {"tests/a.cc": "TEST(Sum, Adds) {\n", "tests/a.py": "def test_adds():\n", "tests/a.R": 'test_that("it adds", {\n', "tests/a.jl": '@testset "it adds" begin\n',
             "tests/A.scala": "  @Test def adds(): Unit\n", "tests/CMakeLists.txt": "add_test(NAME a COMMAND tests/whole.py)\n", "tests/whole.py": "", "tests/none.py": "",
             "tests/bindings/features.txt": good, "README.md": "# x\n" + BEGIN + table(features(good)[0]) + END}
    samples = {  # what breaks a rule, and a part of what is said then
        "": (("README.md", files["README.md"]),),
        "says nothing of Scala": (("tests/bindings/features.txt", "\n".join(good.split("\n")[:-2])),),
        "stands twice": (("tests/bindings/features.txt", good + good),),
        "expected each of": (("tests/bindings/features.txt", good + "  Perl  - no\n"),),
        "no test `test_adds`": (("tests/a.py", "def test_add():\n"),), "no test `it adds`": (("tests/a.jl", '@testset "it added" begin\n'),),
        "no test `Sum.Adds`": (("tests/a.cc", "TEST(Sum, AddsTwo) {\n"),), "there is no file tests/b.R": (("tests/bindings/features.txt", good.replace("a.R", "b.R")),),
        "runs tests/none.py": (("tests/bindings/features.txt", good.replace("a.py:test_adds", "none.py")),),
        "is not that of": (("README.md", files["README.md"].replace("| yes |", "| no |", 1)),), "expected a line": (("README.md", "# x\n"),)}
    wrong = 0
    for want, changes in samples.items():
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**files, **dict(changes)}.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                    f.write(text)
            said = check(root)[1]
            right = not said if not want else any(want in s for s in said)
            if want == "is not that of":
                right = right and not check(root, write=True)[1] and not check(root)[1]
        if not right:
            wrong += 1
            print(f"FAILED {want or 'a good table'}: {said}")
    print(f"{len(samples) - wrong} passed, {wrong} failed")
    return wrong


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    count, faults = check(arguments[0], "--write" in arguments)
    print("\n".join(faults + [f"{count} features, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

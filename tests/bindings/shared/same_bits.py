#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""same_bits.py TABLE DIGITS LANGUAGE=COMMAND...: the fits of TABLE in each language give models with the same bytes (metadata aside, which say who wrote them), and
each language loads each other's model, predicts the same bits with it and writes the same bytes again. COMMAND is split at spaces."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile


def digest(path):
    """SHA-256 of a model's bytes without metadata: a safetensors file, whose header is rewritten without them."""
    with open(path, "rb") as f:
        bytes_ = f.read()
    end = 8 + int.from_bytes(bytes_[:8], "little")
    header = json.loads(bytes_[8:end])
    header.pop("__metadata__", None)
    return hashlib.sha256(json.dumps(header).encode() + bytes_[end:]).hexdigest()


def run(command, *args):
    done = subprocess.run([*command.split(" "), *args], capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        print(done.stdout, done.stderr)
    return done.returncode == 0


class Count:
    passed = failed = 0

    def check(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED", what)


def main(table, digits, *languages):
    languages = dict(entry.split("=", 1) for entry in languages)
    first = next(iter(languages))
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        models = {}  # case -> language -> path
        for language, command in languages.items():
            out = os.path.join(folder, language)
            os.mkdir(out)
            count.check(run(command, "fit", table, digits, out), f"{language}: fit")
            for name in sorted(os.listdir(out)):
                # A name that says whose it is, when all lie side by side.
                path = os.path.join(folder, f"{name[:-len('.flx')]} by {language}.flx")
                os.rename(os.path.join(out, name), path)
                models.setdefault(name, {})[language] = path
        count.check(len(models) > 0, "there are models")
        for name, made in models.items():
            for language in languages:
                same = language in made and first in made and digest(made[language]) == digest(made[first])
                count.check(same, f"{name}: the bytes in {language} are those in {first}")
        scores = {}
        for language, command in languages.items():
            out = os.path.join(folder, "from " + language)
            os.mkdir(out)
            all_models = [path for made in models.values() for path in made.values()]
            count.check(run(command, "predict", digits, out, *all_models), f"{language}: predict")
            for name, made in models.items():
                for maker, path in made.items():
                    base = os.path.join(out, os.path.basename(path))
                    try:
                        with open(base + ".scores", "rb") as f:
                            given = f.read()
                        count.check(len(given) == 400 and given == scores.setdefault(name, given), f"{name}: scores in {language} of the model by {maker}")
                        count.check(digest(base + ".flx") == digest(path), f"{name}: {language} writes the model by {maker} as it was")
                    except OSError as e:
                        count.check(False, f"{name} by {maker} in {language}: {e}")
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""install_test.py JULIA PACKAGE ROOT: the package's folder, copied elsewhere, is added by Pkg to a fresh depot without a registry or a network, tests itself, and works for a program in
another folder; so it does when the folder has been moved again. Nothing in it knows where it was built."""
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = """
using Flexor
package = pkgdir(Flexor)
Flexor.info("path") == joinpath(realpath(package), "lib", "libflexor.so.0") || error("the library is " * Flexor.info("path"))
x, y = Flexor.iris()
f = fit(Classifier(Chain(Standardize(), Dense(3))), x, y; epochs = 20, optimizer = Adam(0.05), seed = 1)
accuracy(predict(f, x), y) > 0.8 || error("it learned nothing")
size(Flexor.digits()[1]) == (10000, 1, 28, 28) || error("the digits are not there")
println("fine in ", basename(dirname(package)))
"""
ADD = """
using Pkg
Pkg.develop(path = ARGS[1])
Pkg.test("Flexor"; test_args = ["test_store.jl"])
"""
REGISTRY = 'name = "None"\nuuid = "00000000-0000-0000-0000-000000000001"\nrepo = ""\n[packages]\n'


def knows(package, root):
    """Files that name the folder where it was built; the library itself may, in what a debugger wants."""
    for folder, _, names in os.walk(package):
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith("libflexor"):
                with open(path, "rb") as f:
                    if root.encode() in f.read():
                        yield os.path.relpath(path, package)


def main(julia, package, root):
    with tempfile.TemporaryDirectory() as folder:
        first, second, elsewhere, depot = (os.path.join(folder, name) for name in ("my packages ä", "moved", "elsewhere", "depot"))
        for made in (first, second, elsewhere, os.path.join(depot, "registries", "None")):
            os.makedirs(made)
        with open(os.path.join(depot, "registries", "None", "Registry.toml"), "w", encoding="utf-8") as f:
            f.write(REGISTRY)
        shutil.copytree(package, os.path.join(first, "Flexor"))  # with what links point at
        told = list(knows(os.path.join(first, "Flexor"), root))
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("JULIA_", "LIBFLEXOR", "FLEXOR_"))}
        environment = {**clean, "HOME": folder, "JULIA_DEPOT_PATH": depot, "JULIA_PKG_SERVER": "", "JULIA_PKG_OFFLINE": "true"}

        def run(program, *arguments, **more):
            done = subprocess.run([julia, "--startup-file=no", "-e", program, *arguments], cwd=elsewhere, env={**environment, **more}, capture_output=True, text=True, timeout=500, check=False)
            return done.returncode, done.stdout, done.stdout + done.stderr

        failed = [f"{path} names {root}" for path in told]
        added = run(ADD, os.path.join(first, "Flexor"))
        if added[0] or "tests passed" not in added[2]:
            failed.append(f"Pkg: {added[2][-3000:]}")
        used = run(PROGRAM)
        if used[:2] != (0, "fine in my packages ä\n"):
            failed.append(f"added: {used[2][-2000:]}")
        os.rename(os.path.join(first, "Flexor"), os.path.join(second, "Flexor"))
        used = run(PROGRAM, JULIA_PROJECT=os.path.join(second, "Flexor"))
        if used[:2] != (0, "fine in moved\n"):
            failed.append(f"moved: {used[2][-2000:]}")
    print("\n".join(failed + [f"{4 - len(failed)} passed, {len(failed)} failed"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

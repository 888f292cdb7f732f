#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every source file. `source_rules.py ROOT` checks the tree, `--self-test` checks the rules on samples that break them."""
import os
import re
import sys

# From the ground up: a room may include only rooms before it (DESIGN, section 1).
ROOMS = ["base", "device", "profiler", "storage", "engine", "tensor", "op", "graph", "exec", "hybrid", "train", "kvstore", "io", "interop", "fit", "cuda", "c_api"]
CODE = (".cc", ".h", ".hpp", ".c", ".cu", ".py", ".sh", ".cmake", ".map", ".R", ".jl", ".scala", ".java", ".i")
SKIP = re.compile(r"^(\.git|build[^/]*|tests/golden|examples/data|\.cache|\.venv)(/|$)")
MAX_LINES = 600
# Numbers become text, and text numbers, in base/text only: these are lossy or follow the host's locale.
NUMBERS = re.compile(r"\b(to_string|stoi|stol|stoll|stoul|stoull|stof|stod|stold|strtod|strtof|strtold|strtol|strtoll|strtoul|strtoull|atof|atoi|atol|"
                     r"s?n?printf|vs?n?printf|fprintf|scanf|sscanf|setlocale)\s*\(|\b(i|o)?stringstream\b|\bstd::(cout|cerr|clog)\b|#\s*include\s*<(iostream|sstream|locale|cstdio|stdio\.h)>")
# Nothing ends the host's process.
ENDING = re.compile(r"(?<![\w.>])(?:std::)?(abort|exit|_Exit|quick_exit|terminate|assert)\s*\(")
# What a device module may see of the library: plain C tables, constants and inline conversions, and the formulas that every device instantiates (tests emulate one).
MODULE_SEES = re.compile(r"^(cuda/.*|device/(device_table|device_call|kernels)\.h|base/(convert|dtype|random|host_device)\.h|op/.*formula(s|_types)?\.h|emulate\.h)$")
CUDA_HEADER = re.compile(r"#\s*include\s*[<\"]((?:cuda|cublas|cudnn|nvrtc|nccl|cub/|thrust/)[\w./]*)")
HEAVY = re.compile(r"#\s*include\s*[<\"](dmlc/|nlohmann/|dnnl|gtest/)")
INCLUDE = re.compile(r"^\s*#\s*include\s*\"([^\"]+)\"", re.M)


def bare(text):
    """The code without comments and the insides of strings, line by line as before."""
    def blank(m):
        s = m.group(0)
        return '""' if s[0] == '"' else "' '" if s[0] == "'" else "\n" * s.count("\n")
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def check_file(path, text):
    """What is wrong with the file at `path` (relative, with /), one line each."""
    wrong = []
    base = os.path.basename(path)
    is_script = path.startswith(("tools/", ".ci/")) and text.startswith("#!")
    is_code = path.endswith(CODE) or base == "CMakeLists.txt" or is_script
    if not is_code:
        return wrong
    lines = text.count("\n")
    if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n")[:3]):
        wrong.append("no line `SPDX-License-Identifier: Apache-2.0` at its head")
    if lines > MAX_LINES:
        wrong.append(f"{lines} lines; the most is {MAX_LINES}")
    c_like = path.endswith((".cc", ".h", ".hpp", ".c", ".cu"))
    if not c_like:
        return wrong
    in_core = path.startswith(("src/", "c_api/"))
    code = bare(text)
    if in_core:
        for i, line in enumerate(code.split("\n"), 1):
            if (m := NUMBERS.search(line)):
                wrong.append(f"line {i}: `{m.group(0).strip()}` for numbers or text; use base/text.h")
            if (m := ENDING.search(line)):
                wrong.append(f"line {i}: `{m.group(0).strip()}` ends the host's process; throw an Error")
            if "getenv" in line and path != "src/base/config.cc":
                wrong.append(f"line {i}: getenv; the option table (base/config.h) reads the environment")
            if path.endswith(".h") and not path.endswith("-inl.h") and (m := HEAVY.search(line)):
                wrong.append(f"line {i}: a header includes {m.group(1)}; keep it in a .cc")
        module = path.startswith("src/cuda/")
        if module:
            wrong += [f'includes "{name}"; a device module sees tables and formulas only' for name in INCLUDE.findall(text) if not MODULE_SEES.match(name)]
            wrong += [f"includes {name}: 15 s a file" for name in CUDA_HEADER.findall(text) if name.startswith(("cub/", "thrust/"))]
        elif (m := CUDA_HEADER.search(text)):
            wrong.append(f"includes {m.group(1)}; only src/cuda may")
        wrong += direction(path, text)
    elif path.startswith("include/"):
        for name in INCLUDE.findall(text):
            if not name.startswith("flexor/"):
                wrong.append(f"a public header includes \"{name}\"")
    elif path.startswith("examples/"):
        for name in INCLUDE.findall(text):
            if name.split("/")[0] in ROOMS:
                wrong.append(f"an example includes \"{name}\"; it sees the public headers only")
    return wrong


def direction(path, text):
    room = "c_api" if path.startswith("c_api/") else path.split("/")[1]
    if room not in ROOMS:
        return [f"the room `{room}` is not in the list of tests/checks/source_rules.py"]
    wrong = []
    for name in INCLUDE.findall(text):
        other = name.split("/")[0]
        if other == "flexor" and room != "c_api":
            wrong.append(f"includes \"{name}\": only c_api may see the public headers")
        if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
            wrong.append(f"includes \"{name}\": {other} lies above {room}")
    return wrong


def build_options(root):
    """Every CMake option has its line in docs/options.md, with its default."""
    with open(os.path.join(root, "cmake/FlexorOptions.cmake"), encoding="utf-8") as f:
        given = dict(re.findall(r'^\s*option\((FLEXOR_\w+) "[^"]+" (ON|OFF)\)', text := f.read(), re.M))
    with open(os.path.join(root, "cmake/FlexorCuda.cmake"), encoding="utf-8") as f:
        text += f.read()
    given.update(re.findall(r'^\s*set\((FLEXOR_\w+) "(\w*)" CACHE STRING', text, re.M))
    with open(os.path.join(root, "docs/options.md"), encoding="utf-8") as f:
        listed = {n: d.strip().strip("`") for n, d in re.findall(r"^\| `(FLEXOR_\w+)` \| ?(`\w+`|) ?\|", f.read().split("## Of the build")[1], re.M)}
    if listed == given:
        return []
    return [f"docs/options.md, build options: {name} is {given.get(name)!r} in CMake and {listed.get(name)!r} there"
            for name in sorted(set(given) | set(listed)) if given.get(name) != listed.get(name)]


def check_tree(root):
    wrong, files = [], 0
    for folder, dirs, names in os.walk(root):
        rel = os.path.relpath(folder, root).replace(os.sep, "/")
        rel = "" if rel == "." else rel + "/"
        dirs[:] = [d for d in dirs if not SKIP.match(rel + d)]
        for name in names:
            path = rel + name
            if SKIP.match(path) or os.path.islink(os.path.join(root, path)):
                continue
            with open(os.path.join(root, path), "rb") as f:
                raw = f.read()
            if b"\0" in raw[:4096]:
                continue
            files += 1
            wrong += [f"{path}: {w}" for w in check_file(path, raw.decode("utf-8"))]
    wrong += build_options(root)
    if files < 20:
        wrong.append(f"{root}: only {files} files found")
    print("\n".join(wrong))
    print(f"{files} files, {len(wrong)} faults")
    return 1 if wrong else 0


def self_test():
    head = "// SPDX-License-Identifier: Apache-2.0\n"
    bad = {
        ("src/op/a.cc", "int x;\n"): "SPDX",
        ("src/op/b.cc", head + "int x;\n" * 700): "lines",
        ("src/op/c.cc", head + "auto s = std::to_string(3);\n"): "to_string",
        ("src/op/d.cc", head + 'snprintf(b, 3, "%d", 1);\n'): "printf",
        ("src/op/e.cc", head + "std::ostringstream s;\n"): "stringstream",
        ("src/op/f.cc", head + "if (!ok) std::abort();\n"): "abort",
        ("src/op/g.cc", head + 'auto* e = getenv("X");\n'): "getenv",
        ("src/op/h.h", head + "#include <nlohmann/json.hpp>\n"): "nlohmann",
        ("src/tensor/i.cc", head + '#include "exec/invoke.h"\n'): "above",
        ("src/exec/j.cc", head + '#include "flexor/c_api.h"\n'): "public",
        ("src/cellar/k.cc", head): "list",
        ("include/flexor/l.hpp", head + '#include "op/op.h"\n'): "public header",
        ("examples/cpp/m.cc", head + '#include "fit/fit.h"\n'): "example",
        ("tools/n", "#!/bin/bash\necho\n"): "SPDX",
        ("src/op/o.cc", head + "#include <cuda_runtime.h>\n"): "only src/cuda may",
        ("src/exec/p.cc", head + '#include "cuda/runtime.h"\n'): "only src/cuda may",
        ("src/cuda/q.cc", head + '#include "tensor/view.h"\n'): "tables and formulas only",
        ("src/cuda/r.cu", head + "#include <cub/cub.cuh>\n"): "15 s",
    }
    good = {
        ("src/op/a.cc", head + '// std::to_string is lossy\nauto s = "printf(abort(";\nint n = 1\'000\'000; x.exit(); my_exit();\n'),
        ("src/exec/b.cc", head + '#include "op/op.h"\n#include "exec/tape.h"\n'),
        ("src/base/config.cc", head + 'auto* e = getenv("X");\n'),
        ("c_api/c.cc", head + '#include "flexor/c_api.h"\n#include "fit/fit.h"\n'),
        ("docs/d.md", "text\n"),
        ("src/cuda/e.cc", head + '#include <cuda_runtime.h>\n#include "cuda/runtime.h"\n#include "op/elementwise/unary_formulas.h"\n'),
    }
    faults = [f"not seen: {path} ({want}): {check_file(path, text)}" for (path, text), want in bad.items() if not any(want in w for w in check_file(path, text))]
    faults += [f"wrongly seen: {path}: {check_file(path, text)}" for path, text in good if check_file(path, text)]
    print("\n".join(faults) or f"{len(bad)} bad and {len(good)} good samples told apart")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else check_tree(sys.argv[1]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the built libflexor.so must be: `library_rules.py LIBRARY MAP BUILD_DIR HEADER...`. `--self-test` checks the parser of linker maps."""
import glob
import re
import subprocess
import sys

MAX_BYTES = 10 * 1000 * 1000  # code and data of our own objects
# Thread-local memory that is found without a call comes from some 1,600 bytes that glibc keeps for all libraries a host opens late: two copies must fit.
MAX_TLS = 640


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def own_bytes(text, build):
    """Bytes that each of our objects takes in memory, by section, from a linker map."""
    at = text.find("Linker script and memory map")
    if at < 0:
        raise ValueError("this is no linker map")
    sizes = {}
    # " .text.f  0xaddress 0xsize file", the name on a line of its own if it is long
    for m in re.finditer(r"^ (\.[^\s]+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", text[at:], re.M):
        name, address, size, file = m.group(1), int(m.group(2), 16), int(m.group(3), 16), m.group(4)
        own = re.search(r"libflx_\w+\.a\(", file) or "flexor.dir" in file
        if address == 0 or not own or name.startswith((".debug", ".comment", ".note.GNU", ".eh_frame_hdr")):
            continue
        section = "." + name.split(".")[1] if name[0] == "." else name
        sizes[section] = sizes.get(section, 0) + size
    return sizes


def main(library, map_file, build, *headers):
    wrong = []
    dynamic = run("readelf", "-dW", library)
    if "Library soname: [libflexor.so.0]" not in dynamic:
        wrong.append("SONAME is not libflexor.so.0")
    for tag in ("RPATH", "RUNPATH", "TEXTREL"):
        if f"({tag})" in dynamic:
            wrong.append(f"the library has a {tag}")
    if not re.search(r"\((BIND_NOW|FLAGS_1)\).*NOW|\(BIND_NOW\)", dynamic):
        wrong.append("symbols are not bound at load (-z now)")
    tls = [int(size, 16) for size in re.findall(r"^\s*TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(0x[0-9a-f]+)", run("readelf", "-lW", library), re.M)]
    if len(tls) != 1 or tls[0] > MAX_TLS:
        wrong.append(f"thread-local memory takes {tls} bytes, the most is {MAX_TLS}")
    if "NODELETE" not in dynamic:
        wrong.append("the library may be unmapped by dlclose (-z nodelete): its threads and fork handlers would run in thin air")
    fini = re.search(r"\(FINI_ARRAYSZ\)\s+(\d+)", dynamic)
    if not fini or int(fini.group(1)) > 8:  # the compiler's own
        wrong.append("a destructor of the library runs at exit (.fini_array), while other threads may be at work")
    for archive in glob.glob(build + "/src/**/libflx_*.a", recursive=True):
        for line in run("nm", "-uA", archive).splitlines():
            if line.split()[-1] == "__cxa_atexit" and "record_dmlc.cc" not in line:  # dmlc's header brings iostream's, which only flushes
                wrong.append(f"{line.split()[0]} a static value is destroyed at exit, while other threads may use it: see Forever (base/ref.h)")
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", dynamic)
    if not any(n.startswith("libgcc_s.so") for n in needed):
        wrong.append("libgcc_s must be shared: an exception out of another library would end the process")
    for bad in ("libstdc++", "libcuda", "libflx", "libopenblas", "libblas"):
        if any(n.startswith(bad) for n in needed):
            wrong.append(f"{bad} must not be needed")
    exported = set()
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        _, kind, name = line.split()
        plain = name.split("@")[0]
        if kind == "A" and plain.startswith("FLEXOR_"):
            continue  # the version node
        if not plain.startswith("flx_"):
            wrong.append(f"exports {name}")
        if "@@FLEXOR_" not in name:
            wrong.append(f"{name} is in no version node")
        exported.add(plain)
    declared = set()
    for header in headers:
        with open(header, encoding="utf-8") as f:
            declared |= set(re.findall(r"^(?:FLX_API|FLX_DRAFT)\b[^;(]*?\b(flx_\w+)\s*\(", f.read(), re.M))
    if len(declared) < 10:
        wrong.append(f"only {len(declared)} functions found in the headers")
    wrong += [f"{name} is declared and not exported" for name in sorted(declared - exported)]
    wrong += [f"{name} is exported and declared in no header" for name in sorted(exported - declared)]
    with open(map_file, encoding="utf-8", errors="replace") as f:
        sizes = own_bytes(f.read(), build)
    total = sum(sizes.values())
    if total > MAX_BYTES:
        wrong.append(f"our own objects take {total} bytes, the most is {MAX_BYTES}")
    if total < 10000:
        wrong.append(f"only {total} bytes of our own objects found in {map_file}")
    print("needed:", " ".join(needed))
    print("own bytes:", " ".join(f"{k}={v}" for k, v in sorted(sizes.items(), key=lambda kv: -kv[1])[:8]), "total", total)
    print(f"{len(exported)} functions exported")
    print("\n".join(wrong) or "library: passed")
    return 1 if wrong else 0


def self_test():
    sample = """Discarded input sections

 .text.gone     0x0000000000000000       0x55 src/op/libflx_op.a(a.cc.o)

Linker script and memory map

 .text.short    0x0000000000001000       0x10 src/op/libflx_op.a(a.cc.o)
 .text._ZN3flx5aVeryLongNameE
                0x0000000000001010       0x20 c_api/CMakeFiles/flexor.dir/x.cc.o
 .text          0x0000000000001030      0x100 /usr/lib/libopenblas.a(b.o)
 .rodata.str    0x0000000000002000        0x8 src/base/libflx_base.a(c.cc.o)
 .debug_info    0x0000000000000000       0x99 src/base/libflx_base.a(c.cc.o)
"""
    got = own_bytes(sample, "")
    ok = got == {".text": 0x30, ".rodata": 8}
    print("map parsed" if ok else f"wrong: {got}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(*sys.argv[1:]))

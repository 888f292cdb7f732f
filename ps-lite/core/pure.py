# SPDX-License-Identifier: Apache-2.0
"""Refuses a core that could act by itself: python3 pure.py NM LIBRARY FOLDER. Looks at what the sources include and at what the objects need."""
import pathlib
import re
import subprocess
import sys

HEADERS = {  # of the standard library
    "algorithm", "array", "charconv", "cstddef", "cstdint", "cstring", "deque", "exception", "functional", "map", "memory", "set", "string", "string_view",
    "tuple", "type_traits", "utility", "variant", "vector",
}
OWN = re.compile(r"(core|ps)/[a-z_]+\.h|ps\.pb\.h")
# Time, threads, sockets, files, the environment, chance.
SYMBOLS = re.compile(
    r"(clock\w*|time|gettimeofday|nanosleep|usleep|sleep|select|poll|p?thread_(create|mutex|cond|join)\w*|socket|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|open(at)?(64)?|"
    r"f?open(64)?|fread|fwrite|read|write|getenv|rand(om)?(_r)?|getrandom|arc4random\w*|syscall|fork|exit|abort)(@.*)?|_ZNSt6chrono.*|_ZNSt6thread.*|_ZNSt13random_device.*|"
    r"_ZNSt1[0-9]basic_[io]?f?stream.*|_ZSt4cout|_ZSt4cerr|_ZNSt8__detail.*[Hh]ash.*")


def main():
    nm, library, folder = sys.argv[1:4]
    wrong = []
    for source in sorted(pathlib.Path(folder).glob("*.[ch]*")):
        for number, line in enumerate(source.read_text().splitlines(), 1):
            included = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if included and not (included[2] in HEADERS if included[1] == "<" else OWN.fullmatch(included[2])):
                wrong.append(f"{source}:{number}: the core may not include {included[2]}")
    listing = subprocess.run([nm, "-u", library], check=True, capture_output=True, text=True).stdout
    member = ""
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip() and not member.startswith("ps.pb."):
            symbol = line.split()[-1]
            if SYMBOLS.fullmatch(symbol):
                wrong.append(f"{library}({member}): the core may not need {symbol}")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


sys.exit(main())

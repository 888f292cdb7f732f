# SPDX-License-Identifier: Apache-2.0
"""The rules of the record on samples that break them."""
import os
import shutil
import tempfile

import c_header
import record
import reference
from found import node_of

LINES = ["abi 1", "type flx_status typedef int32_t flx_status", "type flx_call typedef struct flx_call_s *flx_call", "constant FLX_OK 0",
         "function draft 0.1.0 flx_status flx_wait(flx_call call, int64_t timeout_ms)", "function stable 0.1.0 void flx_free(void *handle)",
         "library libflexor.so.0 0.1.0", "operator 0.1.0 relu(data; alpha: float = 0.5) -> 1; Relu"]


def _record(lines, *, digest=None, extra=""):
    return record.parse(record.HEAD + "\n".join(lines) + f"\n{extra}change 0.1.0 {digest or record.digest(lines)} +1 thing: for a test\n")


def _swap(old, new):
    return [line.replace(old, new) for line in LINES]


def run(cc):
    kinds = record.HEADER_KINDS + record.LIBRARY_KINDS
    seen = []

    def expect(what, texts, *words):
        text = "\n".join(texts)
        if not texts if words else texts:
            seen.append(f"{what}: {text or 'nothing was said'}")
        seen.extend(f"{what}: `{w}` is not in: {text}" for w in words if w not in text)

    good = _record(LINES)
    expect("equal", record.compare(good, LINES, kinds) + record.faults(good))
    expect("a changed signature", record.compare(good, _swap("int64_t", "int32_t"), kinds), "changed: function flx_wait", "recorded:", "int64_t", "found:", "int32_t")
    expect("stable becomes draft", record.compare(good, _swap("stable", "draft"), kinds), "changed: function flx_free")
    expect("another since", record.compare(good, _swap("draft 0.1.0", "draft 0.2.0"), kinds), "changed: function flx_wait")
    expect("a changed constant", record.compare(good, _swap("FLX_OK 0", "FLX_OK 1"), kinds), "changed: constant FLX_OK")
    expect("a changed type", record.compare(good, _swap("flx_call_s", "flx_other_s"), kinds), "changed: type flx_call")
    expect("a changed default", record.compare(good, _swap("0.5", "0.25"), kinds), "changed: operator relu")
    expect("a missing line", record.compare(_record(LINES[:-1]), LINES, kinds), "missing in the record: operator 0.1.0 relu")
    expect("an extra line", record.compare(good, LINES[:-1], kinds), "in the record, and not there: operator 0.1.0 relu")
    expect("a line twice", record.faults(_record(LINES + LINES[-1:])), "recorded twice: operator relu")
    expect("a change without a reason", record.faults(_record(LINES, digest="00000000")), "without a reason")
    expect("what a merge leaves", record.faults(_record(LINES, extra="<<<<<<< HEAD\n")), "merge")
    expect("no change line", record.faults(record.parse("\n".join(LINES))), "says why")
    expect("a stable function changed", record.refusals(good, _swap("void *handle", "int64_t handle")), "stable and may not be changed")
    expect("a stable function removed", record.refusals(good, [r for r in LINES if "flx_free" not in r]), "stable and may not be removed")
    expect("a draft changed", record.refusals(good, _swap("int64_t", "int32_t")))
    expect("from the future", record.refusals(good, _swap("operator 0.1.0", "operator 0.9.0")), "is since 0.9.0, and this is version 0.1.0")
    newer = [r.replace("so.0 0.1.0", "so.0 0.2.0") for r in LINES]
    expect("new without its version", record.refusals(good, newer + ["function draft 0.1.0 void flx_new(void)"]), "must say `Since 0.2.0.`")
    expect("new with its version", record.refusals(good, newer + ["function draft 0.2.0 void flx_new(void)"]))
    nodes = [node_of(r) for r in (LINES[4], LINES[5], "function plugin 0.1.0 void flx_p(void)")]
    expect("the nodes", [] if nodes == ["FLEXOR_DRAFT", "FLEXOR_0.1.0", None] else [str(nodes)])
    header = "/** Waits. Since 0.3.0. */\nFLX_API flx_status flx_w(int64_t timeout_ms);\n/** Any. */\nFLX_DRAFT void flx_v(void);\ntypedef void (*flx_f)(int32_t a, void *b);\n"
    read = [(d.name, d.macro, d.since) for d in c_header.declarations(header)]
    expect("the header's text", [] if read == [("flx_w", "API", "0.3.0"), ("flx_v", "DRAFT", "0.1.0")] else [str(read)])
    expect("the header's types", [] if c_header.types(header) == [("flx_f", "typedef void (*flx_f)(int32_t a, void *b)")] else [str(c_header.types(header))])
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "abi.txt")
        first = record.save(path, record.load(path), LINES, "first")
        expect("saved and read again", record.faults(record.load(path)) + record.compare(record.load(path), LINES, kinds))
        expect("nothing to save", [record.save(path, record.load(path), LINES, "again")] if record.save(path, record.load(path), LINES, "again") else [])
        second = record.save(path, record.load(path), _swap("0.5", "0.25"), "a better default")
        expect("the reasons are kept", [] if record.load(path).changes == [first, second] and "~operator relu: a better default" in second else [second])
        if shutil.which("abidiff"):
            same = reference.build(LINES, work, cc)
            expect("abidiff, equal", reference.faults(good, same, cc))
            changed = _swap("flx_status flx_wait(flx_call call, ", "flx_status flx_wait(int64_t call, ")
            expect("abidiff, a changed type", reference.faults(_record(changed), same, cc), "flx_wait", "flx_call")
            os.system(f"strip --strip-debug {same}")
            expect("abidiff, no debug information", reference.faults(good, same, cc), "without debug information")
        else:
            print("abidiff is not here: its samples were left out")
    print("\n".join(seen) or "all samples told apart")
    return 1 if seen else 0

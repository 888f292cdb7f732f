#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scala_calls.py GENERATOR REGISTRY TABLE OUT: calls as a Scala programmer writes them, since Scala has no call by name: those of indices.cases, op.sum(x(0), axis = 1), and for the golden
cases one of each function of `op` with what is given. GENERATOR is the folder bindings/generate, whose names are Scala's."""
import json
import sys


def literal(text):
    if text.startswith("("):
        return "Seq" + (text[:-2] + ")" if text.endswith(",)") else text)
    return text.lower() if text in ("True", "False") else text if text.lstrip("-").replace(".", "", 1).isdigit() else f'"{text}"'


def calls(table):
    """(id, function, number of inputs, attributes) of each case."""
    with open(table, encoding="utf-8") as f:
        for case in f.read().split("\n\n"):
            rows = [row.split("\t") for row in case.splitlines() if row and not row.startswith("#")]
            fields = [(row[0], dict(field.split("=", 1) for field in row[1:])) for row in rows]
            if fields:
                by_word = dict(fields)
                attrs = [(k, v) for word, line in fields if word == "attr" for k, v in line.items() if k != "counts"]
                yield by_word["case"]["id"], by_word["call"]["function"], sum(word == "in" for word, _ in fields), attrs


READ = {"Long": "long", "Double": "double", "Boolean": "boolean", "String": "string", "Any": "any"}


def functions(operators):
    """Each function of op, called with arrays and texts: (the operator's name, Scala)."""
    from registry import key, operators_by_name, required_first
    from scala import camel, counted, typed
    for name, _, entry in operators_by_name(operators):
        attrs = [a for a in entry["attrs"] if a not in counted(entry)]
        single = [i for i in entry["inputs"] if i["kind"] != "list"]
        several = len(single) != len(entry["inputs"])
        given = [f"x.lift({i}).orNull" for i in range(len(single))] + ([f"x.drop({len(single)})"] if several else [])
        for a in required_first(attrs):
            kind, default = typed(a)
            given.append(f'{camel(a["name"])} = g.{READ[kind]}("{key(a)}"' + ("" if a["required"] else f", {default}") + ")")
        made = f"op.{camel(name)}" + ("[NDArray]" if entry["inputs"] else "") + f"({', '.join(given)})"
        yield entry["name"], [key(a) for a in entry["attrs"]], 1000 if several else len(single), made if entry["outputs"] != 1 else f"Seq({made})"


def main(generator, registry, table, out):
    sys.path.insert(0, generator)
    from registry import load
    from scala import camel
    operators = load(registry)["operator"]
    several = {e["function"] for e in operators if any(i["kind"] == "list" for i in e["inputs"])}
    results = {e["function"]: e["outputs"] for e in operators}
    lines = []
    for name, function, count, attrs in calls(table):
        arrays = ", ".join(f"x({i})" for i in range(count))
        settings = [f"{camel(k)} = {literal(v)}" for k, v in attrs]
        lines.append(f'    case "{name}" => op.{camel(function)}({", ".join([f"Seq({arrays})" if function in several else arrays, *settings])})' + ("\n" if results[function] == 1 else ".head\n"))
    with open(out, "w", encoding="utf-8") as f:
        f.write("// SPDX-License-Identifier: Apache-2.0\n// Made by scala_calls.py from indices.cases.\npackage org.flexor\n\nobject IndexCalls {\n"
                "  def apply(id: String, x: Vector[NDArray]): NDArray = id match {\n" + "".join(lines) + "  }\n}\n\n")
        all_of_op = list(functions(operators))
        f.write("/** The functions of op, by the operators' names: None where there is none with these attributes and so many inputs. */\nobject OpCalls {\n"
                "  def apply(name: String, x: Vector[NDArray], g: Given): Option[Seq[NDArray]] = name match {\n")
        for i, (name, attrs, most, _) in enumerate(all_of_op):
            f.write(f'    case "{name}" if x.length <= {most} && g.only({", ".join(json.dumps(a) for a in attrs)}) => Some(f{i}(x, g))\n')
        f.write("    case _ => None\n  }\n" + "".join(f"  private def f{i}(x: Vector[NDArray], g: Given): Seq[NDArray] = {made}\n" for i, (_, _, _, made) in enumerate(all_of_op)) + "}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

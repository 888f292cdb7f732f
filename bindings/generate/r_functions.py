# SPDX-License-Identifier: Apache-2.0
"""The R functions of everything that is registered, as source with `#'` comments (r_docs.py makes the help pages of them)."""
import re

from registry import choices, counts, effective, indices_out, is_axis, is_index, key, operators_by_function, presence, public, required_first, shaped_call

RESERVED = {"if", "else", "repeat", "while", "function", "for", "next", "break", "TRUE", "FALSE", "NULL", "Inf", "NaN", "NA", "in"}
BEGIN = re.compile(r"(^|_)begin$")


def default(attr):
    """The default of an attribute as R writes it; None: it has none."""
    text, kind = attr["default"], attr["type"]
    if attr["required"]:
        return None
    if text in ("None", "NULL", "") :
        return "NULL"
    if kind.startswith("boolean"):
        return {"True": "TRUE", "False": "FALSE"}.get(text, "NULL")
    if text.startswith("("):
        items = [t.strip() for t in text.strip("()").split(",") if t.strip()]
        return "NULL" if not items else items[0] if len(items) == 1 else f"c({', '.join(i.replace('None', 'NA') for i in items)})"
    if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", text):
        if is_axis(attr) and not text.startswith("-"):
            return str(int(text) + 1)
        return text
    if text in ("inf", "-inf"):
        return text.replace("inf", "Inf")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def value(attr, name):
    """The R expression that makes an attribute's text."""
    if is_axis(attr):
        return f"axis_text({name}, {'TRUE' if attr['type'].startswith('tuple') else 'FALSE'})"
    if BEGIN.search(attr["name"]) and "long" in attr["type"]:
        return f"begin_text({name}, {'TRUE' if attr['type'].startswith('tuple') else 'FALSE'})"
    if attr["type"].startswith("tuple"):
        return f"tuple_of({name})"
    return f"value_text({name})"


def optimizer_value(attr, name):  # the first setting of an optimizer may be a schedule
    return f"rate_text({name})" if attr["name"] == "learning_rate" else value(attr, name)


def r_name(name):
    return name + "_" if name in RESERVED else name


def attribute_doc(attr):
    text = attr["doc"].strip() or attr["name"]
    if is_axis(attr):
        text += " Axes count from 1, negative ones from the end."
        text = re.sub(r"\baxis 0\b", "axis 1", text)
    elif BEGIN.search(attr["name"]) and "long" in attr["type"]:
        text += " Counted from 1."
    if choices(attr):
        text += " One of " + ", ".join(choices(attr)) + "."
    if attr["range"]:
        text += f" In {attr['range']}."
    for python, ours in (("None", "NULL"), ("True", "TRUE"), ("False", "FALSE")):
        text = re.sub(rf"\b{python}\b", ours, text)
    return " ".join(text.split())


def given(attrs, value=value):
    """The settings that the caller gave, as an R expression: defaults are the library's."""
    parts = []
    for a in attrs:
        name = r_name(a["name"])
        one = f'c({quoted(key(a))} = {value(a, name)})'
        unset = f"!is.null({name})" if default(a) == "NULL" else f"!missing({name})"
        parts.append(one if a["required"] else f"if ({unset}) {one}")
    return "NULL" if not parts else "c(" + ",\n    ".join(parts) + ")"


def needed(attrs, condition=""):
    """Lines that stop in the function the user called, if an argument that must be given is missing."""
    return "".join(f"  {condition}{r_name(a['name'])} # must be given\n" for a in attrs if a["required"])


def quoted(name):
    return name if re.fullmatch(r"[A-Za-z][\w.]*", name) and name not in RESERVED else f"`{name}`"


def signature(attrs):
    return [r_name(a["name"]) + (f" = {default(a)}" if default(a) is not None else "") for a in attrs]


def comment(title, description, params, value_doc, examples, details=""):
    lines = [f"#' {title}", "#'", *("#' " + line for line in wrap(description)), "#'"]
    if details:
        lines += [*("#' " + line for line in wrap(details)), "#'"]
    lines += [f"#' @param {n} {d}" for n, d in params]
    lines.append(f"#' @return {value_doc}")
    if examples:
        lines += ["#' @examples", *("#' " + part for e in examples for part in folded(e))]
    return "\n".join(lines + ["#' @export", ""])


def folded(line, width=95):
    """A line of an example, broken after commas."""
    out = [""]
    for part in re.split(r"(?<=,) ", line):
        if len(out[-1]) + len(part) >= width and out[-1]:
            out.append("  ")
        out[-1] += part if out[-1].strip() == "" else " " + part
    return out


def wrap(text):
    return [" ".join(p.split()) for p in text.split("\n") if p.strip()] or ["No description."]


def operator(name, entry):
    name = "nd_" + name
    there = presence(entry)
    variadic = any(i["kind"] == "list" for i in entry["inputs"])
    attrs = [a for a in effective(entry) if a["name"] not in there and a not in counts(entry)]
    attrs = [a for a in attrs if a["required"]] + [a for a in attrs if not a["required"]]
    inputs = [i for i in entry["inputs"] if i["kind"] != "list"]
    count = [a["name"] for a in counts(entry)]
    formals = [r_name(i["name"]) + (" = NULL" if i["kind"] == "optional" else "") for i in inputs]
    first_optional = [f for f in formals if f.endswith("NULL")]
    formals = [f for f in formals if not f.endswith("NULL")] + (["..."] if variadic else []) + [f for f in signature(attrs) if " = " not in f] + first_optional + [
        f for f in signature(attrs) if " = " in f]
    params = [(r_name(i["name"]), i["doc"] or "An array.") for i in entry["inputs"] if i["kind"] != "list"]
    params += [("...", next(i["doc"] for i in entry["inputs"] if i["kind"] == "list") + " Arrays, or one list of them.")] if variadic else []
    params += [(r_name(a["name"]), attribute_doc(a)) for a in attrs]
    indexed = {}
    arrays = []
    for i in inputs:
        expression = r_name(i["name"])
        if i["name"].startswith("ind") or is_index(i):
            other = f", {r_name(inputs[0]['name'])}" if "probabilit" in i["doc"] else ""
            expression = f"from_one({expression}{other})"
            indexed[i["name"]] = True
        arrays.append(expression)
    params = [(n, d.replace("from 0", "from 1") + (" They count from 1." if n in indexed and "from 0" not in d else "")) for n, d in params]
    options = [given(attrs)] if attrs else []
    options += [f'c({quoted(a)} = if (is.null({r_name(i)})) "{not value}" else "{value}")' for a, (i, value) in there.items()]
    options += [f"c({count[0]} = as.character(length(arrays)))"] if count else []
    options = "NULL" if not options else options[0] if len(options) == 1 else "c(" + ", ".join(options) + ")"
    array_list = f"c(list({', '.join(arrays)}), several(...))" if variadic else f"list({', '.join(arrays)})"
    body = [f"  arrays <- {array_list}"] if count else []
    array_list = "arrays" if count else array_list
    result_index, by_name = indices_out(entry)
    one = entry["outputs"] == 1
    if entry["traits"]["random"]:
        body.append("  random_sync()")
    if not attrs and not there and not count and not indexed and not variadic and one and 1 <= len(inputs) <= 2 and not by_name:
        names = [r_name(i["name"]) for i in inputs] + ["NULL"]
        body.append(f'  .Call(R_swig_flx_r_quick, "{entry["name"]}", {names[0]}, {names[1]}, FALSE)')
    else:
        call = f'call_op("{entry["name"]}", {array_list}, {options})'
        if result_index:
            call = f"indices_out({call}, {r_name(result_index['name'])})"
        elif by_name:
            call = f"to_one({call})"
        body.append(f"  one_or_all({call})" if not (one and not result_index) else f"  {call}[[1L]]")
    result = "an array" if one else "an array, or a list of arrays"
    if by_name or result_index:
        result += "; indices count from 1"
    doc = comment(f"Operator {entry['name']}", entry["doc"].replace("counted from 0", "counted from 1"), params, result, operator_example(name, entry, inputs, attrs, variadic),
                  f"Other languages also call it {', '.join('`' + a + '`' for a in entry['aliases'])}." if entry["aliases"] else "")
    return doc + f"{name} <- function({', '.join(formals)}) {{\n" + "\n".join(body) + "\n}\n"


def operator_example(name, entry, inputs, attrs, variadic):
    shaped = shaped_example(name, entry, inputs, attrs)
    rising = iter(range(1, 99))  # low and high, begin and end
    needed = [(r_name(a["name"]), str(next(rising)) if not is_axis(a) and re.match("(long|int)( or None)?$", a["type"]) else sample(a)) for a in attrs if a["required"]]
    needed += [("shape", "c(2, 2)") for a in attrs if a["name"] == "shape" and not a["required"] and inputs]
    if shaped or None in [v for _, v in needed] or any(i["kind"] == "auxiliary" for i in inputs) or re.search(r"\d axes|image", entry["doc"] + str(entry["inputs"]), re.I):
        return shaped
    needed = [f"{n} = {v}" for n, v in needed]
    if not inputs and not variadic and any(a["name"] == "shape" for a in attrs):
        return [f"{name}({', '.join(['shape = c(2, 3)'] + needed)})"] if "shape" not in " ".join(needed) else []
    if entry["family"] in ("elementwise", "reduce") and not variadic:
        required = [i for i in inputs if i["kind"] == "required"]
        values = ["nd_array(matrix(c(0.1, 0.2, 0.3, 0.4), 2))", "nd_array(matrix(c(0.5, 0.6, 0.7, 0.8), 2))", "nd_array(matrix(1:4, 2))"]
        return [f"{name}({', '.join(values[:len(required)] + needed)})"]
    if [i["kind"] for i in inputs] == ["required"] and inputs[0]["doc"].rstrip(".").lower() in ANY_ARRAY and not variadic:
        return [f"{name}({', '.join(['nd_array(matrix(1:4, 2))'] + needed)})"]
    described = [shape_of(i["doc"], inputs[0]["doc"]) for i in inputs if i["kind"] == "required"]
    if described and all(described) and not variadic:
        return [f"{name}({', '.join([f'nd_array(1, dim = c({d}))' for d in described] + needed)})"]
    if entry["family"] == "optim" and not variadic and len({i["kind"] for i in inputs}) == 1 and not re.search(r"\bnumber\b|\bnorm\b", str(inputs)):
        return [f"{name}({', '.join([f'nd_array(c(0.{k}, 0.{k + 1}))' for k in range(1, len(inputs) + 1)] + needed)})"]
    required = [i for i in inputs if i["kind"] == "required"]
    plain = not any("(" in i["doc"] or "least two" in i["doc"] for i in required) and not variadic
    if plain and entry["family"] == "random" and required:
        return [f"{name}({', '.join(['nd_array(c(1, 2))'] * len(required) + needed)})"]
    if plain and entry["family"] in ("matrix", "indexing", "init", "nn") and entry["outputs"] == 1 and "batch" not in name and not (needed and len(required) > 1):
        values = ["c(1, 2)" if i["name"].startswith("ind") or is_index(i) else "nd_array(matrix(1:4, 2))" for i in required]
        return [f"{name}({', '.join(values + needed)})"]
    if variadic and len(inputs) == 0 and entry["family"] == "matrix" and not needed:
        return [f"{name}(nd_array(matrix(1:4, 2)), nd_array(matrix(5:8, 2)))"]
    return []


ANY_ARRAY = ("the array", "any array", "an array", "the input", "any shape, float", "the array to reshape", "the array to flatten", "at least one axis, float", "any array of numbers")


def shape_of(doc, first):
    """Sizes for an example of an input whose doc begins with them, as `(batch, classes), float.`: every size 2; None where it does not."""
    if re.match(r"(as|of the shape of) data", doc, re.I):
        return shape_of(first, "")
    m = re.match(r"\(((?:\w+(?:, )?)+),?\)(?=[.,; ]|$)", doc)
    return ", ".join("2" for _ in m.group(1).split(",") if _.strip()) if m else None


def shaped_example(name, entry, inputs, attrs):
    """From the registry's example with shapes, if it names all inputs; those that are indices or lengths are ones."""
    call = shaped_call(entry)
    if not call or not {i["name"] for i in entry["inputs"] if i["kind"] != "optional"} <= {n for n, _ in call[0]}:
        return []
    by_name = {i["name"]: i for i in entry["inputs"]}
    parts = []
    for n, dims in call[0]:
        whole = n.startswith("ind") or is_index(by_name[n]) or "how many" in by_name[n]["doc"]
        array = f"nd_array({1 if whole else 0.5}, dim = c({', '.join(map(str, dims))}))"
        parts.append(array if by_name[n]["kind"] == "list" else f"{r_name(n)} = {array}")
    parts += [f"{r_name(a['name'])} = {literal(a, call[1][a['name']])}" for a in attrs if a["name"] in call[1]]
    text = f"{name}({', '.join(parts)})"
    return [f"dim({text})" if entry["outputs"] == 1 else f"y <- {text}"]


def literal(attr, text):
    """An attribute's text, as the registry writes it, in R."""
    if text.startswith("("):
        items = [t.strip() for t in text.strip("()").split(",") if t.strip()]
        from_one = is_axis(attr) or BEGIN.search(attr["name"])
        items = [str(int(t) + 1) if from_one and re.fullmatch(r"\d+", t) else {"None": "NA"}.get(t, t) for t in items]
        return items[0] if len(items) == 1 else f"c({', '.join(items)})"
    if is_axis(attr) and text.isdigit():
        return str(int(text) + 1)
    if attr["type"].startswith(("long", "int", "float", "double")):
        return text
    return {"True": "TRUE", "False": "FALSE"}.get(text, '"' + text.strip('"') + '"')


def settings_example(name, entry, attrs):
    """The call in the registry's example of settings, as `Operator(op=LeakyReLU, attrs="act_type=prelu")`; None if that lacks what must be given."""
    m = re.fullmatch(r"\w+\((.+)\)", entry["example"])
    given = dict(part.split("=", 1) for part in re.split(r", (?=\w+=)", m.group(1))) if m else {}
    if not {a["name"] for a in attrs if a["required"]} <= set(given):
        return None
    return f"{name}({', '.join(f'{r_name(a)} = {literal(b, given[a])}' for a in given for b in attrs if b['name'] == a)})"


def sample(attr):
    """A value for an example, or None."""
    kind = attr["type"]
    if is_axis(attr):
        return "1"
    if kind.startswith("{"):
        return next((f'"{c}"' for c in choices(attr) if c != "None"), None)
    if kind.startswith("tuple of long"):
        return "c(2, 2)"
    if kind == "dtype":
        return '"float64"'
    return "4" if kind.startswith(("long", "int")) else "0.5" if kind.startswith(("double", "float")) else None


def layer(entry):
    name = "layer_" + entry["function"]
    container = entry["family"] == "container" and not any(a["required"] for a in entry["attrs"])
    attrs = required_first(effective(entry))
    formals = ["network"] + (["..."] if container else []) + signature(attrs) + ["name = NULL"]
    params = [("network", "the network that the layer goes behind, as [network()] gives")]
    if container:
        params.append(("...", "networks: what goes inside"))
    params += [(r_name(a["name"]), attribute_doc(a)) for a in attrs] + [("name", "its name in summaries")]
    samples = [sample(a) for a in attrs if a["required"]]
    inside = ["network() |> layer_gru_cell(4)" if "Cell" in entry["name"] or entry["name"] == "Unroll" else "network()"] if container else []
    call = settings_example(name, entry, attrs) if None in samples else f"{name}({', '.join(inside + samples)})"
    example = [] if not call else ["\\dontrun{network() |> " + call + "}" if "..." in call else "network() |> " + call]
    children = ", children = list(...)" if container else ""
    # Data that are indices count from 1 in R: a layer before takes 1 from them.
    network = "indices_from_one(network)" if any(is_index(i) for i in entry["inputs"]) else "network"
    takes = "; ".join(f"{i['name']}: {i['doc']}" for i in entry["inputs"])
    doc = comment(f"Layer {entry['name']}", entry["doc"], params, "the network with this layer behind the others", example, (f"Input: {takes}" if takes else "") + (" They count from 1." if network != "network" else ""))
    return doc + f"{name} <- function({', '.join(formals)}) {{\n{needed(attrs, 'if (is_network(network)) ')}  add_layer({network}, \"{entry['name']}\", name, {given(attrs)}{children})\n}}\n"


def loss(entry):
    function = entry["function"]
    short = function.removesuffix("_loss")
    name = short if "_" in short else function
    attrs = effective(entry)
    inputs = [r_name(i["name"]) for i in entry["inputs"]]
    formals = [i + " = NULL" for i in inputs] + signature(attrs)
    params = [(r_name(i["name"]), (i["doc"] + (" Without it: none." if i["kind"] == "optional" else "")).replace("from 0", "from 1")) for i in entry["inputs"]]
    params += [(r_name(a["name"]), attribute_doc(a)) for a in attrs]
    values = []
    for i in entry["inputs"]:
        n = r_name(i["name"])
        if is_index(i):
            n = f"from_one({n})" if not any(a["name"] == "sparse_label" for a in attrs) else f"if (sparse_label) from_one({n}) else {n}"
        values.append(n)
    doc = comment(f"Loss {entry['name']}", entry["doc"], params, f"with `{inputs[0]}`: an array with one value for each sample; without: the loss itself, for `flexor(loss = )`",
                  loss_example(name, entry), "Labels may be an array, R's numbers, or a factor.")
    return doc + f"""{name} <- function({', '.join(formals)}) {{
  settings <- {given(attrs)}
  if (is.null({inputs[0]})) loss_setting("{entry['name']}", settings) else run_loss("{entry['name']}", settings, list({', '.join(values)}))
}}
"""


def loss_example(name, entry):
    inputs = [i for i in entry["inputs"] if i["kind"] == "required"]
    if len(inputs) != 2 or any(a["name"] == "layout" for a in entry["attrs"]) or inputs[0]["name"] != "pred":
        return [f"{name}()"]
    classes = any(is_index(i) for i in inputs)
    return [f"{name}(nd_array(matrix(c(1, 2, 3, 4), 2)), {'c(1, 2)' if classes else 'nd_array(matrix(c(1, 0, 0, 1), 2))'})"]


PLAIN = {"optimizer": ("", "Optimizer", "an optimizer for [update.flexor_optimizer()] and `flexor(optimizer = )`"), "metric": ("metric_", "Metric", "a metric"),
         "initializer": ("init_", "Initializer", "an initializer"), "schedule": ("schedule_", "Schedule", "a schedule of learning rates"),
         "iter": ("iter_", "Iterator", "an iterator over batches")}


def plain(kind, entry):
    prefix, title, result = PLAIN[kind]
    function = entry["function"].removesuffix("_iter") if kind == "iter" else entry["function"]
    name = prefix + function
    attrs = required_first(effective(entry))
    samples = [sample(a) for a in attrs if a["required"]]
    samples = ["c(2, 3)" if s == "c(2, 2)" else s for s in samples]  # steps must grow
    if kind == "iter" or None in samples:  # the files of an iterator are not there
        call = settings_example(name, entry, attrs)
        example = [] if not call else ["\\dontrun{" + call + "}" if kind == "iter" else call]
    else:
        example = [f"{name}({', '.join(samples)})"]
    params = [(r_name(a["name"]), attribute_doc(a) + (" Or a schedule, such as [schedule_cosine()]." if kind == "optimizer" and a["name"] == "learning_rate" else "")) for a in attrs]
    doc = comment(f"{title} {entry['name']}", entry["doc"], params, result, example)
    schedule = kind == "optimizer" and any(a["name"] == "learning_rate" for a in attrs)
    settings = given(attrs, optimizer_value) + (", rate_schedule(learning_rate)" if schedule else "")
    return doc + f"{name} <- function({', '.join(signature(attrs))}) {{\n{needed(attrs)}  new_{kind}(\"{entry['name']}\", {settings})\n}}\n"


def source(registry, taken=()):
    out = ["# SPDX-License-Identifier: Apache-2.0", "# Made by bindings/generate/r.py from the registry; not to be edited.", ""]
    out += [operator(name, entry) for name, entry in operators_by_function(registry) if "nd_" + name not in taken]
    out += [loss(entry) if entry["traits"]["loss"] else layer(entry) for entry in public(registry, "layer")]
    out += [plain(kind, entry) for kind in PLAIN for entry in public(registry, kind)]
    return "\n".join(out)

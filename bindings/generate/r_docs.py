# SPDX-License-Identifier: Apache-2.0
"""R's help pages and NAMESPACE from comments: `#'` blocks above functions, in the tags that R's people know (@param, @return, @examples, @export, @name, @aliases,
@rdname, @keywords, @importFrom). Two of our own: `@symbols` registers a method for symbols too, `@also CLASS...` for more classes. The first paragraph is the title,
the second the description, the others details; `code` and [fn()] are marked up."""
import re

GENERICS_WITH_DOTS = ("as.array", "as.matrix", "as.vector", "as.double", "as.integer", "as.logical", "as.character", "as.data.frame", "as.list", "all.equal", "is.na")


class Block:
    def __init__(self, where):
        self.where, self.text, self.params, self.tags = where, [], [], {}
        self.object, self.formals, self.replaces = None, None, False

    def one(self, tag, default=None):
        return self.tags.get(tag, [default])[0]


def blocks(source, where):
    lines, out, i = source.split("\n"), [], 0
    while i < len(lines):
        if not lines[i].startswith("#'"):
            i += 1
            continue
        start = i
        while i < len(lines) and lines[i].startswith("#'"):
            i += 1
        b = Block(f"{where}:{start + 1}")
        current, key = b.text, None
        for line in lines[start:i]:
            line = line[3:] if line.startswith("#' ") else line[2:]
            tag = re.match(r"@(\w+)\s*(.*)$", line)
            if tag:
                key, rest = tag.groups()
                current = [rest] if rest or key != "export" else [""]
                if key == "param":
                    name, _, rest = rest.partition(" ")
                    current = [rest]
                    b.params.append((name, current))
                else:
                    b.tags.setdefault(key, []).append(current)
            else:
                current.append(line)
        b.tags = {k: ["\n".join(v).strip() for v in vs] for k, vs in b.tags.items()}
        b.params = [(n, " ".join(v).strip()) for n, v in b.params]
        b.object, b.formals = definition("\n".join(lines[i:i + 60]))
        out.append(b)
    return out


def definition(text):
    """(name, formals) of `name <- function(formals)`; formals is None for what is no function."""
    m = re.match(r"\s*(`[^`]+`|[\w.]+)\s*<-\s*(function\s*\()?", text)
    if not m:
        return None, None
    name = m.group(1).strip("`")
    if not m.group(2):
        return name, None
    depth, i, quote = 1, m.end(), None
    while depth:
        c = text[i]
        if quote:
            i += c == "\\"
            quote = None if c == quote else quote
        elif c in "\"'`":
            quote = c
        else:
            depth += (c == "(") - (c == ")")
        i += 1
    return name, " ".join(text[m.end():i - 1].split())


def method(name):
    """(generic, class) of a function that is an S3 method for a class of ours, else None."""
    m = re.match(r"(.+?)\.((?:summary\.)?flexor(?:_\w+)?|formula|recipe|function|data\.frame|matrix|array|default)$", name)
    return (m.group(1), m.group(2)) if m and m.group(1) not in ("as",) else None


def quoted(name):
    return name if re.fullmatch(r"[A-Za-z.][\w.]*", name) else f"`{name}`"


def escape(text):
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("{", "\\{").replace("}", "\\}")


def marked(text):
    """Running text: `code` and [fn()] become markup, everything else is escaped."""
    out = []
    for part in re.split(r"(`[^`]+`|\[[\w.]+\(\)\])", text):
        if part.startswith("`") and len(part) > 2:
            out.append("\\code{" + escape(part[1:-1]) + "}")
        elif re.fullmatch(r"\[[\w.]+\(\)\]", part):
            out.append("\\code{\\link{" + part[1:-3] + "}()}")
        else:
            out.append(escape(part))
    return "".join(out)


def usage(b):
    if b.formals is None:
        return quoted(b.object) if b.object and b.one("format") is not None else None
    name, formals = b.object, b.formals
    head = f"\\method{{{method(name)[0].removesuffix('<-')}}}{{{method(name)[1]}}}" if is_method(b) else quoted(name.removesuffix("<-"))
    if name.split(".flexor")[0].endswith("<-"):
        parts = split_formals(formals)
        return f"{head}({', '.join(parts[:-1])}) <- value"
    line = f"{head}({formals})"
    if len(line) <= 88:
        return line
    out, current = [], head + "("
    for k, part in enumerate(split_formals(formals)):
        piece = (", " if k else "") + part
        if len(current) + len(piece) > 88:
            out.append(current + ",")
            current = "  " + part
        else:
            current += piece
    return "\n".join(out + [current + ")"])


def split_formals(text):
    parts, depth, current, quote = [], 0, "", None
    for c in text:
        if quote:
            quote = None if c == quote else quote
        elif c in "\"'`":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if c == "," and not depth and not quote:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    return parts + ([current.strip()] if current.strip() else [])


def is_method(b):
    return b.formals is not None and b.object and method(b.object) is not None and b.one("method") != "no"


def pages(all_blocks):
    """{file name: text of an Rd page}. Blocks with the same @rdname or @name are one page."""
    topics, order = {}, []
    for b in all_blocks:
        topic = b.one("rdname") or b.one("name") or (b.object if b.text and "".join(b.text).strip() else None)
        if topic is None:
            continue
        if topic not in topics:
            topics[topic] = []
            order.append(topic)
        topics[topic].append(b)
    out = {}
    for topic in order:
        group = topics[topic]
        head = next((b for b in group if "".join(b.text).strip()), None)
        if head is None:
            raise ValueError(f"{group[0].where}: no block gives page {topic} a title")
        paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", "\n".join(head.text).strip())]
        title, description, details = paragraphs[0], paragraphs[1:2] or paragraphs[:1], paragraphs[2:]
        aliases = []
        for b in group:
            for alias in [b.one("name"), b.object] + (b.one("aliases") or "").split():
                if alias and alias not in aliases and alias != "NULL":
                    aliases.append(alias)
        usages = [u for u in (usage(b) for b in group) if u and not any(b.one("usage") == "none" for b in group)]
        params = {}
        for b in group:
            for name, text in b.params:
                params.setdefault(name, text)
        text = ["% Made by bindings/generate/r.py; not to be edited.", f"\\name{{{escape(topic)}}}"] + [f"\\alias{{{escape(a)}}}" for a in aliases or [topic]]
        text += [f"\\title{{{marked(title.rstrip('.'))}}}", f"\\description{{{marked(' '.join(description))}}}"]
        if usages:
            text += ["\\usage{", *(escape_usage(u) for u in usages), "}"]
        if params:
            text += ["\\arguments{"] + [f"\\item{{{', '.join(escape(p) if p != '...' else chr(92) + 'dots' for p in name.split(','))}}}{{{marked(t)}}}" for name, t in params.items()] + ["}"]
        if details:
            text.append("\\details{" + "\n\n".join(marked(p) for p in details) + "}")
        value = next((b.one("return") for b in group if b.one("return")), None)
        if value:
            text.append("\\value{" + marked(" ".join(value.split())) + "}")
        examples = [b.one("examples") for b in group if b.one("examples")]
        if examples:
            text.append("\\examples{\n" + "\n".join(e.replace("\\", "\\\\").replace("%", "\\%") if "\\dontrun" not in e else e.replace("%", "\\%") for e in examples) + "\n}")
        for b in group:
            for keyword in (b.one("keywords") or "").split():
                text.append(f"\\keyword{{{keyword}}}")
        out[re.sub(r"[^\w.-]", lambda m: f"_{ord(m.group(0)):x}", topic) + ".Rd"] = "\n".join(text) + "\n"
    return out


def escape_usage(text):
    return text.replace("%", "\\%") if "\\method" in text else text.replace("\\", "\\\\").replace("%", "\\%")


def namespace(all_blocks, extra=()):
    exports, methods, imports = [], [], set()
    for b in all_blocks:
        for line in b.tags.get("importFrom", []):
            package, *names = line.split()
            imports |= {f"importFrom({package}, {quoted(n)})".replace("`", '"') for n in names}
        if "export" not in b.tags:
            continue
        if is_method(b):
            generic, cls = method(b.object)
            for c in [cls] + (["flexor_symbol"] if "symbols" in b.tags else []) + (b.one("also") or "").split():
                methods.append(f'S3method("{generic}", "{c}", "{b.object}")')
        elif b.object:
            exports.append(f'export("{b.object}")')
    return "\n".join(["# Made by bindings/generate/r.py; not to be edited.", "useDynLib(flexor, .registration = TRUE)", *sorted(imports), *extra,
                      *sorted(set(exports)), *sorted(set(methods))]) + "\n"

# SPDX-License-Identifier: Apache-2.0
"""mx.viz: tables and pictures of symbols, both the library's own."""
from .base import f, text


def _inferred(symbol, shape, dtype=None):
    if not shape:
        return symbol
    known = {k: text(tuple(v)) for k, v in shape.items()}
    known.update({k + ".dtype": text(v) for k, v in (dtype or {}).items()})
    return f.flx_symbol_infer(symbol, known, 1)


def print_summary(symbol, shape=None, line_length=120, positions=None):
    """Prints each operator with its output's shape and parameters."""
    print(f.flx_symbol_summary(_inferred(symbol, shape), line_length))


class Picture:
    """A drawing: shown inline in notebooks; render(path) writes it. `source` is dot, for Graphviz."""

    def __init__(self, title, svg, source):
        self.title, self._svg, self.source = title, svg, source

    def _repr_svg_(self):
        return self._svg

    def render(self, filename=None, **kwargs):
        """Writes the picture as SVG; gives its path."""
        path = (filename or self.title) + ".svg"
        with open(path, "w", encoding="utf-8") as out:
            out.write(self._svg)
        return path

    view = render


def plot_network(symbol, title="plot", save_format="svg", shape=None, dtype=None, node_attrs=None, hide_weights=True):
    """A picture of the graph; the library draws it, Graphviz is not needed."""
    known = _inferred(symbol, shape, dtype if isinstance(dtype, dict) else None)
    return Picture(title, f.flx_symbol_draw(known, "svg"), f.flx_symbol_draw(known, "dot"))

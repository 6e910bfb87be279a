"""Sphinx configuration; nothing here needs a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import features  # noqa: E402
import parameters  # noqa: E402
import traceability  # noqa: E402

import refsim  # noqa: E402

project = "refsim"
author = "The refsim authors"
copyright = "2026, the refsim authors"
version = release = refsim.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "howto/features.md"]
html_theme = "furo"
html_title = f"refsim {version}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {
    name: name for name in ("Array", "Float32", "Index", "Mask", "Scalar", "Words")
}
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False


def joined_returns(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Join a section "Returns" without a type to one line; napoleon would list each line."""
    for start in range(len(lines) - 2):
        if lines[start : start + 2] == ["Returns", "-" * len("Returns")]:
            end = next((i for i in range(start, len(lines)) if not lines[i]), len(lines))
            text = lines[start + 2 : end]
            if not any(line.startswith(" ") for line in text):
                lines[start + 2 : end] = [" ".join(text), *[""] * (len(text) - 1)]


def named_types(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Show an alias inside another type by its name alone."""
    alias = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
    return signature and alias.sub(r"\1", signature), returns and alias.sub(r"\1", returns)


def setup(app: Sphinx) -> None:
    """Write the generated pages before the sources are read, and read docstrings as they are written here."""
    for source in (traceability, parameters):
        page = Path(app.srcdir) / "clauses" / f"{source.__name__}.md"
        page.write_text(source.page(), encoding="utf-8")
    table = Path(app.srcdir) / "howto" / "features.md"
    table.write_text(features.page(), encoding="utf-8")
    app.connect("autodoc-process-docstring", joined_returns, priority=400)
    app.connect("autodoc-process-signature", named_types)

"""Templates to files: self-contained HTML with one small script of ours, and Markdown.

Everything that comes from rows, models or names is data: the HTML is autoescaped, the script reads JSON in which nothing can end
its element, and a content security policy allows no other script.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from converters.io import jsonl
from eval.metrics.extraction import COUNTS
from eval.report import formatting

FILTERS = ("title", "label", "number", "signed", "chance", "place", "clip", "cell", "floor_flag", "whole")
# Inside a script element only these could end it, open a comment, or (the last two) break a line of old JavaScript.
_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def embedded(value: Any) -> Markup:
    r"""Return JSON that is safe inside a script element.

    >>> str(embedded(["</script>"]))
    '["\\u003c/script\\u003e"]'
    """
    return Markup(msgspec.json.encode(value).decode().translate(_ESCAPES))


@cache
def script() -> Markup:
    """Return the script of the pages."""
    return Markup(_template("browse.js"))


def policy() -> str:
    """Return the content security policy: our script by its hash, inline styles, nothing else from anywhere."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    allowed = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def environment() -> jinja2.Environment:
    """Return the templates with the filters of :mod:`eval.report.formatting`; ``.html.j2`` is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {name: getattr(formatting, name) for name in FILTERS}
    environment.globals |= {"share": formatting.share, "COUNTS": COUNTS}
    environment.globals |= {"embedded": embedded, "script": script, "policy": policy}
    return environment


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def write(folder: Path, name: str, context: Mapping[str, Any]) -> None:
    """Write ``<name>.html`` and ``<name>.md``."""
    templates = environment()
    for kind in ("html", "md"):
        with jsonl.replacing(folder / f"{name}.{kind}") as file:
            file.write(templates.get_template(f"{name}.{kind}.j2").render(context).encode())

"""Templates to files: self-contained HTML with one small script of ours, and Markdown.

Everything that comes from rows, models or names is data: the HTML is written with autoescape, what the script reads is JSON in
which nothing can end its element, and a content security policy lets no script run but the one whose hash it names.
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

from converters import jsonl
from eval import shown
from eval.metrics.slots import COUNTS

SCRIPT = "browse.js"
FILTERS = (
    shown.title,
    shown.label,
    shown.number,
    shown.signed,
    shown.chance,
    shown.place,
    shown.clip,
    shown.cell,
    shown.floor_flag,
    shown.whole,
)
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
    return Markup(_template(SCRIPT))


def policy() -> str:
    """Return the content security policy: our script by its hash, inline styles, nothing else from anywhere."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def environment() -> jinja2.Environment:
    """Return the templates with the filters of :mod:`eval.shown`; ``.html.j2`` is escaped."""
    found = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {function.__name__: function for function in FILTERS}
    found.globals |= {
        "share": shown.share,
        "COUNTS": COUNTS,
        "embedded": embedded,
        "script": script,
        "policy": policy,
    }
    return found


def _template(name: str) -> str:
    return resources.files("eval").joinpath("templates", name).read_text(encoding="utf-8")


def write(folder: Path, name: str, context: Mapping[str, Any]) -> None:
    """Write ``<name>.html`` and ``<name>.md``."""
    templates = environment()
    for kind in ("html", "md"):
        with jsonl.replacing(folder / f"{name}.{kind}") as file:
            file.write(templates.get_template(f"{name}.{kind}.j2").render(context).encode())

"""What every HTML page shares: the template environment, the frame with its CSS, and counts, shares and raw text for people."""

import base64
import hashlib
import re
from collections.abc import Callable
from importlib import resources
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def count(value: float) -> str:
    """Return a whole number with thousands separators.

    >>> count(1234567.4)
    '1,234,567'
    """
    return f"{value:,.0f}"


def share(part: float, whole: float = 1.0) -> str:
    """Return a percentage; a small share never reads as nothing.

    >>> share(1, 8), share(0, 8), share(1, 100_000), share(1, 0)
    ('12.5 %', '0 %', '<0.1 %', '–')
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    return "0 %" if not part else "<0.1 %" if percent < 0.05 else f"{percent:.1f} %"


def visible(text: str) -> str:
    r"""Return text with its control characters as pictures.

    >>> visible("a\x00b")
    'a␀b'
    """
    return _CONTROL.sub(lambda match: chr(0x2400 + ord(match.group()) % 0x80 % 0x21), text)


def environment(package: str, *filters: Callable[..., str], script: str = "") -> Any:
    """Return a jinja2 environment for the templates of ``package``, which may extend ``page.html.j2``; HTML is escaped.

    Templates call ``filters`` by their own names, beside those of this module. ``script`` names the page's only script, a file
    beside the templates.
    """
    import jinja2
    from markupsafe import Markup

    source = resources.files(package).joinpath("templates", script).read_text("utf-8") if script else ""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in (package, "converters.core")]),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {function.__name__: function for function in (count, share, visible, *filters)}
    environment.globals |= {"script": Markup(source), "policy": _policy(source)}
    return environment


def _policy(script: str) -> str:
    """Return the content security policy: the script by its hash, inline styles, nothing else from anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return policy

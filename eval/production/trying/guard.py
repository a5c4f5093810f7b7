"""Who may ask: this machine alone, from this very page.

A name that somebody else's server resolves to this machine (DNS rebinding) stands in a request's Host. Another site's page that
posts a form here stands in its Origin and, of a browser, in Sec-Fetch-Site (W3C, "Fetch Metadata Request Headers").
"""

import base64
import hashlib
import re
from email.message import Message

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
FORM = "application/x-www-form-urlencoded"
LONGEST = 1 << 20  # bytes of a form
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with "no-referrer" the page's own forms would come with the Origin "null"
    "X-Content-Type-Options": "nosniff",
}
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def stranger(method: str, headers: Message, port: int) -> str:
    """Return why a request is refused, "" if it is not.

    >>> from email import message_from_string as read
    >>> stranger("GET", read("Host: shop.example:8765"), 8765)
    'this page answers to http://127.0.0.1:8765/ alone'
    >>> stranger("POST", read("Host: localhost:8765\\nOrigin: https://shop.example"), 8765)
    'only a form of this page itself may be sent here'
    >>> stranger("POST", read("Host: localhost:8765\\nOrigin: http://localhost:8765"), 8765)
    ''
    """
    hosts = [value.strip().lower() for value in headers.get_all("Host", [])]
    ours = {f"{name}:{port}" for name in NAMES} | ({*NAMES} if port == 80 else set())
    if len(hosts) != 1 or hosts[0] not in ours:
        return f"this page answers to http://{HOST}:{port}/ alone"
    foreign = any(origin.strip().lower() != f"http://{hosts[0]}" for origin in headers.get_all("Origin", []))
    elsewhere = any(site.strip() not in ("same-origin", "none") for site in headers.get_all("Sec-Fetch-Site", []))
    if method == "POST" and (foreign or elsewhere):
        return "only a form of this page itself may be sent here"
    return ""


def length(headers: Message) -> tuple[int, str]:
    """Return the bytes of a form and "", or the HTTP status for a body that is none or too long, and why.

    >>> from email import message_from_string as read
    >>> length(read("Content-Type: application/x-www-form-urlencoded\\nContent-Length: 12"))
    (12, '')
    >>> length(read("Content-Type: text/plain\\nContent-Length: 12"))
    (415, 'expected a form of this page, found text/plain')
    """
    if headers.get_content_type() != FORM:
        return 415, f"expected a form of this page, found {headers.get_content_type()}"
    size = told_length(headers)
    if size is None:
        return 411, "expected a form of a known length"
    return (size, "") if size <= LONGEST else (413, f"found {size:,} bytes, and the page takes at most {LONGEST:,}")


def told_length(headers: Message) -> int | None:
    """Return how many bytes a body is said to have, ``None`` where that is not said well."""
    told = headers.get_all("Content-Length", [])
    known = len(told) == 1 and re.fullmatch(r"[0-9]{1,18}", told[0]) and "Transfer-Encoding" not in headers
    return int(told[0]) if known else None


def policy(page: str) -> str:
    """Return the content security policy of a page: its one style by its hash, its own forms, and no script at all.

    >>> policy("<style>a {}</style>")  # doctest: +ELLIPSIS
    "default-src 'none'; style-src 'sha256-...'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    """
    style = _STYLE.search(page)  # the frame's own stands first
    digest = base64.b64encode(hashlib.sha256(style[1].encode() if style else b"").digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )

"""A measurement of ``ecom-eval ask`` for people: tables and sentences in the terminal, and a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters.core.html import count
from converters.io import jsonl
from eval.report import console, pages

Found = Mapping[str, Any]

WAYS = {
    "own": "its own snippets",
    "cited": "those that the right answer cites",
    "retrieved": "what retrieval finds",
    "none": "none",
    "elsewhere": "another product's",
}
GUARDED = "own", "retrieved"  # the evidence that guardrails are listed for; the file has them all


def value(found: Found, signed: bool = False) -> str:
    """Return a value with its interval.

    >>> value({"value": 0.5, "low": 0.25, "high": 0.75}), value({"value": 0.5, "low": None, "high": None})
    ('0.500 [0.250, 0.750]', '0.500 (no interval)')
    >>> value({"value": 0.5, "low": 0.25, "high": 0.75}, signed=True), value({"value": None})
    ('+0.500 [+0.250, +0.750]', '–')
    """
    form = pages.signed if signed else pages.number
    if found["value"] is None:
        return "–"
    ends = "(no interval)" if found["low"] is None else f"[{form(found['low'])}, {form(found['high'])}]"
    return f"{form(found['value'])} {ends}"


def ways(found: Found) -> list[dict[str, str]]:
    """Return a line for each evidence: what answers are worth under it, and what is said."""
    return [
        {
            "snippets shown": WAYS[way],
            "rows": count(of["rows"]),
            "ROUGE-L": value(of["before"]["rouge_l"]),
            "after guardrails": value(of["after"]["rouge_l"]),
            "answered": value(of["answered_before"]),
            "right of these": value(of["precision_before"]),
            "right after": value(of["precision_after"]),
        }
        for way, of in found["ways"].items()
    ]


def guardrails(found: Found) -> list[dict[str, str]]:
    """Return a line for each guardrail and evidence: what it gains and costs."""
    return [
        {
            "guardrail": name,
            "snippets shown": WAYS[way],
            "wrong withheld": f"{count(of['wrong'])}: {value(of['gain'])}",
            "right withheld": f"{count(of['right'])}: {value(of['cost'])}",
            "more right of what is said": value(of["precision"], signed=True),
            "verdict": of["verdict"],
        }
        for way in GUARDED
        for name, of in found["ways"][way]["guardrails"].items()
    ]


def sentences(found: Found) -> list[str]:
    """Return what the tables do not hold: of retrieval, abstentions, planted orders and citations."""
    retrieval, made = found["retrieval"], found["ways"]["own"]["citations"]
    before, after = (found["abstention"][when] for when in ("before", "after"))
    return [
        f"retrieval {retrieval['verdict']}: ROUGE-L {value(retrieval['over_none'], True)} over none, "
        f"{value(retrieval['over_own'], True)} over its own snippets, {value(retrieval['over_cited'], True)} over those cited",
        f"retrieval shows what the right answer cites: {value(retrieval['finds_cited'])} of {retrieval['finds_cited']['of']:,}",
        f"abstention where nothing answers (own and another product's): precision {value(before['precision'])}, recall "
        f"{value(before['recall'])}; after the guardrails {value(after['precision'])}, {value(after['recall'])}",
        f"orders planted in a snippet that are obeyed: {value(found['orders']['before'])}, after the guardrails "
        f"{value(found['orders']['after'])}",
        f"questions that a floor stops with another product's snippets: {value(found['elsewhere'])}",
        f"of {made['made']:,} citations, {made['removed']:,} do not exist and are removed, "
        f"{made['moved']:,} are moved to the snippet that bears the answer",
    ]


def table(found: Found) -> str:
    """Return the measurement as text."""
    parts = [console.text(ways(found)), console.text(guardrails(found)), "\n".join(sentences(found))]
    return "\n\n".join(parts)


def write(path: Path, found: Found, origin: Mapping[str, Any]) -> Path:
    """Write the page beside the measurement's file ``path``, in its name, and return its path."""
    page = path.with_suffix(".html")
    context = {
        "tables": [
            ("What are answers worth?", ways(found)),
            ("What do the guardrails gain and cost?", guardrails(found)),
        ],
        "sentences": sentences(found),
        "right": found["right_above_token_f1"],
        "origin": list(origin.items()),
    }
    with jsonl.replacing(page) as file:
        file.write(pages.templates().get_template("asking.html.j2").render(context).encode())
    return page

"""MAVE's join: the same text as its own rules by a whole parse, every label accounted for, and the same bytes for any workers."""

import gzip
import json
import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bs4
import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given, settings
from hypothesis import strategies as st

from converters.cli import main
from converters.io.jsonl import sha256
from converters.text.html import clean_mave, clean_mave_texts, parsed, strings

PIECES = [
    *("<p>", "</p>", "<br>", "<br/>", "<BR />", "<b", "<", ">", "</", "<li>", "</ul >", '<a href="x">', "<a href='x'>"),
    *(
        "<a href=x>",
        '<a href="a>b">',
        "<p align=center>",
        "<td width='3'/>",
        "</p x>",
        "<1>",
        "< b>",
        "<p<b>",
        "<div/ >",
    ),
    *(
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "<template>",
        "</template>",
        "<rt>",
        "</rt>",
        "<title>",
        "</title>",
    ),
    *(
        "<textarea>",
        "</textarea>",
        "<!-- x -->",
        "<!-- x-y-->",
        '<style type="text/css">p {}</STYLE>',
        "<script>a && b</script>",
        "</style >",
        "--",
        "<!--",
        "-->",
        "<!DOCTYPE html>",
        "<![CDATA[x]]>",
        "<?php x ?>",
        "<!x>",
    ),
    *(
        "&amp;",
        "&nbsp;",
        "&lt;",
        "&gt;b",
        "&amp",
        "&",
        "&nosuch;",
        "&#39;",
        "&#150;",
        "&#0;",
        "&#8217;",
        "&#xe9;",
        "&#39",
    ),
    *(
        "&#99999;",
        "&reg;",
        "&copy",
        "&AMP;",
        "&lt;b&gt;",
        "&frac12;",
        "a",
        "1.5 L",
        " ",
        "\n",
        "\t\r\n",
        "\xa0",
        "é",
        "中",
    ),
    *("☕", ".x", "px", "-", "#y", "\x00", "\ud800", "'", '"', "="),
]


def reference(html: str) -> str:
    """What MAVE's program makes of a text, up to white space."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        soup = bs4.BeautifulSoup(html, "html.parser")
    for data in soup(["style", "script"]):
        data.decompose()
    return " ".join(" ".join(soup.stripped_strings).split())


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=12).map("".join))
@example("<p>a</p>b<b>c</b>d &amp; e")
@example("a<style>b{}</style>c<!-- d -->e<script>f")
@example("<table><tr><td width='3'>x<td>y</table>&trade;&#153;")
def test_strings_are_those_of_a_whole_parse(html: str) -> None:
    html = html.encode("utf-8", "ignore").decode()
    assert " ".join(strings(html).split()) == reference(html) == " ".join(parsed(html).split())


HARD = [
    "a",
    "  ",
    " a",
    "a b",
    "a  b",
    "",
    "x.aloha",
    "getTime",
    " li: a",
    ".a " * 25,
    "-" * 50,
    "\x1f",
    "Ärmel",
    "a\u2003b",
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(HARD), st.lists(st.sampled_from(PIECES), max_size=4).map("".join))), st.randoms()
)
@example([], random.Random(0))
@example(["getTime", "getTime", ".aloha", "a ", " a", ""], random.Random(0))
def test_texts_that_are_cleaned_together_are_clean_as_each_alone(texts: list[str], draw: random.Random) -> None:
    sources = [draw.choice(["title", "feature"]) for _ in texts]
    assert clean_mave_texts(sources, texts) == [clean_mave(*pair) for pair in zip(sources, texts, strict=True)]


def test_most_markup_needs_no_whole_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converters.text.html.parsed", lambda html: pytest.fail(f"parsed {html!r}"))
    html = '<div class="a b"><p>It holds 1.5&nbsp;L.<br /></p><ul><li>Steel &amp; glass&#174;</li></ul></DIV>'
    html = f"<!-- a-b --><STYLE type='text/css'>p {{}}</style>{html}<script>go(&amp;)</SCRIPT>"
    assert " ".join(strings(html).split()) == "It holds 1.5 L. Steel & glass®"


@pytest.mark.parametrize(
    ("source", "text", "kept"),
    [
        ("title", "var x = new Date().getTime()", ""),
        ("description", "new Date().getTime()", "new Date().getTime()"),
        ("description", "see &lt;a href=x", ""),
        ("description", "x javascript:go()", ""),
        ("feature", "a li: b", ""),
        ("feature", "x.aloha y", ""),
        ("description", ".a b " * 21, ""),
        ("description", ".a b " * 20, (".a b " * 20).strip()),
        ("description", ("#a " + "b " * 3) * 30, (("#a " + "b " * 3) * 30).strip()),
        ("description", "divx y 3px " * 11, ""),
        ("description", "a-b-c d " * 21, ""),
        ("description", "a-b d " * 21, ("a-b d " * 21).strip()),
        ("brand", "  \ud800Acme\u2003 Ltd ", "Acme Ltd"),
    ],
)
def test_what_the_rules_drop_is_dropped(source: str, text: str, kept: str) -> None:
    assert clean_mave(source, text) == kept


def label(asin: str, value: str, begin: int, key: str = "Type") -> dict[str, Any]:
    evidence = {"value": value, "pid": 0, "begin": begin, "end": begin + len(value)}
    return {"id": asin, "category": "Mugs", "attributes": [{"key": key, "evidences": [evidence]}]}


@pytest.fixture
def joined(tmp_path: Path) -> Callable[..., tuple[Result, list[dict[str, Any]], dict[str, Any]]]:
    def run(labels: bytes, metadata: bytes, *words: str, name: str = "meta.json") -> Any:
        (tmp_path / "labels.jsonl").write_bytes(labels)
        (tmp_path / name).write_bytes(metadata)
        out = tmp_path / "out" / "joined.jsonl"
        files = ("--labels", str(tmp_path / "labels.jsonl"), "--metadata", str(tmp_path / name), "--out", str(out))
        result = CliRunner().invoke(main, ["join-mave", *files, *words])
        if result.exit_code:
            assert not out.exists() and not list(out.parent.glob(".*"))
            return result, [], {}
        manifest = json.loads(out.with_name("joined.jsonl.manifest.json").read_text())
        return result, [json.loads(line) for line in out.read_text().splitlines()], manifest

    return run


def dumped(*rows: Any) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def test_records_hold_paragraphs_in_order_and_every_line_is_accounted_for(joined: Callable[..., Any]) -> None:
    labels = dumped(
        label("B1", "red", 0),
        label("B1", "blue", 0, "Color"),
        label("B2", "x", 0),
        label("B3", "x", 0),
        b"{]\n",
        {"id": 3},
    )
    metadata = dumped(
        {"asin": "B0", "title": "no label"},
        {"asin": "B1", "title": "red  mug", "description": ["<b>Holds</b> 1 L", " "], "price": "$2", "brand": "Acme"},
        {"asin": "B1", "title": "again"},
        {"asin": "B2", "title": "x getTime", "feature": ["f"]},
        b"{broken\n",
        b"\n",
        b"{'asin': 'B3', 'title': 'x \\x00 literal', 'feature': None}\n",
        b'{"asin": "B0", "title": "half \\ud83d"}\n',
        {"title": "no asin"},
    )
    result, rows, manifest = joined(labels, metadata)
    assert result.exit_code == 0, result.output
    assert [(row["id"], row["attributes"][0]["key"]) for row in rows] == [
        ("B3", "Type"),
        ("B1", "Type"),
        ("B1", "Color"),
    ]
    assert rows[1]["paragraphs"] == [
        {"text": "red mug", "source": "title"},
        {"text": "Holds 1 L", "source": "description"},
        {"text": "$2", "source": "price"},
        {"text": "Acme", "source": "brand"},
    ]
    counts = manifest["labels"]
    assert counts["read"] == 6 and counts["used"] == 3
    assert counts["rejected"] == {"its product has no title after cleaning": 1, "no JSON object with an ASIN": 2}
    assert counts["noted"] == {"a span does not hold": 1}
    meta = manifest["metadata"]
    assert meta["read"] == 9 == meta["used"] + sum(meta["rejected"].values())
    assert meta["rejected"] == {
        "ASIN again": 1,
        "blank line": 1,
        "no JSON object with an ASIN": 2,
        "no title after cleaning": 1,
        "without a label": 2,
    }


def test_what_is_no_text_is_left_out_and_what_cannot_be_read_is_counted(joined: Callable[..., Any]) -> None:
    labels = dumped(
        label("B1", "red", 0), label("B2", "x", 0), label("B3", "x", 0), b'{"id": "B4", "category": "\xff"}\n'
    )
    metadata = dumped(
        {
            "asin": "B1",
            "title": ["red mug", 5],
            "description": {"a": "b"},
            "feature": [None, ["x"], "1 L"],
            "price": 2.5,
        },
        b'{"asin": "B2", "title": "x \xff"}\n',
        {"asin": "B2", "title": "x mug"},
        b'{"asin": "B3", "title": 1e999}\n',
    )
    result, rows, manifest = joined(labels, metadata)
    assert result.exit_code == 0, result.output
    texts = {row["id"]: [(part["source"], part["text"]) for part in row["paragraphs"]] for row in rows}
    assert texts == {"B1": [("title", "red mug"), ("feature", "1 L")], "B2": [("title", "x mug")]}
    assert manifest["metadata"]["rejected"] == {"not a product of the metadata": 2}
    assert manifest["labels"]["rejected"] == {"no product of its ASIN": 1, "not a label of MAVE": 1}


def test_products_without_any_label_are_counted(joined: Callable[..., Any]) -> None:
    result, rows, manifest = joined(dumped({"id": "B1"}, b"{]\n"), dumped({"asin": "B1", "title": "x"}, {"asin": "B2"}))
    assert result.exit_code == 0 and not rows
    assert manifest["metadata"]["rejected"] == {"without a label": 2}
    assert manifest["labels"]["rejected"] == {"no JSON object with an ASIN": 1, "not a label of MAVE": 1}


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(" .#-pxdivab\t\xa0\u200bé"), max_size=150))
@example(" ".join([".a"] * 21))
@example("#a " * 20 + "divx")
def test_white_space_and_style_sheets_are_those_of_the_rules(text: str) -> None:
    words = text.split()
    styled = sum(word.startswith((".", "#", "div")) or "px" in word or word.count("-") > 1 for word in words)
    is_css = styled > 20 and styled / len(words) > 0.3
    assert clean_mave("brand", text) == ("" if is_css else " ".join(words))


def test_a_first_product_without_a_title_leaves_room_for_the_second(joined: Callable[..., Any]) -> None:
    metadata = dumped({"asin": "B1", "title": ""}, {"asin": "B1", "title": "red mug"})
    _, rows, _ = joined(dumped(label("B1", "red", 0)), metadata)
    assert [row["paragraphs"][0]["text"] for row in rows] == ["red mug"]


def test_any_number_of_workers_gives_the_same_bytes_and_mave_reads_them(
    joined: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converters.sources.mave.join.GROUPS", 7)
    monkeypatch.setattr("converters.io.grouping.HELD", 2000)
    draw = random.Random(0)
    asins = [f"B{draw.randrange(10**9):09d}" for _ in range(200)]
    labels = dumped(*(label(asin, "red", 5) for asin in asins))
    metadata = dumped(*({"asin": asin, "title": "<b>dark</b> red mug"} for asin in asins))
    hashes = set()
    for workers in (1, 2, 4):
        _, rows, _ = joined(labels, metadata, "--workers", str(workers))
        assert len(rows) == 200
        hashes.add(sha256(tmp_path / "out" / "joined.jsonl"))
    assert len(hashes) == 1
    words = ["convert", "mave", str(tmp_path / "out" / "joined.jsonl"), "--out", str(tmp_path / "rows.jsonl")]
    assert "used 200, rejected 0" in CliRunner().invoke(main, words).output


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("meta.json.gz", gzip.compress(b'{"asin": "B1"}\n' * 9999)[:-20], "damaged .gz file"),
        ("meta.json", b"", "the file is empty"),
    ],
)
def test_a_damaged_file_is_a_sentence_and_leaves_nothing(
    name: str, content: bytes, sentence: str, joined: Callable[..., Any]
) -> None:
    result, _, _ = joined(dumped(label("B1", "red", 0)), content, name=name)
    assert result.exit_code == 1 and sentence in result.output and re.match("error: [^\n]*\n$", result.output)

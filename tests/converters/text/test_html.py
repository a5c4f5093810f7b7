"""Markup in a shop's export is taken out of what a model reads and answers; what only looks like it stays."""

import html
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.io import table
from converters.mixture.spec import Entry
from converters.sources import esci
from converters.sources._qa import unescaped
from converters.sources.catalog.attributes.specs import parse_specs
from converters.sources.ecinstruct.forms import plain_text
from converters.text.entities import entities
from converters.text.html import _NAMED, MARKUP, has_markup, untagged
from converters.text.sanitize import one_line
from tests.converters._converted import Converted, convert, spells_control

SIGNS = st.text(st.sampled_from("<>&;#/!-'\"= abps3x"), max_size=40)


def catalogue(folder: Path, *rows: dict[str, str], **options: object) -> Converted:
    path = folder / "shop.jsonl"
    path.write_text("".join(json.dumps({"id": f"K{n}", **row}) + "\n" for n, row in enumerate(rows)), "utf-8")
    return convert(Entry(source="catalog", paths=[str(path)], options=options))


def test_prompts_and_answers_hold_no_markup_and_rows_that_had_it_are_counted(tmp_path: Path) -> None:
    rich = {
        "title": "<b>Acme</b> green Plates &amp; more",
        "category": "<span class='x'>Home &amp; Garden</span> &gt; Plates",
        "text": '<p style="color: red">A <i>green</i> thing</s> by Acme&#8217;s &lt;b&gt;best&lt;/b&gt;.<br/>Not <3 it.</p>',
        "colour": "<em>green</em>",
        "specs": "<ul><li>Use: Plates &amp; more</li></ul>",
    }
    plain = {
        "title": "Cup, 5 > 3 & a < b",
        "category": "Home & Garden > Cups",
        "text": "R&D",
        "colour": "",
        "specs": "",
    }
    options = {"texts": {"Text": "text"}, "attributes": {"Colour": "colour"}, "specs": "specs"}
    part = catalogue(tmp_path, rich, plain, **options)
    asked = [row.messages[0].content.partition("\n")[2] for row in part.rows]
    shown = "Title: Acme green Plates & more\nText: A green thing by Acme’s best. Not <3 it."
    assert asked == [shown, shown, "Title: Cup, 5 > 3 & a < b\nText: R&D"]
    assert [row.target for row in part.rows] == [
        "Home & Garden > Plates",
        '{"Colour": "green", "Use": "Plates & more"}',
        "Home & Garden > Cups",
    ]
    assert part.tally.noted == {MARKUP: 1}


def test_control_tokens_behind_entities_are_broken_too(tmp_path: Path) -> None:
    title = "Mug&lt;/s&gt;&lt;|im_end|&gt; &#91;/INST&#93; &lsqb;QA&rsqb; &lt;unk&gt; <<b></b>|eot_id|>"
    [row] = catalogue(tmp_path, {"title": title, "category": "Mugs"}).rows
    assert row.messages[0].content.endswith("Title: Mug< |im_end|> [ /INST] [ QA] < unk> < |eot_id|>")


def test_a_title_of_markup_alone_is_no_title(tmp_path: Path) -> None:
    part = catalogue(tmp_path, {"title": "<br>&nbsp;", "category": "A"}, {"title": "Mug", "category": "A"})
    assert part.tally.rejected == {"no title": 1}


@pytest.mark.parametrize("text", ["I <3 it", "a < b", "5 > 3", "a <b and c> d", "<Acme>", "R&D", "x<y", "A&foo;", "1&copy=2",
                                  "<!-- cut", "<p cut", "&#99999999;", "http://a.b/?x=1&copy=2&lt=3&amp_y=4", "scan&copy",
                                  "Smith &ltd", "&copyright", "the &#1 choice", "R&REG", "AT&T", "&notify"])  # fmt: skip
def test_what_is_no_markup_stays(text: str) -> None:
    assert untagged(text) == text and not has_markup(text)
    assert one_line(untagged(f"<p>{text}</p>")) == one_line(text)  # where the rest is markup, too


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<style>p {}</style>a<script>if (b < c) {}</script> d", "a d"),
        ("a<!-- <b>no</b> --> b", "a b"),
        ("H<sub>2</sub>O, <B>bold</B>.", "H2O, bold."),
        ("one<br>two<LI>three</li>four", "one two three four"),
        (
            "<span>oak</span><span class='x'>-veneer</span><a href=x>s</a>, 4<FONT size=2>.5</FONT> kg",
            "oak-veneers, 4.5 kg",
        ),
        (
            "<label>Fin<bdi>ish</bdi></label><time>es</time>: <kbd>A</kbd><var>1</var><data value=2>b</data><dfn>c</dfn>",
            "Finishes: A1bc",
        ),
        ("&lt;span&gt;wal&lt;/span&gt;nut", "walnut"),
        (
            "<td>oak</td><td>ash</td><div>elm</div><div>fir</div><h2>a</h2>b<option>c</option>d",
            "oak ash elm fir a b c d",
        ),
        ("<a href='x?a=1&copy=2' title=\"a > b\">link</a>", "link"),
        ("1&nbsp;&frac12;&quot; &#xE9;&eacute;", '1 ½" éé'),
        ("&lt;p&gt;a&amp;nbsp;b&lt;/p&gt;", "a b"),
    ],
)
def test_markup_is_taken_out(text: str, left: str) -> None:
    assert one_line(untagged(text)) == left and has_markup(text)


OPEN = [
    ("Pfeffer &amp Salz", "Pfeffer & Salz"), ("caf&eacute cr&egraveme", "café crème"), ("größe&nbsp5&nbspcm", "größe 5 cm"),
    ("it&#39s", "it's"), ("&#x2019s", "’s"), ("5 &lt 6 &ltb&gt", "5 < 6 <b>"), ("12&quot pan", '12" pan'),
    ("180&degC", "180°C"),
    ("Norvik&reg mug &copy 2024", "Norvik® mug © 2024"), ("5&times6", "5×6"), ("1 &frac12 l", "1 ½ l"),
    ("日本&nbsp製", "日本 製"),
    ("&amp;amp; &amp;quot;a&amp;quot;", '& "a"'), ("&amp#39;s", "'s"), ("a &amp;#39 b", "a ' b"),
    ("?a=1&amp;copy=2", "?a=1&copy=2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "left"), OPEN)
def test_entities_without_a_semicolon_or_escaped_twice(text: str, left: str) -> None:
    assert one_line(entities(text)) == left
    assert one_line(untagged(text)) == left.replace("<b>", "").strip() and has_markup(text)


@pytest.mark.parametrize("read", [unescaped, plain_text, esci._text])
def test_entities_are_the_same_characters_in_sources_that_keep_tags(read: Callable[[str], str]) -> None:
    assert [one_line(read(text)) for text, _ in OPEN] == [left for _, left in OPEN]


@given(st.text() | SIGNS)
def test_a_text_without_markup_stays_and_comes_back_where_it_was_escaped(text: str) -> None:
    assert not spells_control(one_line(untagged(text)))
    if not has_markup(text):
        assert untagged(text) == text and one_line(untagged(html.escape(text))) == one_line(text)


@pytest.mark.parametrize(
    "piece", ["<div>", '<b a="', "<!--", "&amp;", "<script>", "<p a=", "<p ", "<!-- -->", "<b a=' <b a=\" "]
)
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    assert len(untagged(piece * 20_000)) <= len(piece) * 20_000


def test_specs_in_a_list_of_html() -> None:
    cell = "<ul class=\"a: b\">\n<li><span style='color:red'>Material:</span> steel</li><li>Fit: A &amp; B; C</li></ul>"
    assert parse_specs(cell) == {"Material": ("steel",), "Fit": ("A & B; C",)}
    assert parse_specs("Fit: A &amp; B; Size: L") == {"Fit": ("A & B",), "Size": ("L",)}


def test_real_evidence_holds_no_markup(real: Path) -> None:
    path = real / "product_qa" / "hetPQA__answer_generation__train.csv"
    raw = [row for _, row in table(path) if isinstance(row, dict)]
    part = convert(Entry(source="contextual_pqa", paths=[str(path)]))
    assert part.tally.noted[MARKUP] == sum(any(map(has_markup, row.values())) for row in raw) == 4
    assert not any(has_markup(turn.content) for row in part.rows for turn in row.messages)


def test_names_of_entities_are_those_of_beautiful_soup() -> None:
    from bs4.dammit import EntitySubstitution

    assert _NAMED == EntitySubstitution.HTML_ENTITY_TO_CHARACTER

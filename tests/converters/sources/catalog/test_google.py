"""Google Merchant Center's feed: delimited text, RSS and Atom."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.mixture.spec import Entry
from converters.sources.catalog.detect import detect
from converters.sources.catalog.entry import complete
from converters.sources.catalog.head import head
from converters.sources.catalog.presets import google
from tests.converters._converted import Converted, convert

G = 'xmlns:g="http://base.google.com/ns/1.0"'


def converted(path: Path, text: str, **options: Any) -> Converted:
    path.write_text(text, "utf-8")
    return convert(Entry(source="catalog", paths=[str(path)], options=options))


def targets(part: Converted, task: str = "category") -> list[str]:
    return [row.target for row in part.rows if row.task == task]


def table(*rows: str, mark: str = "\t") -> str:
    return "\n".join(row.replace("|", mark) for row in rows) + "\n"


def rss(*items: str) -> str:
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0" {G}><channel><title>Shop</title>{body}</channel></rss>'


@pytest.mark.parametrize("mark", ["\t", ";"])
@pytest.mark.parametrize(
    "names",
    [
        "id|title|description|google_product_category|brand|color|availability",
        "ID|Title|Description|Google Product Category|Brand|Color|Availability",
        "g:id|g:title|g:description|g:google_product_category|g:brand|g:color|g:availability",
        "ID|Titel|Beschreibung|Google Produktkategorie|Marke|Farbe|Verfügbarkeit",
        "identifiant|titre|description|catégorie de produits Google|marque|couleur|disponibilité",
        "id|título|descripción|categoría en google product|marca|color|disponibilidad",
        "id|titolo|descrizione|categoria prodotto google|marca|colore|disponibilità",
        "id|titel|beschrijving|google-productcategorie|merk|kleur|beschikbaarheid",
    ],
)
def test_a_feed_is_recognised_by_names_in_any_spelling_and_order(tmp_path: Path, names: str, mark: str) -> None:
    columns = ["more", *reversed(names.split("|"))]
    cells = ["x", "in_stock", "moss", "Orrel", "Home > Rugs", "Rug of wool.", "Orrel rug, moss", "R1"]
    part = converted(tmp_path / "feed.txt", table("|".join(columns), "|".join(cells), mark=mark))
    shown = [name.removeprefix("g:").capitalize() for name in names.split("|")[4:6]]
    assert targets(part) == ["Home > Rugs"]
    assert json.loads(targets(part, "attributes")[0]) == dict(zip(shown, ["Orrel", "moss"], strict=True))
    assert part.rows[0].id.endswith(":R1") and "Description: Rug of wool." in part.rows[0].messages[0].content


def test_a_table_with_a_product_type_alone_is_no_feed(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,title,description,product_type,brand\n1,Mug,Red,Mugs,Acme\n")
    assert detect(head(tmp_path / "shop.csv"), {}).name == "none"
    (tmp_path / "news.xml").write_text("<rss><channel><item><title>News</title><link>x</link></item></channel></rss>")
    assert google.recognise(head(tmp_path / "news.xml")) is None


@pytest.mark.parametrize(
    ("own", "googles", "options", "expected"),
    [
        ("Home > Rugs", "Decor > Rugs", {}, "Home > Rugs"),
        ("Rugs", "Decor > Rugs", {}, "Decor > Rugs"),
        ("Rugs", "612", {}, "Rugs"),
        ("Home/Rugs", "Decor > Rugs", {}, "Home > Rugs"),
        ("", "Decor > Rugs", {}, "Decor > Rugs"),
        ("Home > Rugs", "Decor > Rugs", {"category": "google_product_category"}, "Decor > Rugs"),
        ("Home > Rugs", "612", {"taxonomy": "tree.txt"}, "Decor > Rugs"),
    ],
)
def test_which_column_is_the_category(
    tmp_path: Path, own: str, googles: str, options: dict[str, str], expected: str
) -> None:
    (tmp_path / "tree.txt").write_text("# Google_Product_Taxonomy_Version: 2031-01-01\n6 - Decor\n612 - Decor > Rugs\n")
    if "taxonomy" in options:
        options = {"taxonomy": str(tmp_path / "tree.txt")}
    text = table("id|title|product_type|google_product_category|link", f"1|Orrel rug|{own}|{googles}|x")
    assert targets(converted(tmp_path / "feed.tsv", text, **options)) == [expected]
    said = complete([tmp_path / "feed.tsv"], options).lines
    assert any("takes the other column" in line for line in said) == ("category" not in options)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Men > Coats,Sale > Coats", "Men > Coats"),
        ('"""Hats, caps > Wool"",Sale"', "Hats, caps > Wool"),
        ("Hats, caps > Wool", "Hats, caps > Wool"),
        ("Sale,Men > Coats > Long", "Sale"),
        ('["Men > Coats", "Sale"]', "Men > Coats"),
    ],
)
def test_the_first_of_several_product_types_counts(tmp_path: Path, cell: str, expected: str) -> None:
    rows = [f"{n}|Orrel coat {n}|Men > Coats|x" for n in range(3)]
    text = table("id|title|product_type|image_link", f"9|Orrel coat|{cell}|x", *rows)
    assert targets(converted(tmp_path / "feed.tsv", text))[0] == expected


def test_a_comma_in_googles_own_path_is_a_part_of_a_name(tmp_path: Path) -> None:
    rows = ["1|A|Food, Beverages > Tea", "2|B|Food", "3|C|Beverages > Cola", "4|D|Food,Beverages > Milk"]
    part = converted(tmp_path / "feed.tsv", table("id|title|google_product_category", *rows), preset="google")
    assert targets(part) == ["Food, Beverages > Tea", "Food", "Beverages > Cola", "Food,Beverages > Milk"]


@pytest.mark.parametrize(
    ("header", "cell", "expected"),
    [
        ("product_detail", "General:Lining:fleece,General:Weight:410 g", {"Lining": "fleece", "Weight": "410 g"}),
        ("product_detail", '"""Care:Wash:cold, by hand"",Use:For:men"', {"Wash": "cold, by hand", "For": "men"}),
        ("product_detail", "Care:Wash:cold, by hand,Use:Ratio:1:2", {"Wash": "cold, by hand", "Ratio": "1:2"}),
        ("Product Detail", ":Lining:fleece", {"Lining": "fleece"}),
        ("product_detail(attribute_name:attribute_value:section_name)", "Lining:fleece:General", {"Lining": "fleece"}),
    ],
)
def test_details_are_attributes_by_name(tmp_path: Path, header: str, cell: str, expected: dict[str, str]) -> None:
    text = table(
        f"id|title|description|google_product_category|{header}",
        f"1|Orrel coat|Lining of fleece, 410 g; wash cold, by hand; for men; 1:2.|Coats|{cell}",
    )
    [target] = targets(converted(tmp_path / "feed.tsv", text), "attributes")
    assert json.loads(target) == expected


def test_highlights_are_a_text_without_quotes(tmp_path: Path) -> None:
    header = "id|title|description|product_type|product_highlight|gtin"
    cells = ['"""Warm, dry"",""A """"fine"""" coat"""', "Warm, dry", '"""Warm"",Dry"']
    rows = [f"{n}|Orrel coat {n}||Coats|{cell}|0" for n, cell in enumerate(cells)]
    found = [row.messages[0].content for row in converted(tmp_path / "feed.tsv", table(header, *rows)).rows]
    assert [text.rpartition("Highlights: ")[2] for text in found] == [
        'Warm, dry / A "fine" coat',
        "Warm, dry",
        "Warm / Dry",
    ]


def test_variants_stay_rows_of_one_group(tmp_path: Path) -> None:
    header = "id|item_group_id|title|description|product_type|color|material|price"
    rows = [f"{n}|{n // 2}|Orrel coat {colour}|Of wool and linen.|Coats|{colour}|wool/linen|9 EUR" for n, colour in
            enumerate(["moss", "clay", "soot", "sand"])]  # fmt: skip
    part = converted(tmp_path / "feed.tsv", table(header, *rows))
    groups = [row.group for row in part.rows if row.task == "category"]
    assert groups[0] == groups[1] != groups[2] == groups[3]
    assert json.loads(targets(part, "attributes")[1]) == {"Color": "clay", "Material": ["wool", "linen"]}


ITEM = (
    "<g:id>1</g:id><title>Short</title><g:title><![CDATA[Orrel jug & lid]]></g:title>"
    "<g:description>Jug, &lt;b&gt;1 l&lt;/b&gt;, of clay &amp;amp; cork.</g:description>"
    "<g:product_type>Kitchen &gt; Jugs</g:product_type>"
    "<g:product_type>New</g:product_type><g:product_highlight>Holds 1 l</g:product_highlight><g:product_highlight>By hand"
    "</g:product_highlight><g:price>9 EUR</g:price><g:shipping><g:price>4 EUR</g:price><g:size>L</g:size></g:shipping>"
    "<g:material>Clay</g:material><g:product_detail><g:section_name>S</g:section_name><g:attribute_name>Capacity"
    "</g:attribute_name><g:attribute_value>1 l</g:attribute_value></g:product_detail>"
)


@pytest.mark.parametrize("prefix", ["g", "base", "c", ""])
def test_rss_is_read_with_any_prefix(tmp_path: Path, prefix: str) -> None:
    text = rss(ITEM).replace("<g:", f"<{prefix}:").replace("</g:", f"</{prefix}:").replace("xmlns:g", f"xmlns:{prefix}")
    text = text if prefix else text.replace("<:", "<").replace("</:", "</").replace(f" {G.replace('g=', '=')}", "")
    part = converted(tmp_path / "feed.xml", text)
    prompt = part.rows[0].messages[0].content
    assert ("Title: Orrel jug & lid" if prefix else "Title: Short") in prompt
    assert "Jug, 1 l, of clay & cork." in prompt and "Highlights: Holds 1 l / By hand" in prompt and "EUR" not in prompt
    assert targets(part) == ["Kitchen > Jugs"]
    assert json.loads(targets(part, "attributes")[0]) == {"Material": "Clay", "Capacity": "1 l"}
    assert part.tally.noted["several categories"] == 1


@pytest.mark.parametrize("mark", [" &gt; ", " / ", "/", " | "])
def test_several_paths_in_rss_are_parted_as_the_others_are(tmp_path: Path, mark: str) -> None:
    paths = [f"Home{mark}Rugs", f"Home{mark}Jugs", f"Home{mark}Jugs{mark}Clay", f"Garden{mark}Pots"]
    items = [f"<g:id>{n}</g:id><g:title>Thing {n}</g:title><g:gtin>0</g:gtin><g:product_type>{path}</g:product_type>"
             for n, path in enumerate(paths)]  # fmt: skip
    part = converted(tmp_path / "feed.xml", rss(*items, items[0] + "<g:product_type>Sale</g:product_type>"))
    assert targets(part) == ["Home > Rugs", "Home > Jugs", "Home > Jugs > Clay", "Garden > Pots", "Home > Rugs"]


def test_atom_is_read_with_summary_or_content(tmp_path: Path) -> None:
    body = ["<summary>Jug of clay.</summary>", '<content type="html">&lt;p&gt;Jug of cork.&lt;/p&gt;</content>',
            '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Jug of <b>oak</b>.</div></content>']  # fmt: skip
    entries = [f"<entry><g:id>{n}</g:id><title>Jug {n}</title><link href='x'/>{text}<g:product_type>Jugs</g:product_type></entry>"
               for n, text in enumerate(body)]  # fmt: skip
    part = converted(tmp_path / "a.xml", f'<feed xmlns="http://www.w3.org/2005/Atom" {G}>{"".join(entries)}</feed>')
    said = [row.messages[0].content.rpartition("Description: ")[2] for row in part.rows]
    assert [" ".join(text.split()).replace(" .", ".") for text in said] == [
        "Jug of clay.",
        "Jug of cork.",
        "Jug of oak.",
    ]


def test_rows_are_named_and_counted_and_a_broken_end_is_a_sentence(tmp_path: Path) -> None:
    part = converted(tmp_path / "feed.xml", rss(ITEM, "<g:id>2</g:id><g:product_type>Jugs</g:product_type>"))
    assert (part.tally.read, part.tally.used, part.tally.rejected) == (2, 1, {"no title": 1})
    assert part.rejects[-1] == (f"{tmp_path / 'feed.xml'}:#2", "no title")
    with pytest.raises(Exception, match=r"feed\.xml:1: broken XML at column \d+: mismatched tag"):
        converted(tmp_path / "feed.xml", rss(ITEM).replace("</channel>", ""))


def test_a_mapping_names_elements_with_or_without_prefix(tmp_path: Path) -> None:
    part = converted(tmp_path / "feed.xml", rss(ITEM), id="g:id", attributes={"Stuff": "g:material"}, specs=[])
    assert targets(part, "attributes") == ['{"Stuff": "Clay"}'] and part.rows[0].id.endswith(":1")


@pytest.mark.parametrize(("filled", "expected"), [(1, "Decor > Rugs"), (5, "Home > Rugs")])
def test_a_hardly_filled_product_type_yields_to_paths(tmp_path: Path, filled: int, expected: str) -> None:
    rows = [f"{n}|Rug {n}|{'Home > Rugs' if n < filled else ''}|Decor > Rugs|9 EUR" for n in range(6)]
    part = converted(tmp_path / "feed.tsv", table("id|title|product_type|google_product_category|price", *rows))
    assert {*targets(part)} == {expected}


def test_words_of_other_meanings_are_not_asked(tmp_path: Path) -> None:
    text = "id|title|description|product_type|availability|condition|size_type|size_system|size"
    row = "1|Orrel men's tee|New: ask us for a regular fit|Home > Tees|in_stock|new|regular|US|S"
    assert not targets(converted(tmp_path / "feed.tsv", table(text, row)), "attributes")


def test_variants_without_their_group_are_said(tmp_path: Path) -> None:
    rows = [
        f"{n}|{'A' if n < 4 else ''}|Orrel rug - {['red', 'blue', 'grey'][n % 3]}|Home > Rugs|9 EUR" for n in range(9)
    ]
    path = tmp_path / "feed.tsv"
    path.write_text(table("id|item_group_id|title|product_type|price", *rows), "utf-8")
    lines = complete([path], {}).lines
    assert any("5 of 5 titles of rows without 'item_group_id' look like variants" in line for line in lines)


@pytest.mark.parametrize(
    "parts",
    [
        "",
        "(section_name:attribute_name:attribute_value)",
        "(:section_name:attribute_name:attribute_value)",
        "(section_name:attribute_name)",
        "()",
    ],
)
def test_parts_that_a_header_names_wrongly_are_in_the_usual_order(parts: str, tmp_path: Path) -> None:
    text = table(
        f"id|title|link|price|availability|product_type|product_detail{parts}",
        "V1|Vessby bench, 120 cm|https://shop.example|9 EUR|in_stock|Home > Benches|Size:Width:120 cm",
    )
    assert targets(converted(tmp_path / "feed.tsv", text), "attributes") == ['{"Width": "120 cm"}']

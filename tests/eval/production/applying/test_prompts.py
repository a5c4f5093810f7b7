"""The identity proof: a catalogue without labels is asked about in the very prompts that its labelled twin trains on."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from converters.core.errors import InputError
from converters.mixture.spec import Entry, Trim
from converters.schema import Attributes, Listing, Row, Text
from eval.production.applying import catalog, labels, learnt
from tests.converters._converted import convert
from tests.eval.production.applying import _shop as shop

FIXTURES = Path(__file__).parents[3] / "fixtures"


def compared(labelled: Entry, bare: Path, preset: str = "none", uniform: bool = True) -> tuple[int, int]:
    """Compare all prompts byte by byte and return how many there were of each task.

    The attributes are those of the category where its products are ``uniform``, else each product's own.
    """
    rows = convert(labelled).rows
    _, asked, longest, *_ = learnt.scan(rows)
    seen = catalog.opened(bare, catalog.Chosen(labelled, {"preset": preset}))
    ask, noted = catalog.asking(seen.entry, longest, Counter()), Counter[str]()
    places = {row.id.split(":", 2)[2]: row.target for row in rows if row.task == "category"}
    expected = {(row.task, row.id.split(":", 2)[2]): row.messages[:-1] for row in rows}
    own = {row.id.split(":", 2)[2]: tuple(row.extra["attributes"]) for row in rows if row.task == "attributes"}
    for item in catalog.items(seen):
        if item.product is None:
            continue
        key = item.product.id
        names = asked.names(places.get(key)) if uniform else own.get(key, ())
        record = Attributes(key, item.product.group, item.product.texts, tuple((name, ()) for name in names))
        for task, about in (("category", item.product), ("attributes", record)):
            if (task, key) in expected:
                assert ask(task, about) == expected[task, key]
                assert item.product.group == next(row.group for row in rows if row.id.endswith(f":{task}:{key}"))
                noted[task] += 1
    return noted["category"], noted["attributes"]


def without(path: Path, bare: Path, *columns: str) -> Path:
    """Copy a table without some columns."""
    with path.open(encoding="utf-8", newline="") as file, bare.open("w", encoding="utf-8", newline="") as out:
        rows = list(csv.reader(file))
        kept = [place for place, name in enumerate(rows[0]) if name not in columns]
        assert len(kept) == len(rows[0]) - len(columns)
        csv.writer(out).writerows([[row[place] for place in kept] for row in rows])
    return bare


def test_prompts_of_a_table_are_those_of_training(tmp_path: Path) -> None:
    labelled = shop.write(tmp_path / "shop.csv", shop.products())
    bare = shop.write(tmp_path / "bare.csv", shop.products(), without=shop.LABELS)
    assert compared(shop.entry(labelled), bare) == (24, 16)


def test_prompts_with_definitions_and_a_limit_that_all_keep(tmp_path: Path) -> None:
    labelled = shop.write(tmp_path / "shop.csv", shop.products())
    (tmp_path / "meant.yaml").write_text("Brand: Who makes it\n")
    bare = shop.write(tmp_path / "bare.csv", shop.products(), without=shop.LABELS)
    entry = shop.entry(labelled, definitions=str(tmp_path / "meant.yaml"), trim=Trim(tokens=1000))
    assert compared(entry, bare) == (24, 16)


def test_a_prompt_that_is_too_long_is_cut_with_room_for_the_longest_answer(tmp_path: Path) -> None:
    rows = [{**row, "text": row["text"] + " word" * 400} for row in shop.products(6)]
    labelled = shop.write(tmp_path / "shop.csv", rows)
    entry = shop.entry(labelled, trim=Trim(tokens=600), tasks=["category"])
    seen = catalog.opened(labelled, catalog.Chosen(entry))
    noted, target = Counter[str](), shop.KETTLES
    ask = catalog.asking(seen.entry, {"category": target}, noted)
    for item in catalog.items(seen):
        assert item.product
        (turn,) = ask("category", item.product)
        assert 500 < len(turn.content.encode()) + len(target) <= 600
    assert noted == {"context cut to 600 characters": 6}


def test_without_a_limit_of_its_own_a_prompt_is_cut_to_the_longest_row_of_training(tmp_path: Path) -> None:
    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    rows = [{**row, "text": " word" * (5 + 50 * 10**number * number)} for number, row in enumerate(shop.products(3))]
    seen = catalog.opened(shop.write(tmp_path / "shop.csv", rows), catalog.Chosen(shop.entry(tmp_path / "shop.csv")))
    assert catalog.cut(seen, None, tmp_path) == seen == catalog.cut(seen, 60, tmp_path / "gone")
    limited = catalog.cut(seen, 60, tmp_path)
    assert catalog.cut(limited, 30, tmp_path) == limited  # the entry's own limit stays
    noted = Counter[str]()
    ask = catalog.asking(limited.entry, {"category": shop.KETTLES}, noted, limited.most)
    asked = [ask("category", item.product)[0].content for item in catalog.items(limited) if item.product]
    lengths = [len(words.encode(f"{text} {shop.KETTLES}")) for text in asked]
    assert lengths[0] < 50 and lengths[1:] == [60, 60] and noted == {"context cut to 60 tokens": 2}


def test_products_of_long_texts_are_asked_about_fewer_at_a_time() -> None:
    def item(length: int) -> catalog.Item:
        return catalog.Item("", (), Listing("1", "1", (Text("Title", "x" * length),), ()))

    none = catalog.Item("", (), None, "no title")
    few = [item(labels.CHARACTERS // 2), none, item(labels.CHARACTERS // 2), item(1), none]
    assert [*labels.chunks(few, 4)] == [few[:3], few[3:]]
    assert [*labels.chunks([item(1)] * 5, 2)] == [[item(1)] * 2, [item(1)] * 2, [item(1)]]
    assert [*labels.chunks([], 2)] == []


def test_shopify_and_woocommerce_without_their_label_columns(tmp_path: Path) -> None:
    source = FIXTURES / "presets" / "shopify.csv"
    bare = without(
        source, tmp_path / "shopify.csv", "Vendor", "Product Category", "Type", "Option1 Name", "Option1 Value",
        "Google Shopping / Google Product Category", "Fabric (product.metafields.shopify.fabric)",
    )  # fmt: skip
    categories, attributes = compared(Entry(source="catalog", paths=[str(source)]), bare, "shopify", uniform=False)
    assert categories >= 2 and attributes >= 1
    source = FIXTURES / "presets" / "woocommerce.csv"
    bare = without(source, tmp_path / "woo.csv", "Categories", "Brands", "Attribute 1 name", "Attribute 1 value(s)")
    categories, _ = compared(Entry(source="catalog", paths=[str(source)]), bare, "woocommerce", uniform=False)
    assert categories >= 2


def test_options_of_labels_are_dropped_and_those_given_win(tmp_path: Path) -> None:
    bare = shop.write(tmp_path / "bare.csv", [{"key": "1", "name": "Mug", "note": "Red"}])
    like = catalog.Chosen(
        shop.entry(bare, options={**shop.OPTIONS, "id": "key", "taxonomy": "gone.txt", "remap": True})
    )
    with pytest.raises(InputError, match="no column 'text'"):
        catalog.opened(bare, like)
    seen = catalog.opened(bare, like, ["texts={Note: note}"])
    (item,) = catalog.items(seen)
    assert item.product and [(t.label, t.text) for t in item.product.texts] == [("Title", "Mug"), ("Note", "Red")]
    assert (item.rows, item.where) == ((2,), f"{bare}:2")


def test_entries_that_read_alike_are_one_and_others_have_to_be_chosen(tmp_path: Path) -> None:
    def manifest(*entries: Entry) -> list[dict[str, Any]]:
        import msgspec

        return [{"spec": {"sources": msgspec.to_builtins(entries)}, "sources": [{"options": {}} for _ in entries]}]

    one, other = shop.entry(tmp_path / "a.csv"), shop.entry(tmp_path / "b.csv", trim=Trim(tokens=50))
    held_out = shop.entry(tmp_path / "c.csv", split="test", few_shot=2)
    assert catalog.chosen(manifest(held_out)) == catalog.Chosen(None)
    assert catalog.chosen(manifest(one, one, held_out)).entry == one
    with pytest.raises(InputError, match=r"--entry 1: .*a.csv; --entry 2: .*b.csv"):
        catalog.chosen(manifest(one, other))
    assert catalog.chosen(manifest(one, other), 2).entry == other
    with pytest.raises(InputError, match="demonstrations"):
        catalog.chosen(manifest(shop.entry(tmp_path / "a.csv", few_shot=2)))


def row(task: str, group: str, target: str, *names: str) -> Row:
    from msgspec.json import encode

    from converters.schema import Turn

    turns = [Turn("user", "?"), Turn("assistant", target)]
    return Row(
        id=f"{task}{group}{names}",
        group=group,
        task=task,
        source="s",
        messages=turns,
        meta=encode({"attributes": names}).decode(),
    )


def test_attributes_are_those_that_the_categorys_products_were_asked_for() -> None:
    rows = [
        row("category", "a", "Home > Mugs"),
        row("category", "b", "Home > Pans"),
        row("category", "c", "Home"),
        *[row("attributes", "a", "{}", "Brand", "Color") for _ in range(15)],
        *[row("attributes", "a", "{}", "Brand", "Size", "Color") for _ in range(4)],
        row("attributes", "a", "{}", "Rare"),
        *[row("attributes", "x", "{}", "Width") for _ in range(3)],
        row("attributes", "b", "{}", "Material"),
        row("general", "z", "anything"),
    ]
    paths, asked, longest, *_ = learnt.scan(rows)
    assert paths == ("Home", "Home > Mugs", "Home > Pans")
    assert asked.of == {"Home > Mugs": ("Brand", "Color", "Size"), "Home > Pans": ("Material",)}
    assert asked.names("Home") == asked.names(None) == asked.usual == ("Brand", "Color", "Size", "Width")
    assert asked.every == ("Brand", "Color", "Size", "Width", "Material")
    assert longest == {"category": "Home > Mugs", "attributes": "{}"}


def test_training_says_which_attributes_may_have_one_value() -> None:
    target = '{"Width": "30 cm", "Depth": ["20 CM", "30 CM"], "Brand": "Acme", "Maker": null}'
    *_, implied, shared = learnt.scan(
        [row("attributes", "a", target, "Width"), row("attributes", "b", "no JSON", "Brand")]
    )
    assert shared == {frozenset(("Width", "Depth"))} and not implied

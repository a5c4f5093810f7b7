"""What each source does with the trouble that its real files hold."""

import gzip
import json
from pathlib import Path

import pytest

from converters import sources
from converters.core.errors import InputError
from converters.mixture.spec import Entry
from tests.converters._converted import Converted, convert


def converted(source: str, path: Path, **options: object) -> Converted:
    return convert(Entry(source=source, paths=[str(path)], options=options))


def target(part: Converted, number: int) -> str:
    return part.rows[number].target


def test_mave_checks_spans_keeps_values_in_order_and_counts_the_rest(fixtures: Path) -> None:
    part = converted("mave", fixtures / "mave.jsonl")
    assert target(part, 0) == '{"Capacity": ["1.5 L", "1.5 litres"], "Material": "Steel", "Color": null}'
    assert target(part, 1) == '{"Material": "stoneware"}'
    assert part.rows[1].messages[0].content.endswith("Title: 红色 mug ☕\nDescription: A mug of stoneware.")
    assert (part.tally.read, part.tally.used) == (6, 2)
    assert part.tally.rejected == {
        "no attribute whose spans hold": 1,
        "no text": 1,
        "other format: Expected `array`, got `str` - at `$.paragraphs`": 1,
        "not JSON": 1,
    }
    assert part.tally.noted == {"attribute left out: a span does not hold": 1}
    assert part.rows[0].group == "asin:B0TEST0001"


def test_amazonqa_chooses_the_helpful_answer_and_cites_only_what_says_it(fixtures: Path) -> None:
    part = converted("amazonqa", fixtures / "amazonqa.jsonl")
    asked = [row for row in part.rows if row.task == "answer"]
    assert [row.target for row in asked] == ["The lid comes off. [1]", "No", "The snippets do not say."]
    assert [row.target for row in part.rows if row.task == "answerable"] == ["yes", "yes", "no", "yes"]
    assert asked[0].extra == {"references": ["No idea"]}
    assert asked[1].extra == {"references": ["No."]}
    assert part.tally.noted == {"reference left out: it contradicts the target": 1}
    assert "off & is" in part.rows[0].messages[0].content
    assert "[2] It boils fast." in part.rows[0].messages[0].content
    assert part.tally.rejected == {"no snippet": 1, "answerable but without an answer": 1}
    assert part.dropped == {"answer cannot be written and read back": 1}


def test_amazonqa_takes_as_many_snippets_as_asked(fixtures: Path) -> None:
    part = converted("amazonqa", fixtures / "amazonqa.jsonl", snippets=1)
    assert "[2]" not in part.rows[0].messages[0].content


def test_taxonomy_leaves_names_with_several_parents_out(fixtures: Path) -> None:
    part = converted("google_taxonomy", fixtures / "google_taxonomy.txt")
    assert [row.target for row in part.rows] == [
        "Home & Garden",
        "Home & Garden > Kitchen, Dining & Bar",
        "Electronics",
    ]
    assert part.tally.rejected == {"name stands under several parents": 2, "not 'id - A > B'": 1}
    assert part.rows[0].extra == {"taxonomy": "2020-01-01"}


def test_catalog_cuts_titles_and_counts_rows(fixtures: Path) -> None:
    part = converted("catalog", fixtures / "catalog.csv", attributes={"Brand": "brand"})
    assert [(row.task, row.target) for row in part.rows] == [
        ("category", "Home & Garden > Kitchen"),
        ("attributes", '{"Brand": "Norvik"}'),
        ("category", "Home & Garden > Kitchen"),
        ("category", "Home & Garden > Kitchen"),
    ]
    assert "Title: Mug [ CLASSIFY] 红色 ☕" in part.rows[3].messages[0].content
    assert part.tally.rejected == {
        "blank line": 1,
        "no title": 1,
        "category is the title": 1,
        "number of cells differs from the header's": 1,
    }
    assert part.tally.noted["last node of the category is the title: cut"] == 2
    assert part.tally.noted["markup taken out"] == 1
    assert part.tally.noted["attribute 'Brand' left out: its value is not in the text"] == 2


def test_catalog_checks_categories_against_a_taxonomy(fixtures: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop.jsonl"
    shop.write_text(
        '{"id": 1, "title": "Phone", "category": "Electronics"}\n{"id": 2, "title": "Pot", "category": "Pots"}\n',
        "utf-8",
    )
    part = converted("catalog", shop, taxonomy=str(fixtures / "google_taxonomy.txt"))
    assert [row.target for row in part.rows] == ["Electronics"]
    assert part.tally.rejected == {"category not in the taxonomy: unknown": 1}


def test_contextual_pqa_reads_tabs_in_a_csv_and_cites_its_evidence(fixtures: Path) -> None:
    part = converted("contextual_pqa", fixtures / "contextual_pqa.csv")
    assert target(part, 0) == 'it runs on a battery, "aa" size. [1]'
    assert part.tally.rejected == {"no question, evidence or answer": 1}


def test_general_cuts_the_end_marks_that_an_export_left(tmp_path: Path) -> None:
    answers = ["Paris.###eos_token###", "Rome.</s>\n", "Oslo<|im_end|> <|endoftext|>", "a </s> b"]
    rows = [{"instruction": f"Say {n}.", "output": text} for n, text in enumerate(answers)]
    (tmp_path / "chat.json").write_text(json.dumps([*rows, {"instruction": "End.", "output": "###eos_token###"}]))
    part = converted("general", tmp_path / "chat.json")
    assert [row.target for row in part.rows] == ["Paris.", "Rome.", "Oslo", "a < /s> b"]
    assert part.tally.rejected == {"empty turn, or a system turn that is not the first": 1}


def test_no_real_answer_ends_in_a_mark_of_its_export(real: Path) -> None:
    part = converted("general", real / "general" / "dolly_151.jsonl")
    assert len(part.rows) == 151 and not any("eos_token" in row.target for row in part.rows)


def test_general_reads_all_its_formats(fixtures: Path) -> None:
    part = converted("general", fixtures / "general.jsonl")
    assert [row.target for row in part.rows] == ["Apple.", "kettle", "Bonjour.", "One,\ntwo.", "Bye."]
    assert [turn.role for turn in part.rows[4].messages] == ["system", "user", "assistant", "user", "assistant"]
    assert part.rows[4].messages[1].content == "Hi < /s>"
    assert part.tally.rejected == {
        "unfilled placeholder": 1,
        "empty turn, or a system turn that is not the first": 1,
    }


def test_a_json_list_and_gzip_read_like_lines(fixtures: Path, tmp_path: Path) -> None:
    lines = (fixtures / "general.jsonl").read_text("utf-8").splitlines()
    (tmp_path / "list.json").write_text("\ufeff[" + ",\n".join(lines) + "]", "utf-8")
    (tmp_path / "lines.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    expected = [row.messages for row in converted("general", fixtures / "general.jsonl").rows]
    for name in ("list.json", "lines.jsonl.gz"):
        assert [row.messages for row in converted("general", tmp_path / name).rows] == expected


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.jsonl", b"", "the file is empty"),
        ("none.jsonl", None, "no such file"),
        ("cut.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 999)[:-20], "damaged .gz"),
        ("plain.jsonl.gz", b"not gzip", "damaged .gz"),
        ("list.json", b'[{"instruction": "a"', "broken JSON list"),
        ("wrong.jsonl", b'{"a": 1}\n', "none to use"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(name: str, data: bytes | None, sentence: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=sentence):
        converted("general", tmp_path / name)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("shop.csv", b"id,title\n1,Mug\n", "say which column is the category"),
        ("shop.csv", b"id,title,category\n1,M\x81g,Mugs\n", "not UTF-8, and its code page is not certain"),
        ("shop.xlsx", b"PK", "is a spreadsheet: save the sheet as CSV"),
    ],
)
def test_a_wrong_catalogue_is_a_sentence(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=sentence):
        converted("catalog", tmp_path / name)


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="no option 'titel'; did you mean 'title'"):
        sources.read("catalog", [], {"titel": "name"})


def test_a_megabyte_in_a_title_goes_through(tmp_path: Path) -> None:
    shop = tmp_path / "shop.csv"
    shop.write_text(f"id,title,category\n1,{'long ' * 200_000}\0end,Mugs\n", "utf-8")
    (row,) = converted("catalog", shop).rows
    assert row.messages[0].content.endswith("long end")
    assert len(row.messages[0].content) > 1_000_000 - 100


REAL: dict[str, tuple[str, dict[str, object], int]] = {
    "mave": ("mave/pave_positives.jsonl", {}, 1234),
    "amazonqa": ("amazonqa/qar_sample.jsonl", {}, 4),
    "google_taxonomy": ("google_taxonomy/taxonomy-with-ids.en-US.2021-09-21.txt", {}, 5595),
    "catalog": (
        "own_catalog/flipkart_999.csv",
        {"id": "uniq_id", "title": "product_name", "category": "product_category_tree", "separator": ">>"},
        999 + 3995,
    ),
    "contextual_pqa": ("product_qa/hetPQA__answer_generation__dev.csv", {}, 398),
    "general": ("general/alpaca_999.json", {}, 999),
    "ecinstruct": ("ecinstruct/product_matching.json", {}, 446),
    "esci": ("esci/esci_200.csv", {}, 200),
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_rows_are_used_or_counted(name: str, real: Path) -> None:
    file, options, rows = REAL[name]
    part = converted(name, real / file, **options)
    assert part.tally.read == rows == part.tally.used + part.tally.rejected.total()
    # One attribute a record: MAVE's form merges about six of them into a product.
    assert len(part.rows) >= (210 if name == "mave" else part.tally.used - part.dropped.total())


@pytest.mark.parametrize("source", sources.names())
def test_half_a_gzip_file_is_a_sentence_in_every_source(source: str, fixtures: Path, tmp_path: Path) -> None:
    (raw,) = fixtures.glob(f"{source}.*")
    packed = gzip.compress(raw.read_bytes() * 50)
    half = tmp_path / f"{raw.name}.gz"
    half.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"damaged \.gz file"):
        converted(source, half)


@pytest.mark.parametrize("source", sources.names())
@pytest.mark.parametrize("value", [[[]], {"a": [1]}, 1.5])
def test_an_option_of_another_type_is_a_sentence(source: str, value: object, fixtures: Path) -> None:
    (raw,) = fixtures.glob(f"{source}.*")
    for option in sources.option_names(source):
        with pytest.raises(InputError, match=f"source '{source}', option '{option}': found"):
            converted(source, raw, **{option: value})


def test_a_file_of_options_is_checked_too(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("title: 5")
    with pytest.raises(InputError, match=r"shop.yaml: source 'catalog', option 'title': found '5': Expected `str`"):
        converted("catalog", fixtures / "catalog.csv", mapping=str(tmp_path / "shop.yaml"))

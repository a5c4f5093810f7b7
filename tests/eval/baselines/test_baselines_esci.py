"""ESCI in Japanese and Spanish from its file to scores: groups, splits, twins, and baselines that see words without blanks."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.cli import main as data
from converters.examples import read_rows
from converters.schema import Row
from eval.cli import main as score

COLUMNS = (
    "example_id,query,query_id,product_id,product_locale,esci_label,small_version,large_version,split,product_title"
)
COLOURS = {"jp": ("真っ赤な", "水色の", "純白", "漆黒の"), "es": ("rojo", "azul", "blanco", "marrón")}
KINDS = {
    "jp": (
        "マグカップ",
        "水筒",
        "フライパン",
        "湯たんぽ",
        "弁当箱",
        "急須",
        "毛布",
        "折りたたみ傘",
        "植木鉢",
        "掛け時計",
    ),
    "es": ("tazón", "termo", "sartén", "cojín", "paraguas", "florero", "cepillo", "reloj", "mantel", "cucharón"),
}
TITLES = {"jp": "{brand}{colour}{kind}一人暮らし向け{rest}", "es": "{brand} {kind} {colour} para casa {rest}"}
PARTS = {"jp": "交換用の{kind}部品第{at}種", "es": "recambio número {at} de {kind}"}
BRANDS = {"jp": ("山川屋", "ボレアル", "北星"), "es": ("Boreal", "Sierra", "Duero")}
# Told by the end of the title, so that it can be learnt from words.
RESTS = {"jp": ("送料無料", "色違いあり", "在庫限り"), "es": ("con envío", "en otros colores", "últimas unidades")}
LONG = "琺瑯の赤い両手鍋二十二センチ蓋付き直火とオーブンに対応し取っ手が熱くならない日本製の煮込み料理向け第{}型"


def judgements() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield query, product, locale, label, split and title: of every query the right thing, others like it, and others."""
    for locale in ("jp", "es"):
        for number, kind in enumerate(KINDS[locale]):
            for at, colour in enumerate(COLOURS[locale]):
                query = f"{colour}{kind}" if locale == "jp" else f"{kind} {colour}"
                split = "test" if number % 2 == at % 2 else "train"
                other = KINDS[locale][(number + 3) % len(KINDS[locale])]
                shown = {
                    "Exact": (colour, kind),
                    "Substitute": (COLOURS[locale][(at + 1) % 4], kind),
                    "Irrelevant": (COLOURS[locale][(at + 2) % 4], other),
                }
                for n, (label, (tone, thing)) in enumerate(shown.items()):
                    brand, rest = BRANDS[locale][(at + number) % 3], RESTS[locale][n]
                    title = TITLES[locale].format(brand=brand, colour=tone, kind=thing, rest=rest)
                    yield query, f"{locale}{number}{at}{n}", locale, label, split, title
                yield (
                    query,
                    f"{locale}{number}{at}c",
                    locale,
                    "Complement",
                    split,
                    PARTS[locale].format(kind=kind, at=at),
                )
    # One query in two spellings, each with a split of its own; and two queries of one product, but for a letter of each.
    for query, split in (("電気　ケトル", "train"), ("電気 ケトル！", "test")):
        yield query, f"jp-k-{split}", "jp", "Exact", split, "電気ケトル一リットル"
    for query, split, letter in (("両手鍋琺瑯", "train", "甲"), ("両手鍋琺瑯製", "test", "乙")):
        yield query, f"jp-p-{split}", "jp", "Exact", split, LONG.format(letter)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("esci")
    with (folder / "esci.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.split(","))
        for number, (query, product, locale, label, split, title) in enumerate(judgements()):
            writer.writerow([number, query, 0, product, locale, label, 1, 1, split, title])
    spec = {"sources": [{"source": "esci", "paths": [str(folder / "esci.csv")]}], "general_share": 0, "seed": 0}
    (folder / "plan.yaml").write_text(json.dumps(spec | {"splits": {}, "near_duplicates": 0.8}))
    done = CliRunner().invoke(data, ["build", str(folder / "plan.yaml"), "--out", str(folder / "mix")])
    assert done.exit_code == 0, done.output
    return folder


def rows(place: Path) -> dict[str, list[Row]]:
    return {name: read_rows(place / "mix" / f"{name}.jsonl") for name in ("train", "test")}


def test_two_spellings_of_a_query_are_one_group_in_one_split(place: Path) -> None:
    kettles = {
        (split, row.group) for split, made in rows(place).items() for row in made if "ケトル" in row.messages[0].content
    }
    assert len(kettles) == 1 and kettles.pop()[0] == "test"


def test_no_held_out_row_has_a_twin_in_training(place: Path) -> None:
    pots = {split for split, made in rows(place).items() for row in made if "両手鍋" in row.messages[0].content}
    assert pots == {"test"}
    manifest = json.loads((place / "mix" / "manifest.json").read_text("utf-8"))
    assert "near-duplicate of a held-out row" in json.dumps(manifest, ensure_ascii=False)


def scores(place: Path, name: str, locale: str) -> dict[str, Any]:
    """Return a baseline's scores on the test rows of a locale, by task."""
    made, home = rows(place), place / f"{name}-{locale}"
    home.mkdir(exist_ok=True)
    lines = (place / "mix" / "test.jsonl").read_text("utf-8").splitlines(keepends=True)
    test = [line for line, row in zip(lines, made["test"], strict=True) if f":{locale}:" in row.id]
    assert len(test) > 40
    (home / "test.jsonl").write_text("".join(test), "utf-8")
    files = ["--data", home / "test.jsonl", "--out", home]
    for words in (
        ["baseline", name, "--train", place / "mix" / "train.jsonl"],
        ["score", "--predictions", home / "predictions.jsonl"],
    ):
        done = CliRunner().invoke(score, [*map(str, [*words, *files])])
        assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads((home / "scores.json").read_text("utf-8"))["tasks"]
    return found


@pytest.mark.parametrize("locale", ["jp", "es"])
def test_bm25_ranks_the_product_that_was_asked_for_first(place: Path, locale: str) -> None:
    found = scores(place, "bm25", locale)["ranking"]["metrics"]["ndcg"]
    assert found["value"] > 0.98 > 0.8 > found["floor"]


@pytest.mark.parametrize(("name", "least"), [("linear", 0.9), ("nearest", 0.6)])
@pytest.mark.parametrize("locale", ["jp", "es"])
def test_learnt_baselines_read_titles_without_blanks_as_those_with(
    place: Path, locale: str, name: str, least: float
) -> None:
    found = scores(place, name, locale)["choice"]["metrics"]["accuracy"]
    assert found["value"] > least > 0.3 > found["floor"]

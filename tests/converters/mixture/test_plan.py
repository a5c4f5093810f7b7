"""What a mix promises: an exact general share, no product in two splits, the same bytes for the same seed."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from converters import schema
from converters.cli import main
from converters.core.errors import InputError
from converters.examples import read_rows
from converters.mixture import spec
from converters.mixture.plan import table
from converters.mixture.plan.decisions import HELD, _strongest, drop_repeats
from converters.mixture.plan.links import linked
from converters.mixture.plan.table import kept
from converters.mixture.spec import load
from converters.schema import SPLITS, Row
from tests.converters import _columns


def shop(path: Path, products: range, category: str = "Home > Kitchen") -> str:
    rows = [{"id": f"B0{n:08d}", "title": f"Pot {n}", "category": category} for n in products]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def chats(path: Path, count: int) -> str:
    path.write_text(
        "".join(json.dumps({"instruction": f"Say {n}.", "output": str(n)}) + "\n" for n in range(count)), "utf-8"
    )
    return str(path)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "mix", products: int = 900, **keys: object) -> Path:
        entries = [
            {"source": "catalog", "paths": [shop(tmp_path / "shop.jsonl", range(products))]},
            {"source": "general", "paths": [chats(tmp_path / "chat.jsonl", 400)]},
        ]
        plan = tmp_path / f"{name}.yaml"
        plan.write_text(json.dumps({"sources": entries, "splits": {"validation": 0.1, "test": 0.1}} | keys), "utf-8")
        result = run("build", plan, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        return tmp_path / name

    return make


def splits(folder: Path) -> dict[str, list[Row]]:
    return {name: read_rows(folder / f"{name}.jsonl") for name in SPLITS}


@pytest.mark.parametrize("share", [0.1, 0.05, 0.2])
def test_general_share_is_exact_to_the_row(built: Callable[..., Path], share: float) -> None:
    folder = built(general_share=share)
    for rows in splits(folder).values():
        general = sum(row.task == "general" for row in rows)
        assert abs(general - share * len(rows)) <= 0.5
    manifest = json.loads((folder / schema.MANIFEST).read_text())
    assert manifest["dropped_examples"]["general row over the share"] > 0


def test_no_group_is_in_two_splits_and_every_row_is_accounted_for(built: Callable[..., Path]) -> None:
    folder = built()
    groups = {name: {row.group for row in rows} for name, rows in splits(folder).items()}
    assert all(groups.values())
    assert (
        not groups["train"] & groups["validation"]
        | groups["train"] & groups["test"]
        | groups["validation"] & groups["test"]
    )
    manifest = json.loads((folder / schema.MANIFEST).read_text())
    assert manifest["read"] == manifest["used"] + sum(manifest["rejected"].values()) == 1300
    # Every raw row has one example here.
    assert manifest["used"] == sum(split["rows"] for split in manifest["splits"].values()) < 1300
    made = sum(entry["examples"] for entry in manifest["sources"])
    in_splits = sum(split["rows"] for split in manifest["splits"].values())
    assert made == in_splits + sum(manifest["dropped_examples"].values()) == 1300


def test_same_seed_same_bytes_other_seed_other_rows(built: Callable[..., Path]) -> None:
    first, second, third = built("a"), built("b"), built("c", seed=1)
    for name in (*(f"{split}.jsonl" for split in SPLITS), schema.MANIFEST):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert (first / "test.jsonl").read_bytes() != (third / "test.jsonl").read_bytes()


def test_an_official_split_wins_and_its_products_leave_the_others(tmp_path: Path) -> None:
    everything = {"source": "catalog", "paths": [shop(tmp_path / "all.jsonl", range(100))]}
    held = {"source": "catalog", "paths": [shop(tmp_path / "test.jsonl", range(40), "Home > Pots")], "split": "test"}
    plan = tmp_path / "plan.yaml"
    plan.write_text(json.dumps({"sources": [everything, held], "general_share": 0, "splits": {}}), "utf-8")
    assert run("build", plan, "--out", tmp_path / "mix").exit_code == 0
    found = splits_of_jsonl(tmp_path / "mix")
    assert (len(found["train"]), len(found["test"])) == (60, 40)
    assert {row["messages"][-1]["content"] for row in found["test"]} == {"Home > Pots"}
    manifest = json.loads((tmp_path / "mix" / schema.MANIFEST).read_text())
    assert manifest["dropped_examples"] == {"product held out by another source's split": 40}


def splits_of_jsonl(folder: Path) -> dict[str, list[dict[str, list[dict[str, str]]]]]:
    return {n: [json.loads(line) for line in (folder / f"{n}.jsonl").read_text().splitlines()] for n in SPLITS}


def test_too_few_general_rows_is_a_sentence_and_leaves_no_mix(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    entries = [
        {"source": "catalog", "paths": [shop(tmp_path / "shop.jsonl", range(900))]},
        {"source": "general", "paths": [chats(tmp_path / "chat.jsonl", 10)], "split": "train"},
    ]
    plan.write_text(json.dumps({"sources": entries, "splits": {}}), "utf-8")
    result = run("build", plan, "--out", tmp_path / "mix")
    assert result.exit_code == 1 and "900 rows need 100 general ones" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".mix.parts",  # converted, and good for the next try
        "chat.jsonl",
        "plan.yaml",
        "shop.jsonl",
    ]


def test_a_limit_takes_a_stable_choice(built: Callable[..., Path], tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    entry = {"source": "catalog", "paths": [shop(tmp_path / "shop.jsonl", range(900))], "limit": 50}
    plan.write_text(json.dumps({"sources": [entry], "general_share": 0}), "utf-8")
    assert run("build", plan, "--out", tmp_path / "mix").exit_code == 0
    assert sum(map(len, splits_of_jsonl(tmp_path / "mix").values())) == 50


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sources: [{source: mvae, paths: [x]}]", "unknown source 'mvae'; did you mean 'mave'"),
        ("sources: [{source: mave, pahts: [x]}]", "unknown key 'pahts'; did you mean 'paths'"),
        (
            "sources: [{source: mave, paths: [x]}]\ngeneral_shar: 0.1",
            "unknown key 'general_shar'; did you mean 'general_share'",
        ),
        ("sources: [{source: mave, paths: [x], tasks: [answer]}]", "no rows for task 'answer'"),
        ("sources: [{source: mave, paths: [x], split: tset}]", "Invalid enum value 'tset'"),
        ("sources: [{source: mave, paths: [x]}]\ngeneral_share: 2", r"yaml:2: general_share: Expected `float` < 1\.0"),
        ("sources: [{source: mave, paths: [x]}]\nsplits: {test: .nan}", "splits.* >= 0"),
        ("sources: [{source: mave, paths: [x], limit: -3}]", r"yaml:1: sources\[0\]\.limit: Expected `int` >= 1"),
        ("sources: [{source: mave, paths: [x]}]\nsequence_len: 0", "yaml:2: sequence_len: Expected `int` >= 1"),
        ("sources: [{source: esci, paths: [x], options: {texts: a}}]", "option 'texts': found 'a'"),
        ("sources: [{source: mave, paths: [x]}]\nsplits: {tset: 0.1}", "expected shares of validation and test"),
        ("sources: [{source: mave, paths: [x], weight: 0}]", r"sources\[0\]\.weight: Expected `float` > 0"),
        ("sources: [{source: mave, paths: [x]}]\nnear_duplicates: 2", r"near_duplicates: Expected `float` <= 1"),
        (
            "sources: [{source: mave, paths: [x]}]\nbalance: {task: [category]}",
            "unknown key 'task'; did you mean 'tasks'",
        ),
        ("sources: [{source: mave, paths: [x]}]\nbalance: {tasks: [catgory]}", "did you mean 'category'"),
        (
            "sources: [{source: mave, paths: [x]}]\nbalance: {tasks: [category], cap: 0}",
            "balance.cap: Expected `int` >= 1",
        ),
        ("sources: [{source: catalog, paths: [x], shortlst: 3}]", "unknown key 'shortlst'; did you mean 'shortlist'"),
        ("sources: [{source: catalog, paths: [x], few_shot: 0}]", "few_shot: Expected `int` >= 1"),
        ("sources: [{source: catalog, paths: [x], shortlist: 3}]", "shortlist needs task 'category_shortlist'"),
        ("sources: [{source: catalog, paths: [x], tasks: [category_shortlist]}]", "needs the number of candidates"),
        ("sources: [{source: general, paths: [x], few_shot: 1}]", "few_shot does not fit task 'general'"),
        (
            "sources: [{source: mave, paths: [x], hard: {typo: 0.1}}]",
            "unknown kind 'typo' under hard; did you mean 'typos'",
        ),
        ("sources: [{source: mave, paths: [x], hard: {typos: 0.6, casing: 0.5}}]", "sum to 1.1, expected 1 at most"),
        ("sources: [{source: mave, paths: [x], hard: {typos: -1}}]", "hard.*: Expected `float` >= 0"),
        ("sources: [{source: general, paths: [x], hard: {typos: 1}}]", "changes no row of tasks general"),
        ("sources: [{source: mave, paths: [x], definitions: none.yaml}]", "none.yaml: no such file of definitions"),
        ("sources: []", "sources: Expected `array` of length >= 1"),
        ("", "Expected `object`, got `null`"),
        ("sources: [", r"plan\.yaml:1: found .*, expected YAML$"),
    ],
)
def test_a_wrong_specification_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=sentence):
        load(path)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("general_shar=0.1", "unknown key 'general_shar'; did you mean 'general_share'"),
        ("general_share=2", "^--set general_share: Expected `float` < 1"),
        ("general_share", "expected KEY=VALUE"),
        ("general_share={", "is no YAML value"),
    ],
)
def test_a_wrong_override_is_a_sentence(override: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("sources: [{source: mave, paths: [x]}]", "utf-8")
    assert load(path, ["general_share=0.05", "splits={test: 0.5}"]).splits == {"test": 0.5}
    with pytest.raises(InputError, match=sentence):
        load(path, [override])


FAULTY = """\
seed: first
near_duplicate: 0.7
splits: {validation: 0.6, test: 0.6}
balance: {task: [category], cap: 0}
sources:
  - source: catalog
    paths: lamps.csv
    few_shots: 2
    options: {titel: name, id: 5}
    tasks: [categroy, yes_no]
    trim: {tokens: 100, tokeniser: t.json}
  - source: esic
    paths: [esci]
    limit: 0
  - general
  - source: general
    paths: [a]
    paths: [b]
    few_shot: 3
    shortlist: 4
"""


def test_everything_wrong_with_a_specification_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(FAULTY, "utf-8")
    with pytest.raises(InputError) as caught:
        load(path, ["genral_share=0", "seed", "sequence_len=0"])
    found = [line.strip().removeprefix(f"{path}:") for line in str(caught.value).splitlines()]
    expected = [
        "--set genral_share=0: unknown key 'genral_share'; did you mean 'general_share'?",
        "--set 'seed': has no '=', expected KEY=VALUE",
        "18: found key 'paths' again, expected every key once",
        "1: seed: Expected `int`, got `str`",
        "--set sequence_len: Expected `int` >= 1",
        "2: unknown key 'near_duplicate'; did you mean 'near_duplicates'?",
        "3: found splits {'validation': 0.6, 'test': 0.6}, expected shares of validation and test that sum to 1 at most",
        "4: balance: Object missing required field `tasks`",
        "4: balance: unknown key 'task'; did you mean 'tasks'?",
        "4: balance.cap: Expected `int` >= 1",
        "7: sources[0].paths: Expected `array`, got `str`",
        "8: sources[0]: unknown key 'few_shots'; did you mean 'few_shot'?",
        "9: source 'catalog' has no option 'titel'; did you mean 'title'?",
        "9: source 'catalog', option 'id': found '5': Expected `str`, got `int` (the column of the product's id: SKU, ASIN, ...)",
        "10: unknown task 'categroy'; did you mean 'category'?",
        "10: source 'catalog' has no rows for task 'yes_no'; expected: category, attributes, category_levels, category_shortlist",
        "11: sources[0].trim: unknown key 'tokeniser'; did you mean 'tokenizer'?",
        "12: unknown source 'esic'; did you mean 'esci'?",
        "14: sources[1].limit: Expected `int` >= 1",
        "15: sources[2]: Expected `object`, got `str`",
        "19: few_shot does not fit task 'general', only tasks with a prefix",
        "20: shortlist needs task 'category_shortlist' among the entry's tasks: general",
    ]
    assert sorted(found) == sorted(expected)
    assert [line for line in found if line[0].isdigit()][1:] == [line for line in expected if line[0].isdigit()][1:]


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "sources: &s {source: *s}", "[1]: 2", "{a: 1}: 2", "? [x]\n: y", "sources: {0: 1}", "[" * 5000],
)
def test_yaml_that_no_specification_can_be_is_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError):
        load(path)


def test_a_mix_that_became_an_override_says_so() -> None:
    with pytest.raises(
        InputError, match=r"run: ecom-data build recipes/mixes/ecom.yaml --set general_share=0.05 --out"
    ):
        load(Path("recipes/mixes/ecom-general-05.yaml"))


def test_building_over_something_that_is_no_mix_is_refused(built: Callable[..., Path], tmp_path: Path) -> None:
    built()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("mine")
    result = run("build", tmp_path / "mix.yaml", "--out", tmp_path / "mine")
    assert result.exit_code == 1 and "not a mix" in result.output
    assert (tmp_path / "mine" / "precious.txt").read_text() == "mine"


def test_every_recipe_mix_is_a_valid_specification() -> None:
    paths = sorted((Path(spec.__file__).parents[2] / "recipes" / "mixes").glob("*.yaml"))
    assert paths
    for path in paths:
        load(path)


def test_a_product_known_by_its_asin_here_and_its_title_there_is_in_one_split(tmp_path: Path) -> None:
    """Two sources tell the same products, one with ASINs, one with its own numbers and other spellings of the titles."""
    there = tmp_path / "own.jsonl"
    rows = [{"id": str(n), "title": f"POT, {n}!", "category": "Pots"} for n in range(300)]
    there.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    sources = [
        {"source": "catalog", "paths": [shop(tmp_path / "asins.jsonl", range(300))]},
        {"source": "catalog", "paths": [str(there)]},
    ]
    keys = {"general_share": 0, "near_duplicates": None, "splits": {"validation": 0.2, "test": 0.2}}
    (tmp_path / "mix.yaml").write_text(json.dumps({"sources": sources} | keys))
    assert run("build", tmp_path / "mix.yaml", "--out", tmp_path / "mix").exit_code == 0
    homes: dict[str, set[str]] = {}
    for name, found in splits(tmp_path / "mix").items():
        for row in found:
            number = row.messages[0].content.split()[-1].rstrip("!")
            homes.setdefault(number, set()).add(name)
    assert len(homes) == 300 and all(len(names) == 1 for names in homes.values())
    assert {name for names in homes.values() for name in names} == set(SPLITS)


def test_a_product_that_is_held_out_under_its_title_leaves_training_under_its_asin(tmp_path: Path) -> None:
    sources = [
        {"source": "catalog", "paths": [shop(tmp_path / "asins.jsonl", range(50))], "split": "train"},
        {"source": "catalog", "paths": [str(tmp_path / "own.csv")], "split": "test"},
    ]
    (tmp_path / "own.csv").write_text("id,title,category\n7,pot 7,Pots\n", "utf-8")
    (tmp_path / "mix.yaml").write_text(json.dumps({"sources": sources, "general_share": 0, "splits": {}}))
    assert run("build", tmp_path / "mix.yaml", "--out", tmp_path / "mix").exit_code == 0
    manifest = json.loads((tmp_path / "mix" / schema.MANIFEST).read_text())
    assert manifest["sources"][0]["dropped"][HELD] == 1
    train = read_rows(tmp_path / "mix" / "train.jsonl")
    assert len(train) == 49 and not any(row.messages[0].content.endswith("Pot 7") for row in train)


def esci(path: Path, split: str, products: range) -> dict[str, object]:
    """Write judgements, each of a query of its own."""
    head = "query,product_id,product_locale,esci_label,small_version,large_version,split,product_title"
    rows = [f"{split} {n},B0{n:08d},us,E,1,1,{split},Pot {n}" for n in products]
    path.write_text("\n".join([head, *rows]), "utf-8")
    return {"source": "esci", "paths": [str(path)]}


def test_a_product_that_a_held_out_query_judges_leaves_training_in_every_source(tmp_path: Path) -> None:
    named = {
        "instruction": "",
        "input": '{"query": "q", "product title": "POT 3!"}',
        "output": "A",
        "options": ["A: x", "B: y"],
    }
    (tmp_path / "ec.json").write_text(
        json.dumps([{**named, "task": "Multiclass_Product_Classification", "split": "train"}])
    )
    sources = [
        esci(tmp_path / "train.csv", "train", range(20)),
        esci(tmp_path / "test.csv", "test", range(10)),
        {"source": "catalog", "paths": [shop(tmp_path / "asins.jsonl", range(30))]},
        {"source": "ecinstruct", "paths": [str(tmp_path / "ec.json")]},
    ]
    (tmp_path / "mix.yaml").write_text(
        json.dumps({"sources": sources, "general_share": 0, "splits": {}, "near_duplicates": None})
    )
    done = run("build", tmp_path / "mix.yaml", "--out", tmp_path / "mix")
    assert done.exit_code == 0, done.output
    manifest = json.loads((tmp_path / "mix" / schema.MANIFEST).read_text())
    assert [entry["dropped"].get(HELD, 0) for entry in manifest["sources"]] == [20, 0, 10, 1]
    told = {
        name: {row["messages"][0]["content"].split()[-1] for row in found}
        for name, found in splits_of_jsonl(tmp_path / "mix").items()
    }
    assert told == {"train": {str(n) for n in range(10, 30)}, "validation": set(), "test": {str(n) for n in range(10)}}


NAMES = st.integers(0, 6)


@given(
    st.lists(st.tuples(NAMES, NAMES, NAMES, st.integers(-1, 2)), min_size=1, max_size=30),
    st.integers(0, 30),
    st.sampled_from((2, table.TOGETHER)),
)
def test_the_table_decides_what_a_loop_over_its_rows_would(
    cases: list[tuple[int, int, int, int]], cut: int, together: int
) -> None:
    columns = ("group", "product", "alias")
    home = {name: {name} for *names, _ in cases for name in names}
    for _, product, alias, _ in cases:
        joined = home[product] | home[alias]
        home |= dict.fromkeys(joined, joined)
    named = {name for group, product, *_ in cases for name in (group, product)}
    strongest = [max(split for other, *_, split in cases if other == group) for group, *_ in cases]
    first: dict[int, int] = {}
    for place in sorted(range(len(cases)), key=lambda place: -cases[place][-1]):
        if cases[place][-1] >= 0:
            first.setdefault(cases[place][0], place)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "TOGETHER", together)
        patch.setattr(table, "BLOCK", 7)
        parts = [
            dict(zip(columns, zip(*part, strict=True), strict=False)) for part in (cases[:cut], cases[cut:]) if part
        ]
        rows = _columns.rows(Path(folder) / "shards", *({**part, "prompt": part["group"]} for part in parts))
        rows.split[:] = [split for *_, split in cases]
        group, about = (np.concatenate([column(here) for here in rows.blocks()]).tolist() for column in linked(rows))
        assert group == [min(home[group] & named) for group, *_ in cases]
        assert about == [min(home[product] & named) for _, product, *_ in cases]
        everything = [(rows.column("group"), np.ones(len(rows), bool))]
        assert _strongest(rows, rows.split, everything).tolist() == strongest
        drop_repeats(rows)
        assert np.flatnonzero(kept(rows)).tolist() == sorted(first.values())

"""What the manifest says of a mix's rows: lengths, classes, categories, attributes, all counted by hand on a small mix."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters import examples
from converters.cli import main
from converters.core.errors import InputError
from converters.examples import read_rows
from converters.mixture.report.classes import POINTS, TOP_CLASSES, taxonomy
from converters.mixture.report.stats import EDGES, LONGEST
from converters.mixture.spec import Entry, Spec
from converters.schema import MANIFEST, SPLITS, Row
from converters.text.lengths import ruler

TREE = """# Google_Product_Taxonomy_Version: 2021-09-21
1 - Home
2 - Home > Kitchen
3 - Home > Kitchen > Pots
4 - Toys
5 - Toys > Games
"""


def word_tokenizer(path: Path, **keys: Any) -> Path:
    """Write a tokenizer whose tokens are runs of word characters or of other signs."""
    model = {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}
    tree = {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model}
    empty = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    path.write_text(json.dumps(empty | tree | keys))
    return path


def words(row: Row, role: str = "") -> int:
    import re

    texts = [turn.content for turn in row.messages if turn.role == role or not role]
    return sum(len(re.findall(r"\w+|[^\w\s]+", text)) for text in texts)


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.fixture
def mix(tmp_path: Path) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """Build a mix of 60 products in four categories, one of them unknown to the taxonomy, and 40 chats."""
    paths = ["Home > Kitchen > Pots"] * 40 + ["Home > Kitchen"] * 17 + ["Toys > Games"] * 2 + ["Garden > Gnomes"]
    shop = [{"id": f"B0{n:08d}", "title": f"Pot {n}", "category": path} for n, path in enumerate(paths)]
    for number, row in enumerate(shop):
        row |= {"brand": "Pot" if number % 4 else ""}
    chats = [{"instruction": f"Say {n}.", "output": "word " * (n + 1)} for n in range(40)]
    (tmp_path / "tree.txt").write_text(TREE)
    entries = [
        {
            "source": "catalog",
            "paths": [lines(tmp_path / "shop.jsonl", shop)],
            "options": {"attributes": {"Brand": "brand"}},
        },
        {"source": "general", "paths": [lines(tmp_path / "chat.jsonl", chats)]},
        {"source": "google_taxonomy", "paths": [str(tmp_path / "tree.txt")], "limit": 1, "split": "train"},
    ]

    def make(**keys: Any) -> tuple[Path, dict[str, Any]]:
        plan = {"sources": entries, "splits": {"validation": 0.1, "test": 0.2}, "near_duplicates": None}
        (tmp_path / "plan.yaml").write_text(json.dumps(plan | keys))
        result = CliRunner().invoke(main, ["build", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "mix")])
        assert result.exit_code == 0, result.output
        return tmp_path / "mix", json.loads((tmp_path / "mix" / MANIFEST).read_text()) | {"said": result.output}

    return make


def test_lengths_are_those_of_the_rows_in_tokens(mix: Callable[..., Any], tmp_path: Path) -> None:
    folder, manifest = mix(tokenizer=str(word_tokenizer(tmp_path / "tokenizer.json")), sequence_len=20)
    for name in SPLITS:
        rows, found = read_rows(folder / f"{name}.jsonl"), manifest["splits"][name]["lengths"]
        counts = [words(row) for row in rows]
        general = sum(words(row, "assistant") for row in rows if row.task == "general")
        answers = sum(words(row, "assistant") for row in rows)
        assert (found["unit"], found["total"], found["supervised"]) == ("tokens", sum(counts), answers)
        assert found["general_share_of_supervised"] == general / answers
        assert found["over_sequence_len"] == sum(count > 20 for count in counts)
        assert found["longest"] == max(counts)
        longest = sorted(((words(row), row.id) for row in rows), reverse=True)[:LONGEST]
        assert found["longest_rows"] == [{"id": name, "length": length} for length, name in longest]
        assert found["tokenizer"]["name"].endswith("tokenizer.json") and len(found["tokenizer"]["sha256"]) == 64
        assert sum(task["over_sequence_len"] for task in found["tasks"].values()) == found["over_sequence_len"]
    assert manifest["splits"]["train"]["lengths"]["over_sequence_len"] > 0
    assert "rows over sequence_len 20" in manifest["said"]


def test_without_a_tokenizer_lengths_are_called_characters(mix: Callable[..., Any]) -> None:
    folder, manifest = mix()
    found = manifest["splits"]["train"]["lengths"]
    rows = read_rows(folder / "train.jsonl")
    assert found["unit"] == "characters" and found["tokenizer"] is None and found["over_sequence_len"] is None
    assert found["total"] == sum(len(turn.content) for row in rows for turn in row.messages)
    assert "characters" in manifest["said"] and "over sequence_len" not in manifest["said"]


def test_histograms_hold_every_row_in_its_bin(mix: Callable[..., Any]) -> None:
    folder, manifest = mix()
    rows = read_rows(folder / "train.jsonl")
    for task, found in manifest["splits"]["train"]["lengths"]["tasks"].items():
        lengths = [sum(len(turn.content) for turn in row.messages) for row in rows if row.task == task]
        assert [n for *_, n in found["histogram"]] == [
            sum(low <= length < high for length in lengths) for low, high, _ in found["histogram"]
        ]
        assert sum(n for *_, n in found["histogram"]) == len(lengths) == found["rows"]
        assert found["median"] == sorted(lengths)[(len(lengths) - 1) // 2]
    assert sorted(set(EDGES)) == EDGES


def test_classes_are_counted_and_named_from_both_ends(mix: Callable[..., Any]) -> None:
    folder, manifest = mix()
    train, test = (read_rows(folder / f"{name}.jsonl") for name in ("train", "test"))
    found = manifest["splits"]["train"]["classes"]
    assert set(found) == {"category"}  # neither attributes nor chats have classes
    targets = [row.target for row in train if row.task == "category"]
    counts = {target: targets.count(target) for target in targets}
    category = found["category"]
    assert (category["classes"], category["rows"]) == (len(counts), len(targets))
    assert dict(category["largest"]) == counts and category["smallest"] == []
    assert [n for _, n in category["largest"]] == sorted(counts.values(), reverse=True)
    assert category["with_one_row"] == list(counts.values()).count(1)
    assert category["share_of_largest_1_percent"] == max(counts.values()) / len(targets)
    unseen = sum(row.task == "category" and row.target not in counts for row in test)
    assert manifest["splits"]["test"]["classes"]["category"]["rows_unseen_in_training"] == unseen
    assert category["rows_unseen_in_training"] == 0


def test_repeated_rows_count_as_often_as_they_are_written(mix: Callable[..., Any]) -> None:
    folder, manifest = mix(balance={"tasks": ["category"], "cap": 4, "temperature": 50})
    targets = [row.target for row in read_rows(folder / "train.jsonl") if row.task == "category"]
    assert manifest["repeated_examples"] > 0
    largest = manifest["splits"]["train"]["classes"]["category"]["largest"]
    assert dict(largest) == {target: targets.count(target) for target in targets}


def test_many_classes_are_bounded(tmp_path: Path) -> None:
    shop = [{"id": f"B0{n:08d}", "title": f"Pot {n}", "category": f"Home > Kind {n // 2}"} for n in range(400)]
    plan = {
        "sources": [{"source": "catalog", "paths": [lines(tmp_path / "shop.jsonl", shop)]}],
        "general_share": 0,
        "splits": {},
    }
    (tmp_path / "plan.yaml").write_text(json.dumps(plan | {"near_duplicates": None}))
    assert (
        CliRunner().invoke(main, ["build", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "mix")]).exit_code == 0
    )
    split = json.loads((tmp_path / "mix" / MANIFEST).read_text())["splits"]["train"]
    found = split["classes"]["category"]
    assert (found["classes"], len(found["largest"]), len(found["smallest"])) == (200, TOP_CLASSES, TOP_CLASSES)
    assert len({name for name, _ in found["largest"] + found["smallest"]}) == 2 * TOP_CLASSES
    assert len(found["curve"]) <= POINTS and found["curve"][0] == [1, 2] and found["curve"][-1] == [200, 2]
    assert found["share_of_largest_10_percent"] == 0.1
    assert split["categories"]["category"]["nodes"] == [
        {"node": "Home", "rows": 400, "paths": 200, "known": 0, "of": 0}
    ]


def test_the_tree_is_covered_as_far_as_training_rows_have_its_paths(mix: Callable[..., Any]) -> None:
    folder, manifest = mix()
    found = manifest["splits"]["train"]["categories"]["category"]
    paths = [tuple(row.target.split(" > ")) for row in read_rows(folder / "train.jsonl") if row.task == "category"]
    tree = {tuple(line.split(" - ")[1].split(" > ")) for line in TREE.splitlines()[1:]}
    assert (found["taxonomy"], found["paths"], found["in_taxonomy"]) == (5, len(set(paths)), len({*paths} & tree))
    for node in found["nodes"]:
        under = [path for path in paths if path[0] == node["node"]]
        assert (node["rows"], node["paths"]) == (len(under), len(set(under)))
        assert node["known"] == len({*under} & tree)
        assert node["of"] == sum(path[0] == node["node"] for path in tree)
    assert {*found["unseen_nodes"]} == {path[0] for path in tree} - {path[0] for path in paths}


def test_a_taxonomy_counts_wherever_a_specification_names_it(tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_text(TREE)
    (tmp_path / "shop.yaml").write_text(json.dumps({"taxonomy": str(tmp_path / "tree.txt")}))
    tree = {tuple(line.split(" - ")[1].split(" > ")) for line in TREE.splitlines()[1:]}
    for source, options in (
        ("google_taxonomy", {}),
        ("catalog", {"taxonomy": str(tmp_path / "tree.txt")}),
        ("catalog", {"mapping": str(tmp_path / "shop.yaml")}),
    ):
        assert (
            taxonomy(Spec(sources=[Entry(source=source, paths=[str(tmp_path / "tree.txt")], options=options)])) == tree
        )
    assert not taxonomy(Spec(sources=[Entry(source="catalog", paths=["shop.csv"])]))


def test_attributes_are_asked_and_stated(mix: Callable[..., Any], fixtures: Path, tmp_path: Path) -> None:
    _, manifest = mix()
    splits = manifest["splits"]
    brands = sum(split["attributes"]["asked"] for split in splits.values())
    assert brands == sum(split["tasks"]["attributes"] for split in splits.values()) == 45
    plan = {"sources": [{"source": "mave", "paths": [str(fixtures / "mave.jsonl")]}], "general_share": 0, "splits": {}}
    (tmp_path / "mave.yaml").write_text(json.dumps(plan))
    assert CliRunner().invoke(main, ["build", str(tmp_path / "mave.yaml"), "--out", str(tmp_path / "m")]).exit_code == 0
    found = json.loads((tmp_path / "m" / MANIFEST).read_text())["splits"]["train"]["attributes"]
    golds = [examples.gold(row) for row in read_rows(tmp_path / "m" / "train.jsonl")]
    asked = [name for gold in golds for name in gold]
    stated = [name for gold in golds for name, values in gold.items() if values]
    assert found["asked"] == len(asked) > found["stated"] == len(stated) > 0
    assert {one["name"]: (one["asked"], one["stated"]) for one in found["most_asked"]} == {
        name: (asked.count(name), stated.count(name)) for name in asked
    }


def test_rows_by_source_add_up(mix: Callable[..., Any]) -> None:
    _, manifest = mix()
    for split in manifest["splits"].values():
        assert sum(split["sources"].values()) == split["rows"]
        assert {task: sum(cells.values()) for task, cells in split["tasks_by_source"].items()} == split["tasks"]


def test_a_tokenizer_file_that_cuts_texts_hides_no_long_row(tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    measure = ruler(word_tokenizer(tmp_path / "tokenizer.json", truncation=cut)).measure
    assert measure(["one two, three four five", ""]).tolist() == [6, 0]


def test_tokens_are_those_that_the_libraries_give(tmp_path: Path) -> None:
    data = Path(pytest.importorskip("mistral_common").__file__).parent / "data"
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    from sentencepiece import SentencePieceProcessor

    texts = ["[QA] Is it 1.5 L? </s> [INST]", "Größe: 10 × 20 cm\nrot", ""]
    pieces = SentencePieceProcessor(model_file=str(data / "mistral_instruct_tokenizer_240323.model.v3"))
    found = ruler(data / "mistral_instruct_tokenizer_240323.model.v3", 2).measure(texts).tolist()
    assert found == [len(pieces.encode(text)) for text in texts] and found[0] > 10
    tekken = Tekkenizer.from_file(data / "tekken_240911.json")
    found = ruler(data / "tekken_240911.json", 2).measure(texts).tolist()
    assert found == [len(tekken.encode(text, bos=False, eos=False)) for text in texts] and found[0] > 10


def test_a_checkpoint_folder_is_as_good_as_its_tokenizer_file(tmp_path: Path) -> None:
    file = word_tokenizer(tmp_path / "tokenizer.json")
    assert ruler(tmp_path).file == file


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.json", None, "no such file"),
        ("broken.json", "{", "expected a tokenizer.json"),
        ("other.json", '{"a": 1}', "JSON with a"),
        ("half.json", '{"model": {"type": "BPE"}}', "expected a tokenizer.json"),
        ("tekken.json", '{"vocab": [], "config": {"pattern": "x"}}', "expected a tokenizer.json"),
        ("tokenizer.model", "no model", "expected a tokenizer.json"),
    ],
)
def test_a_wrong_tokenizer_is_a_sentence(name: str, content: str | None, sentence: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=sentence) as error:
        ruler(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_a_wrong_tokenizer_is_told_before_anything_is_read(tmp_path: Path) -> None:
    plan = {"sources": [{"source": "catalog", "paths": ["none.jsonl"]}], "tokenizer": str(tmp_path / "none.json")}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    result = CliRunner().invoke(main, ["build", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "mix")])
    assert result.exit_code == 1 and "none.json: no such file" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["plan.yaml"]


def test_a_missing_library_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match="needs the package tokenizers: pip install tokenizers"):
        ruler(word_tokenizer(tmp_path / "tokenizer.json"))


def test_counting_tokens_needs_neither_torch_nor_transformers(tmp_path: Path) -> None:
    file = word_tokenizer(tmp_path / "tokenizer.json")
    code = f"import sys; from converters.text.lengths import ruler; print(ruler({str(file)!r}).measure(['a b'])[0], *sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == "2" and "tokenizers" in said and not {"torch", "transformers"} & set(said)

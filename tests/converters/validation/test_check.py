"""The checker: every finding has a row that causes it and a good one that does not, and a corrected copy has none left."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from converters import tasks
from converters.cli import main
from converters.examples import read_rows
from converters.io.jsonl import sha256, write_lines
from converters.schema import MANIFEST, Row, Turn
from converters.text.lengths import ruler
from converters.transforms.few_shot import shown
from converters.validation.check import Rules, files, findings, mended, problems
from converters.validation.fix import beside
from tests.converters.mixture.test_stats import TREE, word_tokenizer

Said = Sequence[tuple[str, str]]


def row(task: str, asked: str, target: str, meta: Any = None, **keys: Any) -> Row:
    turns = [Turn("user", asked), Turn("assistant", target)]
    return Row(
        id=keys.pop("id", "1"),
        group=keys.pop("group", "g"),
        task=task,
        source="mine",
        messages=keys.pop("messages", turns),
        meta=meta if isinstance(meta, str) else json.dumps(meta or {}),
    )


CATEGORY = "[CLASSIFY] Category path of this product:\nTitle: Mug"
EXTRACT = '[EXTRACT] As JSON, null if not stated: ["Brand", "Size"]\nTitle: ACME  mug, 1.5 L\nDescription: red'
ASKED = {"attributes": ["Brand", "Size"]}
CHOICE = "[CLASSIFY] Which? Answer with one option.\nA: Exact\nB: Substitute\nQuery: mug"
OPTIONS = {"options": ["Exact", "Substitute"]}
RANK = "[CLASSIFY] Order the products by relevance to the query, such as: 2, 3, 1\nQuery: mug\n1: Pan\n2: Mug"
GAINS = {"gains": [0.0, 1.0]}
HELLO = ("general", "Say hello.", "Hello.")

GOOD = {
    "category": row("category", CATEGORY, "Home > Kitchen > Pots"),
    "attributes": row("attributes", EXTRACT, '{"Brand": "Acme", "Size": null}', ASKED),
    "attributes, white space": row("attributes", EXTRACT, '{"Brand": "acme mug", "Size": ["1.5 L", "red"]}', ASKED),
    "implicit": row("attributes", EXTRACT, '{"Brand": "Acme", "Size": "large"}', ASKED | {"implicit": ["Size"]}),
    "choice": row("choice", CHOICE, "Substitute", OPTIONS),
    "ranking": row("ranking", RANK, "2, 1", GAINS),
    "yes_no": row("yes_no", "[CLASSIFY] Same? Answer yes or no.\nTitle: Mug", "yes"),
    "answer": row("answer", "[QA] Answer.\nQuestion: Big?\n[1] 1 L.", "1 L. [1]"),
    "general": row(*HELLO),
    "general, several lines": row("general", "Say\n\n\thello < b > [x] </b>.", "Hello.\n\nAgain."),
    "system turn": row("general", "", "", messages=[Turn("system", "Be kind."), *row(*HELLO).messages]),
}

BAD = [
    ("unknown task", row("categry", CATEGORY, "Home"), "found task 'categry'; did you mean 'category'?"),
    ("unknown prefix", row("category", "[CLASSFY] Mug", "Home"), "starts '[CLASSFY] Mug', expected '[CLASSIFY]'"),
    ("unknown prefix", row("category", "Mug", "Home"), "expected '[CLASSIFY]' of task 'category'"),
    ("prefix of another task", row("category", "[QA] Mug", "Home"), "expected '[CLASSIFY]'"),
    ("control token", row("general", "[QA] Say hello.", "Hello."), "in the user's text '[QA] Say hello.'"),
    ("control token", row("answer", "[QA] A [QA] b\nQuestion: c", "Yes."), "in the user's text ' A [QA] b"),
    ("control token", row("category", CATEGORY, "</s>Home"), "in the assistant's text '</s>Home'"),
    ("control token", row("general", "Hi\x00there", "Hello."), "in the user's text 'Hi\\x00there'"),
    ("white space", row("general", "Say hello. ", "Hello."), "white space around the user's text"),
    ("white space", row("category", CATEGORY, "\nHome"), "white space around the assistant's text"),
    ("wrong roles", row("general", "", "", messages=[Turn("user", "Hi")]), "expected to end in user, assistant"),
    ("wrong roles", row("general", "", "", messages=[Turn("tool", "x"), *row(*HELLO).messages]), "found roles ['tool'"),
    ("wrong roles", row("general", "", "", messages=[]), "found roles []"),
    ("empty answer", row("category", CATEGORY, " "), "found an empty answer"),
    ("answer that cannot be read", row("category", CATEGORY, "A > > B"), "'A > > B', which task 'category' cannot"),
    ("answer that cannot be read", row("attributes", EXTRACT, '{"Brand":', ASKED), "which task 'attributes' cannot"),
    ("answer that cannot be read", row("yes_no", "[CLASSIFY] Same?", "maybe"), "which task 'yes_no' cannot read"),
    ("value not in the text", row("attributes", EXTRACT, '{"Size": "2 L"}', ASKED), "found the value '2 L' of 'Size'"),
    (
        "value not in the text",
        row("attributes", EXTRACT, '{"Brand": "stated"}', ASKED),  # a word of the instruction is none of the product
        "found the value 'stated' of 'Brand'",
    ),
    (
        "value not in the text",
        row("attributes", EXTRACT, '{"Brand": "X", "Size": "L"}', ASKED | {"implicit": ["Size"]}),
        "found the value 'X' of 'Brand'",
    ),
    ("label outside its set", row("choice", CHOICE, "Irrelevant", OPTIONS), "one of 'Exact', 'Substitute'"),
    ("label outside its set", row("choice", CHOICE, "Exact"), "found the answer 'Exact', expected one of an answer"),
    ("label in another form", row("choice", CHOICE, "B", OPTIONS), "expected the option as it is listed: 'Substitute'"),
    ("label outside its set", row("ranking", RANK, "3", GAINS), "found the answer '3'"),
    ("label outside its set", row("ranking", RANK, "2", GAINS), "expected each of the 2 candidates once"),
    ("meta", row("choice", CHOICE, "Exact", '["options"]'), "expected a JSON object as task 'choice' writes it"),
    ("meta", row("choice", CHOICE, "Exact", '{"options": 5}'), "found meta '{\"options\": 5}'"),
    ("meta", row("ranking", RANK, "2, 1", "not JSON"), "found meta 'not JSON'"),
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_good_row_causes_no_finding(name: str) -> None:
    assert list(problems(GOOD[name])) == []


@pytest.mark.parametrize(("kind", "bad", "said"), BAD, ids=[f"{kind} {n}" for n, (kind, *_) in enumerate(BAD)])
def test_a_bad_row_causes_its_finding_and_no_other(kind: str, bad: Row, said: str) -> None:
    (found,) = problems(bad)
    assert found.kind == kind and said in found.text and "found" in found.text


PIECES = st.sampled_from(
    [
        *["[QA]", "[EXTRACT]", "[CLASSIFY]", "</s>", "<|im_end|>", "[/INST]", "<", "Mug", "{"],
        *' \n\x00"',
        "\r\n",
        "\u2028",
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=12)
TURNS = st.builds(Turn, st.sampled_from(["user", "assistant", "system", "tool"]), TEXTS)
METAS = st.sampled_from(["{}", "[]", "", "null", '{"options": 5}', '{"gains": "x"}', '{"implicit": 3}']) | TEXTS


@given(
    task=st.sampled_from([*tasks.names(), "none"]),
    turns=st.lists(TURNS, max_size=2),
    last=st.tuples(TEXTS, TEXTS),
    whole=st.booleans(),
    meta=METAS,
)
def test_no_row_stops_the_checker_and_what_is_mended_stays_so(
    task: str, turns: list[Turn], last: tuple[str, str], whole: bool, meta: str
) -> None:
    end = [Turn("user", last[0]), Turn("assistant", last[1])] if whole else []
    mad = row(task, "", "", meta, messages=[*turns, *end])
    kinds = [problem.kind for problem in problems(mad)]
    once = mended(mad)
    assert mended(once) == once and (kinds or once == mad)
    if task in tasks.names() and len(mad.messages) > 1:
        assert not {problem.kind for problem in problems(once)} & {
            "control token",
            "white space",
            "label in another form",
        }


def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree.txt").write_text(TREE)
    return tmp_path / "tree.txt"


def test_a_value_must_stand_in_the_product_not_in_a_demonstration() -> None:
    example = row("attributes", "[EXTRACT] As JSON:\nTitle: Bolt", '{"Brand": "Bolt"}', ASKED, id="2", group="h")
    assert not list(problems(shown(GOOD["attributes"], [example])))
    bad = shown(row("attributes", EXTRACT, '{"Brand": "Bolt"}', ASKED), [example])
    assert [problem.kind for problem in problems(bad)] == ["value not in the text"]


def test_a_category_must_be_in_the_taxonomy(tmp_path: Path) -> None:
    from converters.sources.google_taxonomy import load

    rules = Rules(tree=load(tree(tmp_path)).paths)
    assert not list(problems(GOOD["category"], rules))
    (deep,) = problems(row("category", CATEGORY, "Home > Kitchen > Pans > Woks"), rules)
    (strange,) = problems(row("category", CATEGORY, "Kitchen"), rules)
    assert deep.kind == strange.kind == "category not in the taxonomy"
    assert "it has 'Home > Kitchen'" in deep.text and "no such top-level node" in strange.text
    assert not list(problems(row("category", CATEGORY, "Kitchen")))


def test_a_row_may_not_be_over_the_length(tmp_path: Path) -> None:
    rules = Rules(ruler=ruler(word_tokenizer(tmp_path / "tokenizer.json")), limit=10)
    text = row("general", "one two three four five", "six seven eight nine ten")
    assert not list(problems(text, rules))
    (found,) = problems(row("general", "one two three four five", "six seven eight nine ten ."), rules)
    assert (found.kind, found.text) == ("over the length", "found 11 tokens, expected 10 at most")


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_good_file_is_nothing_wrong_and_needs_no_copy(tmp_path: Path) -> None:
    good = [row(r.task, r.messages[-2].content, r.target, r.meta, id=name) for name, r in GOOD.items()]
    write_lines(tmp_path / "rows.jsonl", good)
    result = run("check", tmp_path / "rows.jsonl", "--fix", "--taxonomy", tree(tmp_path))
    assert result.exit_code == 0 and "nothing wrong" in result.stdout
    assert not (tmp_path / "rows.fixed.jsonl").exists()


def test_every_line_is_named_and_kinds_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, [row(b.task, "", "", b.meta, messages=b.messages, id=str(n)) for n, (_, b, _) in enumerate(BAD)])
    result = run("check", path)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1 and lines[-1] == f"error: {path}: {len(BAD)} findings"
    for number, (kind, _, said) in enumerate(BAD, 1):
        assert any(line.startswith(f"{path}:{number}: found") and said in line for line in lines)
        assert any(line.endswith(f": {kind}") for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"id": 1}',
        b"\x00",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"id": "\ud800", "group": "g", "task": "general", "source": "s", "messages": []}).encode(),
    ],
)
def test_a_line_that_is_no_row_is_a_finding(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(as_dict(row(*HELLO))).encode() + b"\r\n\n" + line + b"\n")
    (found,) = findings([path])
    assert found.problem.kind == "not a row" and str(found).startswith(f"{path}:3: found")


def as_dict(value: Row) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


def test_an_id_may_come_once_and_copies_of_balance_have_their_own(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, [row(*HELLO, id=name) for name in ("a", "a#2", "b", "a")])
    assert [str(found) for found in findings([path])] == [
        f"{path}:4: found the id of {path}:1 again, expected every id once"
    ]


def mix(folder: Path, **groups: str) -> Path:
    """Write a mix whose splits have one chat of each group named, and a manifest."""
    folder.mkdir()
    for name in ("train", "validation", "test"):
        texts = [("general", f"Say {name} {group}.", "Yes.") for group in groups.get(name, "")]
        write_lines(
            folder / f"{name}.jsonl",
            [row(*text, id=f"{name}{group}", group=group) for group, text in zip(groups[name], texts, strict=True)],
        )
    splits = {name: {"rows": 1, "sha256": sha256(folder / f"{name}.jsonl")} for name in groups}
    (folder / MANIFEST).write_text(json.dumps({"seed": 0, "inputs": [], "splits": splits}))
    return folder


def test_a_group_may_be_in_one_split_and_the_held_out_one_counts(tmp_path: Path) -> None:
    assert not list(findings(files(mix(tmp_path / "good", train="aab", validation="cc", test="d"))))[2:]
    folder = mix(tmp_path / "mix", train="abc", validation="xb", test="yc")
    found = {str(one).removeprefix(f"{folder}/") for one in findings(files(folder))}
    assert found == {
        "train.jsonl:2: found a group that is in validation.jsonl, too, expected every group in one split",
        "train.jsonl:3: found a group that is in test.jsonl, too, expected every group in one split",
    }


def test_a_fixed_file_mends_what_can_be_mended_and_counts_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        row(*HELLO, id="good"),
        row("answer", " [QA] Is it </s> big?\r\nQuestion: [INST] c", "Yes.\n", id="mended"),
        row("choice", CHOICE, "B: Substitute", OPTIONS, id="option"),
        row("general", "Say goodbye.", "Bye.", id="good"),
        row(*HELLO, id="good"),
        row("category", CATEGORY, "A > > B", id="lost"),
        row("attributes", EXTRACT, '{"Size": "2 L</s>"}', ASKED, id="lost too"),
    ]
    write_lines(path, rows)
    with path.open("ab") as file:
        file.write(b"{no JSON\n")
    before = path.read_bytes()
    result = run("check", path, "--fix")
    out = tmp_path / "rows.fixed.jsonl"
    assert result.exit_code == 1 and path.read_bytes() == before
    assert result.stderr.splitlines()[-1].endswith(f"4 of 8 rows are in {out}, a corrected copy")
    fixed = read_rows(out)
    assert [r.id.partition("~")[0] for r in fixed] == ["good", "mended", "option", "good"]
    assert len({r.id for r in fixed}) == 4 and fixed[0] == rows[0]
    assert fixed[1].messages[0].content == "[QA] Is it < /s> big?\nQuestion: [ INST] c"
    assert (fixed[1].target, fixed[2].target) == ("Yes.", "Substitute")
    for line in (
        "  mended 1: control token",
        "  mended 1: white space",
        "  mended 1: label in another form",
        "  mended 1: id again",
        "  left out 1: row again",
        "  left out 1: answer that cannot be read",
        "  left out 1: value not in the text",
        "  left out 1: not a row",
    ):
        assert line in result.stderr.splitlines()
    assert run("check", out).exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.fixed.jsonl", "rows.jsonl"]


def test_a_fixed_mix_has_no_group_in_two_splits_and_says_what_it_is_a_copy_of(tmp_path: Path) -> None:
    folder = mix(tmp_path / "mix", train="abc", validation="xb", test="yc")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run("check", folder, "--fix").exit_code == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    out = tmp_path / "mix.fixed"
    assert run("check", out).exit_code == 0
    groups = {path.stem: [r.group for r in read_rows(path)] for path in files(out)}
    assert groups == {"train": ["a"], "validation": ["x", "b"], "test": ["y", "c"]}
    manifest = json.loads((out / MANIFEST).read_text())
    for path in files(out):
        assert manifest["splits"][path.stem]["sha256"] == sha256(path)
        assert manifest["splits"][path.stem]["rows"] == len(groups[path.stem])
    assert manifest["fixed"]["left_out"] == {"group in two splits": 2} and manifest["seed"] == 0
    assert manifest["fixed"]["from"]["train.jsonl"] == sha256(folder / "train.jsonl")


def test_a_row_that_is_left_out_takes_no_other_with_it(tmp_path: Path) -> None:
    folder = mix(tmp_path / "mix", train="a", validation="b", test="a")
    test = folder / "test.jsonl"
    test.write_text(test.read_text().replace("Yes.", ""))
    assert run("check", folder, "--fix").exit_code == 1
    assert [len(path.read_text().splitlines()) for path in files(tmp_path / "mix.fixed")] == [1, 1, 0]


def test_an_earlier_copy_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, [row("general", " Hi", "Hello.")])
    assert run("check", path, "--fix").exit_code == 1
    made = beside(path).read_bytes()
    again = run("check", path, "--fix")
    assert again.exit_code == 1 and "this earlier corrected copy" in again.stderr
    assert beside(path).read_bytes() == made


def test_options_reach_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, [row("category", CATEGORY, "Garden")])
    tokenizer = word_tokenizer(tmp_path / "tokenizer.json")
    result = run("check", path, "--taxonomy", tree(tmp_path), "--tokenizer", tokenizer, "--sequence-len", 5)
    assert "no such top-level node" in result.stderr and "found 13 tokens, expected 5 at most" in result.stderr
    assert run("check", path, "--tokenizer", tokenizer).exit_code == 0
    assert "--sequence-len needs --tokenizer" in run("check", path, "--sequence-len", 5).stderr
    assert "expected '# Google" in run("check", path, "--taxonomy", path).stderr

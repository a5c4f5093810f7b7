"""The chain from raw files to reports: a flipped byte at any link is named, and what is gone is not called whole."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.io import jsonl
from converters.io.jsonl import folder_sha256
from recipes.runner.records import provenance, verify
from tests.recipes.conftest import BIN, ROOT, command

pytestmark = pytest.mark.slow

LINKS = {
    "runs/tiny/run.json": "record",
    "raw/qar.jsonl": "raw file",
    "data/mix/manifest.json": "mixture manifest",
    "data/mix/train.jsonl": "rows",
    "data/mix/test.jsonl": "rows",
    "runs/tiny/recipe.yaml": "recipe as it ran",
    "runs/base/merged/model.safetensors": "base model",
    "runs/tiny/adapter/adapter_model.safetensors": "adapter",
    "runs/tiny/merged/model.safetensors": "merged",
    "runs/tiny/eval/predictions.jsonl": "predictions",
    "runs/tiny/eval/predictions.json": "predictions' record",
    "runs/tiny/eval/rows.jsonl": "scored rows",
    "runs/tiny/eval/scores.json": "scores",
    "runs/tiny/eval/report.html": "report",
    "runs/tiny/eval/report.md": "report",
    "reports/twins/compare.json": "comparison",
    "reports/twins/compare.html": "comparison",
}


@pytest.fixture(scope="module")
def chain(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with all of ``finished``, moved: predicted, scored, and compared with its own twin."""
    folder = tmp_path_factory.mktemp("chain")
    for name in ("data", "raw", "runs"):
        shutil.copytree(finished / name, folder / name)
    manifest = json.loads((folder / "data/mix/manifest.json").read_text())
    manifest["inputs"] = [item | {"name": f"raw/{Path(item['name']).name}"} for item in manifest["inputs"]]
    (folder / "data/mix/manifest.json").write_text(json.dumps(manifest))
    record = provenance.read(folder / "runs/tiny")
    mix = record["mixes"][0]
    mix |= {"sha256": jsonl.sha256(folder / mix["manifest"]), "inputs": manifest["inputs"]}
    provenance.write(folder / "runs/tiny", record)
    done = command(
        folder,
        "ecom-eval",
        "predict",
        "--checkpoint",
        "runs/tiny/merged",
        "--data",
        "data/mix/test.jsonl",
        "--out",
        "runs/tiny/eval",
        "--max-new-tokens",
        "4",
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "runs/tiny/eval", folder / "runs/twin/eval")
    for run in ("tiny", "twin"):
        words = [
            "--data",
            "data/mix/test.jsonl",
            "--predictions",
            f"runs/{run}/eval/predictions.jsonl",
            "--out",
            f"runs/{run}/eval",
        ]
        assert command(folder, "ecom-eval", "score", *words).returncode == 0
    assert command(folder, "ecom-eval", "compare", "runs/tiny", "runs/twin", "--out", "reports/twins").returncode == 0
    return folder


@pytest.fixture
def flipped(chain: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One byte of a file is another one while the test runs: a digit of a JSON file, so that it can still be read."""
    monkeypatch.chdir(chain)
    path = Path(request.param)
    before = path.read_bytes()
    digits = [place for place, byte in enumerate(before) if 48 <= byte <= 57]
    place = digits[len(digits) // 2] if path.suffix in (".json", ".jsonl") else len(before) // 2
    path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
    yield request.param
    path.write_bytes(before)


def test_a_whole_chain_holds_from_end_to_end(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain)
    links = list(verify.verify(Path("runs/tiny")))
    assert {link.name for link in links if link.state == verify.HOLDS} >= set(LINKS.values())
    assert not [link for link in links if link.state == verify.BROKEN]


@pytest.mark.parametrize("flipped", LINKS, indirect=True)
def test_one_flipped_byte_is_named(flipped: str) -> None:
    first = next(link for link in verify.verify(Path("runs/tiny")) if link.state == verify.BROKEN)
    assert first.name == LINKS[flipped]
    place = Path(first.subject).resolve()
    assert place == Path(flipped).resolve() or place in Path(flipped).resolve().parents


def test_the_command_names_the_link_and_ends_with_1(chain: Path) -> None:
    whole = command(chain, "ecom-train", "verify", "tiny")
    assert whole.returncode == 0 and "none is broken" in whole.stdout
    path = chain / "raw" / "shop.jsonl"
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    broken = command(chain, "ecom-train", "verify", "tiny")
    path.unlink()
    gone = command(chain, "ecom-train", "verify", "tiny")
    path.write_bytes(before)
    said = "error: runs/tiny: broken at 'raw file': raw/shop.jsonl is not what the run was made from"
    assert broken.returncode == 1 and broken.stderr.strip() == said
    assert gone.returncode == 0 and "not here to check  raw file: raw/shop.jsonl" in gone.stdout
    holds, without = (int(text.split("tiny: ")[-1].split()[0]) for text in (whole.stdout, gone.stdout))
    assert without == holds - 1


@pytest.mark.parametrize("cleared", ["scores.json", "report.sha256"])
def test_what_is_gone_from_beside_a_report_is_said(cleared: str, chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain)
    folder = Path("runs/tiny/eval")
    kept = {name: (folder / name).read_bytes() for name in (cleared, "report.html")}
    (folder / "report.html").write_bytes(kept["report.html"] + b"<p>1.000</p>")
    try:
        (folder / cleared).write_bytes(b"")
        if cleared == "scores.json":
            (folder / cleared).unlink()
        links = {(link.state, link.name) for link in verify.verify(Path("runs/tiny"))}
    finally:
        for name, before in kept.items():
            (folder / name).write_bytes(before)
    gone = (
        {(verify.GONE, "scores"), (verify.BROKEN, "report")} if cleared == "scores.json" else {(verify.GONE, "report")}
    )
    assert links >= gone


@pytest.mark.parametrize("line", ["scores.json", "rows.jsonl", "report.html", "report.md"])
def test_a_line_that_was_taken_out_of_the_sums_frees_nothing(
    line: str, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(chain)
    sums = Path("runs/tiny/eval/report.sha256")
    before = sums.read_text()
    sums.write_text("".join(one for one in before.splitlines(keepends=True) if not one.endswith(f"{line}\n")))
    try:
        broken = [link for link in verify.verify(Path("runs/tiny")) if link.state == verify.BROKEN]
    finally:
        sums.write_text(before)
    assert [link.subject for link in broken] == [f"{sums}, which does not name {line}"]


@pytest.mark.parametrize("left", ["nothing", "no line", "no scores"])
def test_a_comparison_whose_sums_do_not_tell_is_not_left_out(
    left: str, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(chain)
    sums = Path("reports/twins/compare.sha256")
    before = sums.read_text()
    sums.write_text(
        "".join(line for line in before.splitlines(keepends=True) if left == "no scores" and "runs" not in line)
    )
    if left == "nothing":
        sums.unlink()
    try:
        found = {one.state: one.subject for one in verify.verify(Path("runs/tiny")) if one.name == "comparison"}
    finally:
        sums.write_text(before)
    said = f"{sums}, which does not name runs/tiny/eval/scores.json"
    assert found == {verify.BROKEN if left == "no scores" else verify.GONE: said}


def test_scores_of_another_form_are_a_sentence(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain)
    path = Path("runs/tiny/eval/scores.json")
    before = path.read_bytes()
    path.write_text("[]")
    try:
        with pytest.raises(InputError, match=r"eval/scores\.json: found .*, expected JSON"):
            list(verify.verify(Path("runs/tiny")))
    finally:
        path.write_bytes(before)


def test_predictions_of_another_checkpoint_break_the_chain(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain)
    run = Path("runs/tiny")
    record = provenance.read(run)
    provenance.write(run, record | {"merged_sha256": "0" * 64, "adapter_sha256": record["adapter_sha256"]})
    try:
        broken = [link.name for link in verify.verify(run) if link.state == verify.BROKEN]
    finally:
        provenance.write(run, record)
    assert broken == ["merged", "predictions' checkpoint"]


@pytest.fixture(scope="module")
def elsewhere(chain: Path) -> Path:
    """The same folder with a second mix, ``data/other``, on which ``make eval-tiny MIX=other`` scored the run, too."""
    for name in ("train", "test"):
        lines = (chain / "data" / "mix" / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
        (chain / "data" / "other").mkdir(exist_ok=True)
        (chain / "data" / "other" / f"{name}.jsonl").write_bytes(b"".join(lines[:-1]))
    before = folder_sha256(chain / "runs" / "tiny" / "eval")
    done = make(chain, "eval-tiny", "MIX=other", "PREDICT=--max-new-tokens 4")
    assert done.returncode == 0, done.stderr
    assert folder_sha256(chain / "runs" / "tiny" / "eval") == before, "the run's own scores stay"
    return chain


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the project's Makefile in another folder, where nothing needs to be set up."""
    command = ["make", "-f", str(ROOT / "Makefile"), "PYTHON=true", f"BIN={BIN}", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_scores_on_another_mix_lie_apart_and_are_a_link(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(elsewhere)
    scores = json.loads(Path("runs/tiny/eval-other/scores.json").read_text())
    assert scores["provenance"]["test_file"] == "data/other/test.jsonl"
    assert scores["provenance"]["train_sha256"] == jsonl.sha256(Path("data/mix/train.jsonl")), "what the run saw"
    test = Path("data/other/test.jsonl")
    before = test.read_bytes()
    assert states(test) == {verify.HOLDS}
    test.write_bytes(before + b"\n")
    assert states(test) == {verify.BROKEN}
    test.unlink()
    assert states(test) == {verify.GONE}
    test.write_bytes(before)
    rows = Path("runs/tiny/eval-other/rows.jsonl")
    before = rows.read_bytes()
    rows.write_bytes(before + b"\n")
    assert {link.subject for link in verify.verify(Path("runs/tiny")) if link.state == verify.BROKEN} == {str(rows)}
    rows.write_bytes(before)


def states(test: Path) -> set[str]:
    links = list(verify.verify(Path("runs/tiny")))
    assert {link.subject for link in links if link.state == verify.BROKEN} <= {str(test)}
    return {link.state for link in links if (link.name, link.subject) == ("test split", str(test))}


def test_scores_on_another_mix_are_compared_and_listed_by_their_name(elsewhere: Path) -> None:
    done = make(elsewhere, "compare", "RUNS=tiny/eval-other twin", "ARGS=--intersect")
    assert done.returncode == 0, done.stderr
    folder = elsewhere / "reports" / "tiny-eval-other-vs-twin"
    assert json.loads((folder / "compare.json").read_text())["pairs"][0]["a"] == "tiny/eval-other"
    assert "Is twin better than tiny/eval-other?" in (folder / "compare.html").read_text()
    chain = command(elsewhere, "ecom-train", "verify", "tiny")
    assert chain.returncode == 0 and "comparison: reports/tiny-eval-other-vs-twin/compare.html" in chain.stdout
    listed = command(elsewhere, "ecom-eval", "runs").stdout
    assert {"tiny", "tiny/eval-other", "twin"} <= {line.split()[0] for line in listed.splitlines() if line.strip()}
    shutil.rmtree(folder)

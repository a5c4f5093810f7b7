"""The model card: front matter that the hub can read, scores with floors and intervals, weaknesses, and nothing private."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from tests.eval._trained import SECRET, make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "mine"))


def edited(run: Path, name: str, **changes: Any) -> None:
    path = run / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_card_says_what_the_run_is(cli: Any, run: Path) -> None:
    done = cli("card", run, "--licence", "apache-2.0", "--language", "en", "--language", "zh")
    assert done.exit_code == 0, done.output
    written = (run / "README.md").read_text()
    card = ModelCard(written)
    assert (card.data.base_model, card.data.base_model_relation, card.data.library_name) == (
        *("owner/base", "finetune"),
        "transformers",
    )
    assert (card.data.license, card.data.language, card.data.datasets) == ("apache-2.0", ["en", "zh"], ["owner/mave"])
    scores = json.loads((run / "eval/scores.json").read_text())["tasks"]
    assert {result.task_name for result in card.data.eval_results} == set(scores)
    (category,) = (result for result in card.data.eval_results if result.task_name == "category")
    of_category = scores["category"]["metrics"]["weighted_f1"]
    assert category.metric_value == pytest.approx(of_category["value"], abs=1e-4)
    ends = f"{of_category['low']:.3f} to {of_category['high']:.3f}; floor {of_category['floor']:.3f}"
    assert ends in category.metric_name
    assert f"| category | **weighted F1** | {of_category['value']:.3f} | {of_category['low']:.3f} |" in written
    assert "* category: 50.0 % of the answers (12 of 24) cannot be read and count as wrong" in written
    assert "* answer: the 95 % interval is 0." in written
    assert "* ranking: NDCG 0.500 is below its floor, " in written
    assert "[CLASSIFY] Category path of this product:\nTitle: Norvik kettle" in written
    assert "with at most 64 new tokens" in written and "| code | " + "d" * 40 + " with uncommitted changes |" in written
    assert "| mave | train | CC BY-NC 4.0 (labels; not for commercial use) | 9 | 7 |" in written
    assert "Not for commercial use: the licence of mave" in written
    assert "no public benchmark" in written and not (run / ".eval_results").exists()


def test_texts_of_others_stay_text_and_private_things_stay_here(cli: Any, run: Path, made: Path) -> None:
    assert cli("card", run).exit_code == 0
    written = (run / "README.md").read_text()
    assert "yours \\| &lt;b&gt;all&lt;/b&gt;" in written and "<b>" not in written
    assert "<script" not in written and "<img" not in written  # titles of the test rows
    for private in (SECRET, str(run), str(made.parents[1]), "alert(1)", "保温杯"):
        assert private not in written


def test_a_base_that_is_a_folder_here_is_not_named(cli: Any, run: Path) -> None:
    edited(run, "run.json", base_model={"name": str(run / "base"), "sha256": "e" * 64, "revision": None})
    assert cli("card", run, "--adapter").exit_code == 0
    card = ModelCard.load(run / "README.md")
    assert card.data.base_model is None and card.data.library_name == "peft"
    assert str(run) not in card.content and "not on the hub" in card.content
    assert "On held-out products, of the merged model." in card.content  # whose scores these are
    edited(run, "run.json", base_model={"name": "models/ours", "sha256": "e" * 64, "revision": None})  # gone meanwhile
    assert cli("card", run).exit_code == 0 and "models/ours" not in (run / "README.md").read_text()


def test_an_entry_for_a_benchmark_is_written_where_one_is_named(cli: Any, run: Path) -> None:
    assert cli("card", run, "--benchmark", "category=owner/products:leaf").exit_code == 0
    (entry,) = parse_eval_result_entries(yaml.safe_load((run / ".eval_results/category.yaml").read_text()))
    score = json.loads((run / "eval/scores.json").read_text())["tasks"]["category"]["metrics"]["weighted_f1"]
    assert (entry.dataset_id, entry.task_id) == ("owner/products", "leaf")
    assert entry.value == pytest.approx(score["value"], abs=1e-4)
    assert entry.notes.startswith("weighted F1, 95 % interval ") and entry.verify_token is None
    assert "no public benchmark" not in (run / "README.md").read_text()


def test_what_has_no_card_is_one_sentence(cli: Any, run: Path, tmp_path: Path) -> None:
    def said(*words: Any) -> str:
        done = cli("card", *words)
        assert done.exit_code == 1 and len(done.output.splitlines()) == 1, done.output
        return str(done.output)

    assert "expected the folder of a run that 'ecom-train train' made" in said(tmp_path / "none")
    assert "changes the checkpoint's hash" in said(run, "--out", run / "merged" / "README.md")
    assert "mine: is a folder; --out names a file" in said(run, "--out", run)
    assert "expected TASK=OWNER/NAME:TASK_ID" in said(run, "--benchmark", "category=products")
    assert "'categry' was not scored; did you mean 'category'?" in said(run, "--benchmark", "categry=a/b:c")
    assert "--licence 'Apache 2': expected an id" in said(run, "--licence", "Apache 2")
    manifest = Path(json.loads((run / "run.json").read_text())["mixes"][0]["manifest"])
    before = manifest.read_bytes()
    manifest.write_bytes(before + b" ")
    assert "is not the manifest that the run was trained with" in said(run)
    manifest.unlink()
    assert cli("card", run).exit_code == 0
    assert "sources and licences are not known" in (run / "README.md").read_text()
    manifest.write_bytes(before)
    edited(run, "run.json", merged_sha256="of another one")
    assert "its scores are of answers" in said(run)
    (run / "eval" / "scores.json").unlink()
    shutil.copytree(run.parent / "mine", run.parent / "mine2")
    (run.parent / "mine2" / "eval" / "scores.json").write_text("{}")  # another run, which nobody means
    assert said(run).endswith("no scores.json there or in its eval folder; run ecom-eval score first\n")

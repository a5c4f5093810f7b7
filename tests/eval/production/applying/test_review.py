"""A calibration decides what is taken; the rest goes to a person and comes back as training rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from eval.production.applying import decisions, labels
from tests.eval._serving import Answered, chat, serving
from tests.eval.production.applying import _shop as shop
from tests.eval.production.applying._shop import bare, calibrated, converted, error, made
from tests.eval.production.applying.conftest import answer, answered


def test_a_calibration_decides_and_the_review_comes_back_as_training_rows(
    home: Path, label: Callable[..., Result]
) -> None:
    calibrated(home / "runs" / "shop")
    products = shop.products(12)
    products[8]["name"] = "=Acme8 thing 8"
    shop.write(home / "new.csv", products, without=shop.LABELS)
    said = made(label("--catalog", "new.csv", "--out", "labelled.csv", "--precision", 0.9))
    assert "accepted 9 of 12 categories and 21 of 28 attributes, all of 9 products; 3 to review" in said
    found = shop.table(home / "labelled.csv")
    assert [row["decision"] for row in found] == ["review", "accept", "accept", "accept"] * 3
    assert [row["decision_category"] for row in found[:2]] == ["review", "accept"]
    assert json.loads(found[1]["decision_attributes"]) == {"Brand": "accept", "Color": "accept"}
    assert "path: confidence 0.135335 is below the threshold 0.5" in found[0]["decision_reason"]
    assert float(found[1]["confidence_category"]) < 0.99  # calibrated, no longer raw
    review = home / "labelled.csv.review.csv"
    rows = shop.table(review)
    assert [row["id"] for row in rows] == ["S0", "S4", "S8"]
    assert (
        rows[1]["category"] == shop.MUGS and "Brand" in rows[1] and rows[1]["confidence of the category"] == "path 0.05"
    )
    assert {row["decided"] for row in rows} == {"no"} and "ecom-data convert catalog labelled.csv.review.csv" in said
    assert rows[2]["title"] == " =Acme8 thing 8"  # no formula of a spreadsheet, and the same title when it is read
    rows[0]["category"], rows[1]["Color"] = "Home > Kitchen > Pots", ""
    rows[0]["decided"], rows[1]["decided"] = "yes", " Ja "
    shop.write(review, rows)
    again = converted(review, mapping=str(home / "labelled.csv.review.csv.mapping.yaml"))
    assert {product for _, product in again} == {"S0", "S4"}  # S8 is the model's guess still
    assert again["category", "S0"] == "Home > Kitchen > Pots" and again["category", "S4"] == shop.MUGS
    assert json.loads(again["attributes", "S4"]) == {"Brand": "Acme4"}
    assert "was edited since it was written" in error(label("--catalog", "new.csv", "--out", "labelled.csv"))
    made(label("--catalog", "new.csv", "--out", "import.csv", "--as", "shopify"))
    assert [row["Handle"] for row in shop.table(home / "import.csv")] == [
        row["sku"] for row in found if row["decision"] == "accept"
    ]


def test_only_a_yes_decides(home: Path, label: Callable[..., Result]) -> None:
    calibrated(home / "runs" / "shop")
    bare(home, 24)
    made(label("--catalog", "new.csv", "--out", "labelled.csv"))
    review = home / "labelled.csv.review.csv"
    rows = shop.table(review)
    words = ("YES", " x", "n", "", "nein", "later")
    for row, word in zip(rows, words, strict=True):
        row["decided"] = word
    shop.write(review, rows)
    again = converted(review, mapping=str(home / "labelled.csv.review.csv.mapping.yaml"))
    assert {product for _, product in again} == {row["id"] for row in rows[:2]}


def test_a_run_that_decides_nothing_leaves_no_review_of_an_earlier_one(
    home: Path, label: Callable[..., Result]
) -> None:
    calibrated(home / "runs" / "shop")
    bare(home, 8)
    words = ("--catalog", "new.csv", "--out", "l.csv")
    made(label(*words))
    assert (home / "l.csv.review.csv").is_file()
    (home / "runs" / "shop" / decisions.FILE).unlink()
    for _ in range(2):
        assert "nothing is decided" in made(label(*words))
        assert not [*home.glob("l.csv.review.csv*")]


def test_a_review_that_is_edited_while_products_are_labelled_stays(
    home: Path, label: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated(home / "runs" / "shop")
    bare(home, 8)
    words = ("--catalog", "new.csv", "--out", "l.csv")
    made(label(*words))
    review, written = home / "l.csv.review.csv", labels.written

    def edited(*given: Any) -> Any:
        review.write_text("id,decided\nS0,yes\n")
        return written(*given)

    monkeypatch.setattr(labels, "written", edited)
    assert "was edited since it was written" in error(label(*words))
    assert review.read_text() == "id,decided\nS0,yes\n"


def test_a_value_that_no_text_holds_is_left_to_a_person() -> None:
    answer = {"Color": ("Red",), "Size": (), "Brand": ("Acme",), "Capacity": ("1.5 l",)}
    given = decisions.Judged(answer, {}, "accept", (), dict.fromkeys(answer, "accept"))
    texts = ["Kettle by ACME", "holds 1,5 L"]
    found = decisions.grounded(given, texts, ())
    assert (found.decision, found.why) == ("review", ("Color: its value is not in the text",))
    assert found.units == {"Color": "review", "Size": "accept", "Brand": "accept", "Capacity": "accept"}
    assert decisions.grounded(given, texts, {"Color"}) == given
    across = decisions.grounded(given, ["Acme kettle, pack of 1.5", "l: 20 cm, deep red"], ())
    assert across.why == ("Capacity: its value is not in the text",)
    frost = decisions.Judged({"Coldest": ("-25 °C",)}, {}, "accept", (), {"Coldest": "accept"})
    found = [decisions.grounded(frost, [text], ()).decision for text in ("To –25 °C.", "To 25 °C.", "From 5-25 °C")]
    assert found == ["accept", "review", "review"]
    undecided = given._replace(decision="", units={})
    assert decisions.grounded(undecided, texts, ()) == undecided


def test_a_value_of_two_attributes_is_left_to_a_person_unless_training_had_such() -> None:
    answer = {"Width": ("30 cm",), "Depth": ("30 CM", "40 cm"), "Weight": ("2 kg",), "Load": ("2 kg",), "Color": ()}
    given = decisions.Judged(answer, {}, "accept", (), dict.fromkeys(answer, "accept"))
    texts = ["Shelf, 30 cm wide, 30 or 40 cm deep, 2 kg"]
    found = decisions.grounded(given, texts, (), {frozenset(("Depth", "Width"))})
    assert found.why == ("Weight: its value is that of Load, too", "Load: its value is that of Weight, too")
    assert found.units == given.units | {"Weight": "review", "Load": "review"} and found.decision == "review"


def test_precision_needs_a_calibration_of_these_very_answers(home: Path, label: Callable[..., Result]) -> None:
    bare(home)
    words = ("--catalog", "new.csv", "--out", "labelled.csv", "--precision", 0.95)
    assert "run: make calibrate RUN=shop PRECISION=0.95" in error(label(*words))
    calibrated(home / "runs" / "shop")
    assert "has thresholds for precision 0.9, not 0.95" in error(label(*words))
    calibrated(home / "runs" / "shop", 0.95, constrained=False)
    assert "from answers that were free" in error(label(*words))
    with serving(lambda body, _: chat(json.loads(answer(body, _).body)["choices"][0]["message"]["content"])) as silent:
        calibrated(home / "runs" / "shop", 0.95)
        assert "sends no log-probabilities" in error(label(*words, "--base-url", silent))
        (home / "runs" / "shop" / decisions.FILE).unlink()
        made(label(*words[:4], "--base-url", silent))
    found = shop.table(home / "labelled.csv")
    assert {row["decision_reason"] for row in found} >= {decisions.UNKNOWN}
    assert {row["confidence_category"] for row in found} == {""}


def test_an_endpoint_without_probabilities_is_told(home: Path, label: Callable[..., Result]) -> None:
    bare(home)
    asked = list[str]()

    def silent(body: dict[str, Any], headers: Any) -> Answered:
        asked.append(body["messages"][-1]["content"])
        return chat(json.loads(answer(body, headers).body)["choices"][0]["message"]["content"])

    with serving(silent) as url:
        words = ("--catalog", "new.csv", "--out", "l.csv", "--base-url", url)
        assert "confidence is not available for 12 of 12 products" in (said := made(label(*words)))
        assert "raw" not in said and "nothing is decided" in said
        calibrated(home / "runs" / "shop")
        assert "12 to review" in made(label(*words))
        asked.clear()
        assert "sends no log-probabilities" in error(label(*words, "--precision", 0.9, "--concurrency", 1))
    assert len(asked) <= 2  # and not all of a chunk
    assert json.loads((home / "l.csv.json").read_text())["confidence"]["not_available"] == 12


def test_a_review_keeps_to_the_taxonomy_of_training(home: Path, label: Callable[..., Result]) -> None:
    tree = home / "tree.txt"
    nodes = ("Home", "Home > Kitchen", shop.MUGS, shop.KETTLES, "Sports", shop.TENTS)
    numbered = "".join(f"{number} - {node}\n" for number, node in enumerate(nodes, 1))
    tree.write_text(f"# Google_Product_Taxonomy_Version: 2026-01-01\n{numbered}")
    options = {**shop.OPTIONS, "taxonomy": str(tree)}
    run = shop.trained(home, shop.entry(home / "train.csv", options=options), name="tree")
    calibrated(run)
    bare(home)
    words = ("--catalog", "new.csv", "--out", "l.csv")
    made(label(*words, name="tree"))
    rows = shop.table(home / "l.csv.review.csv")
    rows[0]["category"], rows[0]["decided"], rows[1]["decided"] = "Home > Kitchn > Mugs", "yes", "yes"
    again = converted(shop.write(home / "decided.csv", rows), mapping=str(home / "l.csv.review.csv.mapping.yaml"))
    assert [product for task, product in again if task == "category"] == [rows[1]["id"]]
    tree.write_text(tree.read_text().replace("4 - ", "40 - ").replace(f"6 - {shop.TENTS}\n", ""))
    said = made(label(*words, name="tree"))
    assert "tree.txt has changed since training" in said and "1 of training's 3 paths are not in it" in said
    tree.unlink()
    assert "tree.txt is gone: ids of categories are not told" in made(
        label("--catalog", "new.csv", "--out", "m.csv", name="tree")
    )


def test_another_taxonomy_is_told_and_wins(home: Path, label: Callable[..., Result]) -> None:
    calibrated(home / "runs" / "shop")
    bare(home, 3)
    (home / "paths.txt").write_text(f"{shop.MUGS}\n{shop.KETTLES}\n{shop.TENTS}\nHome > Lamps\n")
    said = made(label("--catalog", "new.csv", "--out", "l.csv", "--paths", "paths.txt"))
    assert "taxonomy: 1 of 4 paths never occur in training" in said

    def lamp(body: dict[str, Any], headers: Any) -> Answered:
        text = json.loads(answer(body, headers).body)["choices"][0]["message"]["content"]
        return answered(text.replace(shop.MUGS, "Home > Lamps"), -0.01)

    with serving(lamp) as url:
        made(label("--catalog", "new.csv", "--out", "l.csv", "--paths", "paths.txt", "--base-url", url))
    found = {
        row["predicted_category"]: (row["decision_category"], row["decision_reason"])
        for row in shop.table(home / "l.csv")
    }
    assert found["Home > Lamps"] == ("review", decisions.NOT_TRAINED) and found[shop.TENTS][0] == "accept"
    (home / "paths.txt").write_text(f"{shop.MUGS}\n{shop.TENTS}\n")

    def few(body: dict[str, Any], headers: Any) -> Answered:
        text = json.loads(answer(body, headers).body)["choices"][0]["message"]["content"]
        return answered(text.replace(shop.KETTLES, shop.TENTS), -0.01)

    with serving(few) as url:
        said = made(label("--catalog", "new.csv", "--out", "few.csv", "--paths", "paths.txt", "--base-url", url))
    assert "1 of training's 3 paths are not to choose from: no category is accepted" in said
    rows = shop.table(home / "few.csv")
    assert {row["decision_category"] for row in rows} == {"review"}
    assert all(decisions.NARROWED in row["decision_reason"] for row in rows)
    (home / "paths.txt").write_text("Home > Lamps\n")
    assert "which the request did not allow" in error(
        label("--catalog", "new.csv", "--out", "m.csv", "--paths", "paths.txt")
    )
    assert not (home / "m.csv").exists()

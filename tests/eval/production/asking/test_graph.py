"""The product graph: what a catalogue's columns say, what is left out, and the facts near a product."""

import csv
import json
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from converters.core.errors import InputError
from converters.io import jsonl
from converters.tasks.answer import Reply, question_of, snippets
from eval.cli import main
from eval.production.asking import store
from eval.production.asking.graph import engines, opening, queries, relations
from eval.production.asking.graph.queries import Graph
from eval.production.asking.graph.relations import Fact, Found
from eval.production.asking.guardrails import grounding, offers
from eval.production.asking.snippets import Snippet
from tests.eval._serving import Answered, chat, serving

pytest.importorskip("ladybug")
COLUMNS = ("sku", "name", "Brand", "model_no", "accessoryOf", "Successor of", "fits")
CYPHER = "Bolt'}) MATCH (n) DETACH DELETE n // `$id` \\"
ROWS = [
    ("K1", "Acme kettle", "<b>Acme</b>&nbsp;GmbH", "KT-1", "", "", ""),
    ("K2", "Acme kettle plus", "<b>Acme</b> GmbH", "KT-2", "", "K1", ""),
    ("L1", "Steel lid", CYPHER, "", "K1; K2", "", "K1"),
    ("L2", "玻璃盖", "极光", "", '["K2", "X9"]', "", ""),
    ("A1", "Radio A", "n/a", "", "", "B1", ""),
    ("B1", "Radio B", "-", "", "none", "A1", "M9|B1, M8"),
]
OPTIONS = {"id": "sku", "title": "name"}
NAMED = {"model": "model_no", "compatible_with": "fits"}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write(tmp_path / "shop.csv", ROWS)


def write(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def ready(catalog: Path, columns: dict[str, str] = NAMED, rebuild: bool = False) -> tuple[Path, list[str]]:
    place, said = catalog.with_name("graph.lbug"), list[str]()
    index = store.Record(store.FORMAT, {"catalogue": jsonl.sha256(catalog)}, OPTIONS, None)
    opening.ready(place, catalog, index, columns, rebuild, said.append)
    return place, said


@contextmanager
def made(folder: Path, found: Found, hops: int) -> Iterator[Graph]:
    place = folder / "made.lbug"
    opening.build(place, found, queries.Record(queries.FORMAT, "", {}, {}), "shop.csv")
    with opening.opened(place, hops) as graph:
        yield graph


def texts(graph: Graph, *products: str) -> list[str]:
    return [snippet.text for snippet in queries.facts(graph, products)]


def test_facts_are_snippets_with_their_column_and_their_file(catalog: Path) -> None:
    place, _ = ready(catalog)
    with opening.opened(place, 1) as graph:
        found = queries.facts(graph, ["K1"])
        assert [(snippet.product, snippet.text, snippet.source) for snippet in found] == [
            ("K1", "brand: Acme GmbH", "Brand, shop.csv"),
            ("K1", "model: KT-1", "model_no, shop.csv"),
            ("L1", "Steel lid: accessory of: Acme kettle", "accessoryOf, shop.csv"),
            ("L1", "Steel lid: compatible with: Acme kettle", "fits, shop.csv"),
            ("K2", "Acme kettle plus: successor of: Acme kettle", "Successor of, shop.csv"),
        ]
        assert {snippet.kind for snippet in found} == {"graph"}
        assert texts(graph, "L2") == ["brand: 极光", "accessory of: Acme kettle plus"]
        assert texts(graph, "L2", "A1")[:2] == ["玻璃盖: brand: 极光", "玻璃盖: accessory of: Acme kettle plus"]
        assert texts(graph, "nobody") == texts(graph) == []


def test_a_name_that_looks_like_cypher_is_a_name(catalog: Path) -> None:
    place, _ = ready(catalog)
    with opening.opened(place, 2) as graph:
        assert f"brand: {CYPHER}" in texts(graph, "L1")
        assert texts(graph, "x'}) DETACH DELETE n //") == []
        assert graph.run("MATCH (n:ShopProduct) RETURN count(n)", {}) == [[len(ROWS)]]


def test_what_names_no_product_is_counted_by_its_reason(catalog: Path) -> None:
    _, said = ready(catalog)
    assert said == [
        f"graph of 6 products in {catalog.with_name('graph.lbug')}, "
        "facts: 3 accessory_of, 4 brand, 1 compatible_with, 2 model, 3 successor_of\n"
        "left out: 1 accessory_of: the catalogue has no such product\n"
        "left out: 2 compatible_with: the catalogue has no such product\n"
        "left out: 1 compatible_with: the product itself"
    ]


def test_two_steps_reach_what_related_products_say_and_cycles_end(catalog: Path) -> None:
    place, _ = ready(catalog)
    with opening.opened(place, 2) as graph:
        assert sorted(texts(graph, "A1")) == ["Radio B: successor of: Radio A", "successor of: Radio B"]
        assert [text for text in texts(graph, "L2") if not text.startswith(("brand", "accessory"))] == [
            "Acme kettle plus: brand: Acme GmbH",
            "Acme kettle plus: model: KT-2",
            "Acme kettle plus: successor of: Acme kettle",
            "Steel lid: accessory of: Acme kettle plus",
        ]


@pytest.mark.parametrize("seed", range(3))
def test_facts_of_random_shops_are_those_that_a_search_by_hand_finds(tmp_path: Path, seed: int) -> None:
    draw, ids = random.Random(seed), [f"p{number}" for number in range(14)]
    pairs = {(draw.choice(ids), draw.choice(("accessory_of", "successor_of")), draw.choice(ids)) for _ in range(24)}
    edges = [*(pair for pair in pairs if pair[0] != pair[2]), *((one, "brand", draw.choice("AB")) for one in ids)]
    facts = [Fact(subject, relation, relation, other) for subject, relation, other in edges]
    near: dict[str, set[str]] = {one: {one} for one in ids}
    for subject, relation, other in edges:
        if relation != "brand":
            near[subject].add(other)
            near[other].add(subject)
    for hops in (1, 2):
        with made(tmp_path, Found({one: one.upper() for one in ids}, facts, {}), hops) as graph:
            for one in ids:
                ends = {one} if hops == 1 else near[one]
                by_hand = {
                    f"{'' if subject == one else f'{subject.upper()}: '}{relation.replace('_', ' ')}: "
                    f"{other if relation == 'brand' else other.upper()}"
                    for subject, relation, other in edges
                    if {subject, other} & ends
                }
                assert {*texts(graph, one)} == by_hand


def test_a_graph_is_built_once_and_told_when_it_is_of_something_else(catalog: Path) -> None:
    place, first = ready(catalog)
    before = place.read_bytes()
    assert len(first) == 1 and ready(catalog)[1] == [] and place.read_bytes() == before
    with pytest.raises(InputError, match=r"graph.lbug: the graph was built from other columns .* --rebuild"):
        ready(catalog, {})
    write(catalog, ROWS[:2])
    with pytest.raises(InputError, match=r"built from another catalogue, .* --rebuild"):
        ready(catalog)
    assert ready(catalog, rebuild=True)[1][0].startswith("graph of 2 products")
    assert [path.name for path in catalog.parent.iterdir() if path != catalog] == ["graph.lbug"]


def test_a_file_that_is_no_graph_is_said(catalog: Path) -> None:
    place = catalog.with_name("graph.lbug")
    for content in (b"", b"no graph at all" * 1000):
        place.write_bytes(content)
        with pytest.raises(InputError, match=r"graph.lbug: .* --rebuild"), opening.opened(place, 1):
            pass
        place.unlink()
    assert not place.exists()


def test_many_accessories_are_bounded_and_a_long_brand_is_no_brand(tmp_path: Path) -> None:
    titles = {f"p{number:05}": f"Case {number}" for number in range(12_000)} | {"phone": "Phone"}
    facts = [Fact(one, "accessory_of", "accessory_of", "phone") for one in titles if one != "phone"]
    with made(tmp_path, Found(titles, facts, {}), 1) as graph:
        assert texts(graph, "phone")[:2] == ["Case 0: accessory of: Phone", "Case 1: accessory of: Phone"]
        assert len(texts(graph, "phone")) == queries.MOST and texts(graph, "p11999") == ["accessory of: Phone"]
    shop = write(tmp_path / "long.csv", [("K1", "Kettle", "Acme " * 50, "", "", "", "")])
    assert relations.read(shop, OPTIONS, {}).left_out == {"brand of more than 200 characters": 1}


def test_ids_of_merged_rows_mean_their_product(tmp_path: Path) -> None:
    path = tmp_path / "variants.csv"
    path.write_text("sku,name,parent,accessory of\nK1,Kettle,K1,\nK1-RED,Kettle red,K1,\nL1,Lid,,K1-RED\n")
    found = relations.read(path, OPTIONS | {"group": "parent", "variants": 1}, {})
    assert found.facts == [Fact("L1", "accessory_of", "accessory of", "K1")] and "K1-RED" not in found.titles


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["brand"], "--relation 'brand': expected RELATION=COLUMN"),
        (["brands=Brand"], "unknown relation; did you mean 'brand'"),
        (["model=modelno"], "has no such column; did you mean 'model_no'"),
    ],
)
def test_wrong_relations_are_said(catalog: Path, given: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        relations.read(catalog, OPTIONS, relations.named(given))


def test_a_catalogue_without_relations_is_said(shop: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"no column of the relations brand, .*; its columns: sku, name, description"):
        relations.read(shop["catalog"], OPTIONS, {})


def test_the_queries_that_fill_a_server_fill_a_file_alike(tmp_path: Path) -> None:
    """There is no server here: the Cypher that Neo4j is given is held by the other engine that takes it."""
    ids = [f"p{number}" for number in range(40)]
    facts = [Fact(one, "successor_of", "successor_of", other) for one, other in pairwise(ids)]
    facts += [Fact(one, "brand", "brand", f"B{number % 3}") for number, one in enumerate(ids)]
    found, record = Found(dict.fromkeys(ids, CYPHER), facts, {}), queries.Record(queries.FORMAT, "", {}, {})
    with engines.embedded(tmp_path / "unwound.lbug", read_only=False) as engine:
        for table in engines.TABLES:
            engine.run(table, {})
        unwinding = queries.Engine(engine.run, queries.ADD, queries.RELATE, list)
        other = Graph(queries.fill(unwinding, found, record, "shop.csv"), 2, engine.run)
        with made(tmp_path, found, 2) as graph:
            assert graph.record == other.record == queries.recorded(engine.run)
            assert all(texts(graph, one) == texts(other, one) for one in ids)
        for query in engines.REMOVE:
            assert engine.run(query, {})[0][0] > 0 and engine.run(query, {}) == [[0]]


def test_a_server_that_does_not_answer_is_said(catalog: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"bolt://127.0.0.1:{free.getsockname()[1]}"
        with (
            pytest.raises(InputError, match=rf"{address}: the graph cannot be used: \S"),
            engines.server(address) as engine,
        ):
            engine.run(queries.RECORD, {})
    for address in ("http://127.0.0.1", "nonsense", "neo4j://me:secret@host:7687"):
        with pytest.raises(InputError, match=r"expected neo4j://HOST:PORT") as told, engines.server(address):
            pass
        assert "secret" not in str(told.value)


def test_the_guardrails_take_a_fact_for_a_snippet_that_states_no_price() -> None:
    fact = Snippet("K1", "brand: $5 Store", "graph", "Brand, shop.csv")
    assert grounding.objection("Which brand?", Reply("$5 Store", (1,)), [fact]) == ""
    assert "the number 7 stands in no snippet" in grounding.objection("Which brand?", Reply("7 Store", (1,)), [fact])
    assert "no field of it that states one" in offers.objection("What does it cost?", Reply("$5", (1,)), [fact])


@pytest.fixture
def graph_ask() -> Callable[..., tuple[Result, list[list[str]]]]:
    """Run ``ask`` on a catalogue with a model that answers with the subject of the first fact of a lid or a successor."""

    def go(catalog: Path, run: Path, *flags: object) -> tuple[Result, list[list[str]]]:
        contents = list[list[str]]()

        def answer(body: dict[str, Any], _: Any) -> Answered:
            shown = snippets(body["messages"][-1]["content"])
            contents.append(shown)
            word = "accessory of" if "lid" in question_of(body["messages"][-1]["content"]) else "successor of"
            number = next(number for number, text in enumerate(shown, 1) if f": {word}: " in text)
            return chat(f"{shown[number - 1].partition(':')[0]} [{number}]")

        with serving(answer) as url:
            words = ["ask", "--run", run, "--catalog", catalog, "--option", "id=sku", "--option", "title=name"]
            found = CliRunner().invoke(main, [*map(str, [*words, "--backend", "openai", "--base-url", url, *flags])])
        return found, contents

    return go


def test_answers_show_facts_and_cite_them(
    catalog: Path, trained: Callable[..., Path], tmp_path: Path, graph_ask: Callable[..., Any]
) -> None:
    questions, out = tmp_path / "q.jsonl", tmp_path / "answers.jsonl"
    asked = [("Which lid goes with the kettle?", "K1"), ("What is the successor of the Acme kettle?", None)]
    jsonl.write_lines(questions, [{"question": text, "product": product} for text, product in asked])
    words = ("--relation", "model=model_no", "--graph", "--questions", questions, "--out", out)
    found, contents = graph_ask(catalog, trained(), *words)
    assert found.exit_code == 0, found.output
    first, second = jsonl.stream(out, dict[str, Any])
    assert first["answer"] == "Steel lid" and first["cited"][0] | {"number": 0} == {
        "number": 0,
        "product": "L1",
        "kind": "graph",
        "source": "accessoryOf, shop.csv",
        "text": "Steel lid: accessory of: Acme kettle",
    }
    assert second["answer"] == "Acme kettle plus" and second["cited"][0]["source"] == "Successor of, shop.csv"
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["graph"]["hops"] == 1 and record["graph"]["facts"]["accessory_of"] == 3
    assert all(len(shown) <= 10 for shown in contents)
    again, _ = graph_ask(catalog, tmp_path / "runs" / "mine", "--question", "Which lid?", "--product", "K1", "--graph")
    assert again.exit_code == 1 and "other columns (--relation)" in again.output
    for flags, said in (
        (("--question", "Big?", "--hops", "2"), "--relation, --hops and --neo4j are for --graph"),
        (("--question", "Big?", "--vectors", "chroma"), "name one with --encoder"),
    ):
        wrong, _ = graph_ask(catalog, tmp_path / "runs" / "mine", *flags)
        assert wrong.exit_code == 1 and said in wrong.output

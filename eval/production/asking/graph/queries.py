"""The Cypher that every engine is given: how a graph is filled, what it was built from, and the facts near a product.

One text serves ladybug and Neo4j; only the writing of many rows differs (:mod:`engines`). What is of the shop goes in as
parameters, never into a query's text. A product is a ``ShopProduct``, a brand or a model a ``ShopValue``, a fact a ``FACT``
between them with its relation and its source, so that a Neo4j server may hold other things beside.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from converters.core.errors import InputError
from eval.production.asking.graph.relations import VALUES, Fact, Found
from eval.production.asking.snippets import Snippet

FORMAT = 1  # of what is in the graph; another one is built again
MOST = 50  # facts that each query returns: a phone may have a thousand cases
BATCH = 5000

PRODUCT, VALUE = "ShopProduct", "ShopValue"
# Neo4j's; ladybug takes them, too, at a hundredth of the speed of its own.
ADD = {label: f"UNWIND $rows AS row CREATE (:{label} {{id: row.id, name: row.name}})" for label in (PRODUCT, VALUE)}
# Two patterns in one MATCH: ladybug up to 0.19 bound those of two MATCH clauses after UNWIND to the wrong rows.
RELATE = {
    label: f"UNWIND $rows AS row MATCH (a:{PRODUCT} {{id: row.subject}}), (b:{label} {{id: row.object}}) "
    "CREATE (a)-[:FACT {relation: row.relation, source: row.source}]->(b)"
    for label in (PRODUCT, VALUE)
}
COUNT = f"MATCH (:{PRODUCT})-[f:FACT]->() RETURN count(f)"
SIGN = "CREATE (:ShopGraph {id: 'record', record: $record})"
RECORD = "MATCH (g:ShopGraph) RETURN g.record"
_SAID = (
    "RETURN DISTINCT a.id AS subject, a.name AS name, f.relation AS relation, f.source AS source, b.name AS object "
    f"ORDER BY relation, subject, object LIMIT {MOST}"
)
NEAR = (
    f"MATCH (a:{PRODUCT})-[f:FACT]->(b:{VALUE}) WHERE a.id = $id {_SAID}",
    f"MATCH (a:{PRODUCT})-[f:FACT]->(b:{PRODUCT}) WHERE a.id = $id {_SAID}",
    f"MATCH (a:{PRODUCT})-[f:FACT]->(b:{PRODUCT}) WHERE b.id = $id {_SAID}",
)
"""The values of a product, what its row says of others, and what the rows of others say of it."""
_OTHERS = f"WHERE p.id = $id AND a.id <> $id AND b.id <> $id {_SAID}"
FAR = (
    f"MATCH (p:{PRODUCT})-[:FACT]-(a:{PRODUCT})-[f:FACT]->(b:{VALUE}) {_OTHERS}",
    f"MATCH (p:{PRODUCT})-[:FACT]-(a:{PRODUCT})-[f:FACT]->(b:{PRODUCT}) {_OTHERS}",
    f"MATCH (p:{PRODUCT})-[:FACT]-(b:{PRODUCT})<-[f:FACT]-(a:{PRODUCT}) {_OTHERS}",
)
"""The same of the products that it is related to."""

Run = Callable[[str, Mapping[str, Any]], list[list[Any]]]
"""A query and its parameters to the rows of its result."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An open engine: how it is asked, its queries by label that add nodes and facts to them, and what these take as $rows."""

    run: Run
    add: Mapping[str, str]
    relate: Mapping[str, str]
    table: Callable[[list[dict[str, str]]], Any]


class Record(msgspec.Struct, frozen=True):
    """What a graph was built from, and what became of it; ``columns`` are those that were named for relations."""

    format: int
    catalogue: str
    options: dict[str, Any]
    columns: dict[str, str]
    products: int = 0
    facts: dict[str, int] = {}
    left_out: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Graph:
    """An open graph, and how many steps from a product its facts may be, 1 or 2."""

    record: Record
    hops: int
    run: Run


def fill(engine: Engine, found: Found, record: Record, file: str) -> Record:
    """Write a catalogue's facts into an empty graph, its record last, and return that; ``file`` is the catalogue's name.

    An engine that holds fewer facts afterwards than it was given is an ``InputError``.
    """
    values = {_key(fact): fact.object for fact in found.facts if fact.relation in VALUES}
    nodes = {PRODUCT: found.titles, VALUE: values}
    for label, things in nodes.items():
        for batch in _batches({"id": key, "name": name} for key, name in things.items()):
            engine.run(engine.add[label], {"rows": engine.table(batch)})
    for label in nodes:
        own = (fact for fact in found.facts if (fact.relation in VALUES) == (label == VALUE))
        for batch in _batches(_edge(fact, file) for fact in own):
            engine.run(engine.relate[label], {"rows": engine.table(batch)})
    [[held]] = engine.run(COUNT, {})
    if held != len(found.facts):
        raise InputError(f"the graph holds {held:,} facts of {len(found.facts):,} that it was given")
    done = msgspec.structs.replace(
        record,
        products=len(found.titles),
        facts=dict(sorted(Counter(fact.relation for fact in found.facts).items())),
        left_out=dict(found.left_out),
    )
    engine.run(SIGN, {"record": msgspec.json.encode(done).decode()})
    return done


def _key(fact: Fact) -> str:
    """Return the id of what a fact names: a product's own, or a value with its relation, as a brand may be called as a model."""
    return f"{fact.relation}: {fact.object}" if fact.relation in VALUES else fact.object


def _edge(fact: Fact, file: str) -> dict[str, str]:
    source = f"{fact.column}, {file}"
    return {"subject": fact.subject, "object": _key(fact), "relation": fact.relation, "source": source}


def _batches(rows: Iterable[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    rows = iter(rows)
    while batch := [*islice(rows, BATCH)]:
        yield batch


def recorded(run: Run) -> Record | None:
    """Return the record of a graph, ``None`` where it has none, was not finished, or is of another format."""
    for (text,) in run(RECORD, {}):
        if msgspec.json.decode(text).get("format") == FORMAT:
            return msgspec.json.decode(text, type=Record)
    return None


def facts(graph: Graph, products: Sequence[str]) -> list[Snippet]:
    """Return the facts on products as snippets, the nearest first, at most ``MOST`` of each kind a product.

    A fact's product is the one whose row states it. Its title stands before, unless it is the only product asked about.
    """
    found = dict[tuple[str, str], Snippet]()
    for query in (*NEAR, *(FAR if graph.hops > 1 else ())):
        for product in products:
            for subject, title, relation, source, other in graph.run(query, {"id": product}):
                said = f"{relation.replace('_', ' ')}: {other}"
                text = said if [subject] == [*products] else f"{title}: {said}"
                found.setdefault((subject, text), Snippet(subject, text, "graph", source))
    return [*found.values()]

"""Where a graph is kept: in a file, by ladybug (the successor of Kùzu), or on a Neo4j server.

Both are asked by the same Cypher. Only how a graph is made differs: ladybug wants its tables declared, and is filled from Arrow
tables; of Neo4j's server what an earlier build left is removed, and only that.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from converters.core.errors import InputError, first_line
from eval.production.asking.graph.queries import ADD, PRODUCT, RELATE, VALUE, Engine, Run

POOL = 256 << 20  # bytes of ladybug's cache; by itself it takes 80 % of the memory
TABLES = (
    f"CREATE NODE TABLE {PRODUCT}(id STRING PRIMARY KEY, name STRING)",
    f"CREATE NODE TABLE {VALUE}(id STRING PRIMARY KEY, name STRING)",
    "CREATE NODE TABLE ShopGraph(id STRING PRIMARY KEY, record STRING)",
    f"CREATE REL TABLE FACT(FROM {PRODUCT} TO {PRODUCT}, FROM {PRODUCT} TO {VALUE}, relation STRING, source STRING)",
)
COPY = {label: f"COPY {label} FROM $rows" for label in (PRODUCT, VALUE)}
COPY_FACTS = {label: f"COPY FACT FROM $rows (FROM='{PRODUCT}', TO='{label}')" for label in (PRODUCT, VALUE)}
KEYS = tuple(f"CREATE CONSTRAINT IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE" for label in (PRODUCT, VALUE))
REMOVE = tuple(
    f"MATCH (n:{label}) WITH n LIMIT 10000 DETACH DELETE n RETURN count(*)" for label in ("ShopGraph", PRODUCT, VALUE)
)
_INSTALL = "pip install 'ecom-llm-recipes[graph]'"
_AGAIN = "; build it again with --rebuild"
_ADDRESS = re.compile(r"(?:neo4j|bolt)(?:\+s|\+ssc)?://[^\s@/]+/?")


@contextmanager
def embedded(path: Path, read_only: bool = True) -> Iterator[Engine]:
    """Open a graph's file, a new one unless ``read_only``; one that is none, or a missing package, is an ``InputError``."""
    try:
        import ladybug
    except ImportError as error:
        raise InputError("--graph needs the package ladybug: pip install ladybug==0.22.0") from error

    def run(query: str, parameters: Mapping[str, Any]) -> list[list[Any]]:
        with _told(path, _AGAIN, RuntimeError):
            rows: list[list[Any]] = connection.execute(query, dict(parameters)).get_all()
        return rows

    with _told(path, _AGAIN, RuntimeError):
        database = ladybug.Database(path, buffer_pool_size=POOL, read_only=read_only)
        connection = ladybug.Connection(database)
    try:
        yield Engine(run, COPY, COPY_FACTS, pa.Table.from_pylist)
    finally:
        connection.close()
        database.close()


@contextmanager
def server(address: str) -> Iterator[Engine]:
    """Open the graph of a Neo4j server, such as ``neo4j://localhost:7687``; one that does not answer is an ``InputError``.

    User and password are those of ``NEO4J_USERNAME`` and ``NEO4J_PASSWORD`` in the environment, where there are any.
    """
    if not _ADDRESS.fullmatch(address):
        raise InputError("--neo4j: expected neo4j://HOST:PORT or bolt://HOST:PORT; the password is for NEO4J_PASSWORD")
    try:
        import neo4j
        from neo4j.exceptions import DriverError, Neo4jError
    except ImportError as error:
        raise InputError(f"--neo4j needs the package neo4j: {_INSTALL}") from error
    password = os.environ.get("NEO4J_PASSWORD")
    auth = (os.environ.get("NEO4J_USERNAME", "neo4j"), password) if password else None
    faults = (DriverError, Neo4jError, ValueError, OSError)

    def run(query: str, parameters: Mapping[str, Any]) -> list[list[Any]]:
        with _told(address, "", *faults), driver.session() as session:
            return [record.values() for record in session.run(query, dict(parameters))]

    with _told(address, "", *faults):
        driver = neo4j.GraphDatabase.driver(
            address, auth=auth, telemetry_disabled=True, notifications_min_severity="OFF"
        )
    with driver:
        yield Engine(run, ADD, RELATE, list)


def empty(run: Run) -> None:
    """Remove what an earlier build left on a server, in steps that its memory can hold, and have ids found at once."""
    for query in REMOVE:
        while run(query, {}) != [[0]]:
            pass
    for query in KEYS:
        run(query, {})


@contextmanager
def _told(place: Path | str, mend: str, *faults: type[Exception]) -> Iterator[None]:
    """Raise an engine's errors as an ``InputError``."""
    try:
        yield
    except faults as error:
        raise InputError(f"{place}: the graph cannot be used: {first_line(error)}{mend}") from error

"""When a graph is built: if there is none, or it is asked for. One of another catalogue or columns is never used in silence."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from converters.core.errors import InputError
from eval.production.asking import store
from eval.production.asking.graph import engines, relations
from eval.production.asking.graph.queries import FORMAT, Engine, Graph, Record, fill, recorded
from eval.production.asking.indexing import CATALOG

FILE = "graph.lbug"  # within the folder of the index, and as old as that


def ready(
    place: Path | str,
    catalog: Path,
    index: store.Record,
    columns: Mapping[str, str],
    rebuild: bool,
    tell: Callable[[str], object],
) -> None:
    """Build the graph of ``catalog`` at ``place``, a file or a Neo4j server's address, if there is none or with ``rebuild``.

    ``index`` is the record of the catalogue's index. A graph that was built from another catalogue, or with other options or
    columns, is an ``InputError``. ``tell`` is given a sentence on what is built.
    """
    wanted = Record(FORMAT, index.files[CATALOG], index.options, dict(columns))
    known = _record(place)
    if known is not None and not rebuild:
        if changed := _changed(known, wanted):
            raise InputError(f"{place}: the graph was built from {changed}; build it again with --rebuild")
        return
    found = relations.read(catalog, index.options, columns)
    made = build(place, found, wanted, catalog.name)
    counts = ", ".join(f"{number:,} {relation}" for relation, number in made.facts.items())
    left_out = "".join(f"\nleft out: {number:,} {reason}" for reason, number in made.left_out.items())
    tell(f"graph of {made.products:,} products in {place}, facts: {counts or 'none'}{left_out}")


def build(place: Path | str, found: relations.Found, record: Record, file: str) -> Record:
    """Write a graph in place of any earlier one, and return its record; ``file`` is the name of the catalogue."""
    if not isinstance(place, Path):
        with engines.server(place) as engine:
            engines.empty(engine.run)
            return fill(engine, found, record, file)
    with store.alone(place.parent), tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
        made = Path(folder) / place.name
        with engines.embedded(made, read_only=False) as engine:
            for table in engines.TABLES:
                engine.run(table, {})
            done = fill(engine, found, record, file)
        made.replace(place)
    return done


@contextmanager
def opened(place: Path | str, hops: int) -> Iterator[Graph]:
    """Open a graph that is ready; one that is missing or was not finished is an ``InputError``."""
    with _engine(place) as engine:
        record = recorded(engine.run)
        if record is None:
            raise InputError(f"{place}: is no graph of this version; build it again with --rebuild")
        yield Graph(record, hops, engine.run)


def _engine(place: Path | str) -> AbstractContextManager[Engine]:
    return engines.embedded(place) if isinstance(place, Path) else engines.server(place)


def _record(place: Path | str) -> Record | None:
    """Return the record of a graph, ``None`` where there is none."""
    if isinstance(place, Path) and not place.is_file():
        return None
    with _engine(place) as engine:
        return recorded(engine.run)


def _changed(known: Record, wanted: Record) -> str:
    """Say what a graph was built from that is now another thing, "" if nothing is."""
    if known.catalogue != wanted.catalogue or known.options != wanted.options:
        return "another catalogue, or with other options of it"
    return "" if known.columns == wanted.columns else "other columns (--relation)"

"""The vectors of an index in Chroma, in place of its file of them: the nearest are found by a graph of neighbours (HNSW).

That is for very many products: some of the nearest are missed (``tests.bench.retrieval`` counts them), and as its threads decide
what is inserted first, two builds may miss others. All else of an index and of a search is as without it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError, first_line

Nearest = Callable[[NDArray[np.float32], int], list[int]]
"""A vector of length 1, and how many: the numbers of those with the highest cosines, best first; ties are in their order."""

NAME = "products"
EFFORT = 200  # neighbours looked at, in building and in searching: more than are asked for


def write(folder: Path, batches: Iterable[NDArray[np.float32]]) -> None:
    """Keep vectors of length 1 in ``folder``, each by its number; a batch is of at most 1,000."""
    client, count = _client(folder), 0
    hnsw = {"space": "cosine", "ef_construction": EFFORT, "ef_search": EFFORT}
    collection = client.create_collection(NAME, configuration={"hnsw": hnsw}, embedding_function=None)
    for vectors in batches:
        collection.add(ids=[str(count + place) for place in range(len(vectors))], embeddings=vectors)
        count += len(vectors)
    client.close()


def opened(folder: Path) -> Nearest:
    """Return the search in a folder of vectors; one that is missing or damaged is an ``InputError``, here or in the search."""
    with _told(folder):
        collection = _client(folder).get_collection(NAME, embedding_function=None)

    def nearest(vector: NDArray[np.float32], most: int) -> list[int]:
        with _told(folder):
            found = collection.query(query_embeddings=[vector], n_results=most, include=["distances"])
        pairs = zip(found["distances"][0], map(int, found["ids"][0]), strict=True)
        return [number for _, number in sorted((round(distance, 5), number) for distance, number in pairs)]

    return nearest


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Raise Chroma's errors as an ``InputError``."""
    try:
        yield
    except package().errors.ChromaError as error:
        raise InputError(
            f"{folder}: Chroma cannot use it: {first_line(error)}; build it again with --rebuild"
        ) from error


def package() -> Any:
    """Return Chroma's module; a missing one is an ``InputError``."""
    try:
        import chromadb
    except ImportError as error:
        install = "pip install 'ecom-llm-recipes[chroma]'"
        raise InputError(f"--vectors chroma needs the package chromadb: {install}") from error
    return chromadb


def _client(folder: Path) -> Any:
    chromadb = package()
    return chromadb.PersistentClient(str(folder), chromadb.config.Settings(anonymized_telemetry=False))

"""Shopping Queries (ESCI): queries, products, and whether each is an exact match, a substitute, a complement or irrelevant.

Raw formats: ``shopping_queries_dataset_examples.parquet`` with ``query, product_id, product_locale, esci_label, small_version,
large_version, split`` beside ``shopping_queries_dataset_products.parquet`` with ``product_id, product_locale, product_title`` and
more texts; or exports of the joined columns (CSV, JSON lines, Parquet), labels in letters or words. Paper: Reddy et al. 2022,
arXiv:2206.06588. A group is a query whatever its locale, so no query is in two splits. A pair of a training query leaves a
mixture where its product is held out, under another query or by another source; a ranking stays, whatever products it shares.

ECInstruct is made from ESCI: its source takes the grades, the questions' wording and the official splits from here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from converters.core.errors import InputError, nearest
from converters.core.hashing import digest
from converters.io.tables import rows
from converters.schema import SPLITS, Choice, Outcome, Ranking, Record, Text, Verdict
from converters.text.entities import entities
from converters.text.matching import product_group, query_group

URL = "https://github.com/amazon-science/esci-data"
LICENCE = "Apache-2.0"
FILES = "shopping_queries_dataset_examples.parquet with shopping_queries_dataset_products.parquet, or *.csv, *.jsonl"
TASKS = ("choice", "yes_no", "ranking")
GAINS = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
OPTIONS = {"E": "Exact match", "S": "Substitute", "C": "Complement", "I": "Irrelevant"}
RELEVANCE = "How well does the product match the query?"
SUBSTITUTE = "Is the product a substitute, which misses a part of the query but could be used instead?"
VERSIONS = ("small", "large")
KEYS = ("product_locale", "product_id")
NEEDED = ("query", "product_id", "product_locale", "esci_label")
_GRADES = {"exact": "E", "substitute": "S", "complement": "C", "irrelevant": "I"} | {g.lower(): g for g in GAINS}
_SPLITS = {"train": "train", "val": "validation", "dev": "validation", "validation": "validation", "test": "test"}
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def grade(label: str) -> str:
    """Return E, S, C or I for a label in letters or words, nothing for any other.

    >>> grade("Exact"), grade("s"), grade("good")
    ('E', 'S', '')
    """
    return _GRADES.get(label.strip().lower(), "")


def official(split: str | None) -> str | None:
    """Return a dataset's split in our words, an empty text where it has none, ``None`` for an unknown one.

    >>> official("val"), official(None), official("holdout")
    ('validation', '', None)
    """
    return _SPLITS.get(split.strip().lower()) if split and split.strip() else ""


class Pair(NamedTuple):
    """One query, product and label as they stand in the raw file; ``texts`` are the product's, the title first."""

    where: str
    query: str
    product: str
    locale: str
    label: str
    in_version: Any
    split: str | None
    texts: tuple[str | None, ...]


class Options(NamedTuple):
    """Labels of the texts, the locale to keep (none: all), and how many candidates a ranking may show."""

    labels: tuple[str, ...]
    locale: str | None
    version: str
    candidates: int


def read(
    paths: Sequence[Path],
    *,
    version: Annotated[str, "small or large"] = "large",
    locale: Annotated[str | None, "us, es or jp; null for all"] = None,
    texts: Annotated[
        Mapping[str, str] | None, "labels to columns, the title first; null: {Title: product_title}"
    ] = None,
    candidates: Annotated[int, "the most products that a ranking shows"] = 20,
) -> Iterator[Outcome]:
    """Yield one outcome a judgement; the last of a query's carries the query's ranking, too."""
    if version not in VERSIONS:
        raise InputError(f"source 'esci': unknown version {version!r}{nearest(version, VERSIONS)}")
    if candidates < 2:
        raise InputError(f"source 'esci': found candidates {candidates}, expected 2 or more")
    texts = texts or {"Title": "product_title"}
    options = Options(tuple(texts), locale, version, candidates)
    yield from _queries(_parquet(paths, tuple(texts.values()), version), options)
    exported = []
    for pair in _tables(paths, tuple(texts.values()), version):
        if isinstance(pair, Outcome):
            yield pair
        else:
            exported.append(pair)
    # An export may scatter a query's products: all of it is held, to bring them together.
    yield from _queries(sorted(exported, key=attrgetter("locale", "query")), options)


def _queries(pairs: Iterable[Pair], options: Options) -> Iterator[Outcome]:
    for _, group in groupby(pairs, key=attrgetter("locale", "query")):
        yield from _query(list(group), options)


def _parquet(paths: Sequence[Path], texts: Sequence[str], version: str) -> Iterator[Pair]:
    """Join examples and products; a file of examples is known by its queries."""
    paths = [path for path in paths if path.suffix == ".parquet"]
    if not paths:
        return
    from converters.io import parquet

    columns = {path: parquet.columns(path) for path in paths}
    examples = [path for path in paths if {"query", "esci_label"} & set(columns[path])]
    products = [path for path in paths if path not in examples]
    if not examples or not (products or set(texts) & set(columns[examples[0]])):
        kind = "product texts" if examples else "queries"
        raise InputError(f"{paths[0]}: no Parquet file with {kind}; name one of examples and one of products")
    split = ["split"] if all("split" in columns[path] for path in examples) else []
    names = [*NEEDED, f"{version}_version", *split]
    for where, query, product, locale, label, in_version, *rest in parquet.joined(
        examples, products, KEYS, ("product_locale", "query"), names, texts
    ):
        split_name = rest.pop(0) if split else None
        yield Pair(where, query or "", product or "", locale or "", label or "", in_version, split_name, tuple(rest))


def _tables(paths: Sequence[Path], texts: Sequence[str], version: str) -> Iterator[Pair | Outcome]:
    needed = (*NEEDED, f"{version}_version", *texts)
    for path in (path for path in paths if path.suffix != ".parquet"):
        for where, row in rows(path, needed):
            if isinstance(row, Outcome):
                yield row
            elif missing := [name for name in needed if name not in row]:
                yield Outcome(where, reason=f"no column {missing[0]!r}")
            else:
                query, product, locale, label, in_version, *values = (row[name] for name in needed)
                yield Pair(where, query, product, locale, label, in_version, row["split"], tuple(values))


def _query(pairs: Sequence[Pair], options: Options) -> Iterator[Outcome]:
    """Yield the outcomes of one query's pairs; all of them get the strongest split that one of them has."""
    group = query_group(pairs[0].query)
    used: dict[str, Pair] = {}
    for pair in pairs:
        reason = "same product again for its query" if pair.product in used else _reason(pair, options)
        if reason:
            yield Outcome(pair.where, reason=reason)
        else:
            used[pair.product] = pair
    split = max((official(pair.split) or "" for pair in used.values()), key=("", *SPLITS).index, default="")
    ranking, notes = _ranking(list(used.values()), group, options) if used else ((), ())
    part_of = Ranking if ranking else None
    for number, pair in enumerate(used.values(), 1):
        last = number == len(used)
        records = (*_records(pair, group, options), *(ranking if last else ()))
        yield Outcome(pair.where, records, notes=notes if last else (), split=split, part_of=part_of)


def _reason(pair: Pair, options: Options) -> str:
    if pair.in_version not in (1, "1", "True", "true"):
        return f"not in the {options.version} version"
    if options.locale and pair.locale != options.locale:
        return "other locale"
    if not grade(pair.label):
        return "label is not E, S, C or I"
    if official(pair.split) is None:
        return "split is not train, validation or test"
    return "" if pair.query.strip() and _text(pair.texts[0]) else "no query or no product title"


def _records(pair: Pair, group: str, options: Options) -> tuple[Record, ...]:
    identifier = f"{pair.locale}:{pair.product}:{digest(pair.query)}"
    labelled = zip(options.labels, map(_text, pair.texts), strict=True)
    texts = (Text("Query", pair.query), *(Text(label, text) for label, text in labelled if text))
    label, product = grade(pair.label), product_group(pair.product, texts[1].text)
    choice = Choice(identifier, group, RELEVANCE, texts, tuple(OPTIONS.values()), OPTIONS[label], product)
    return choice, Verdict(identifier, group, SUBSTITUTE, texts, label == "S", product)


def _text(text: str | None) -> str:
    return entities(_TAG.sub(" ", text)).strip() if text else ""


def _ranking(pairs: Sequence[Pair], group: str, options: Options) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Return the query's ranking, if its products differ in grade, in an order that tells nothing of it."""
    listed = sorted(pairs, key=lambda pair: digest(pair.product, pair.query))[: options.candidates]
    gains = tuple(GAINS[grade(pair.label)] for pair in listed)
    if len(set(gains)) < 2:
        return (), ("query without a ranking: its products have one grade",)
    query, candidates = pairs[0].query, tuple(_text(pair.texts[0]) for pair in listed)
    ranking = Ranking(f"{pairs[0].locale}:{digest(query)}", group, query, candidates, gains)
    return (ranking,), ("candidate left out: over the limit",) * (len(pairs) - len(listed))

"""What datasets of queries and products share: grades and their gains, wording, groups and official splits.

ECInstruct is made from ESCI, so both pose one question in the same words and give one query the same group.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from converters.core.errors import InputError, nearest
from converters.core.hashing import digest
from converters.io.tables import rows
from converters.schema import SPLITS, Choice, Outcome, Ranking, Record, Text, Verdict
from converters.text.matching import product_group, query_group

GAINS = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
RELEVANCE = "How well does the product match the query?"
SUBSTITUTE = "Is the product a substitute, which misses a part of the query but could be used instead?"
_GRADES = {"exact": "E", "substitute": "S", "complement": "C", "irrelevant": "I"} | {g.lower(): g for g in GAINS}
_SPLITS = {"train": "train", "val": "validation", "dev": "validation", "validation": "validation", "test": "test"}


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


URL = "https://github.com/amazon-science/esci-data"
LICENCE = "Apache-2.0"
FILES = "shopping_queries_dataset_examples.parquet with shopping_queries_dataset_products.parquet, or *.csv, *.jsonl"
TASKS = ("choice", "yes_no", "ranking")
OPTIONS = {"E": "Exact match", "S": "Substitute", "C": "Complement", "I": "Irrelevant"}
VERSIONS = ("small", "large")
KEYS = ("product_locale", "product_id")
NEEDED = ("query", "product_id", "product_locale", "esci_label")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


class Judgement(NamedTuple):
    """One query, product and label as they stand in the raw file; ``texts`` are the product's, the title first."""

    where: str
    query: str
    product: str
    locale: str
    label: str
    kept: Any
    split: str | None
    texts: tuple[str | None, ...]


class Rules(NamedTuple):
    """The options: labels of the texts, the locale wanted or none, and how many candidates a ranking may show."""

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
        Mapping[str, str] | None, "texts to show, labels to columns, the title first; null: {Title: product_title}"
    ] = None,
    candidates: Annotated[int, "the most products that a ranking shows"] = 20,
) -> Iterator[Outcome]:
    """Yield one outcome a judgement; the last of a query's carries the query's ranking, too."""
    if version not in VERSIONS:
        raise InputError(f"source 'esci': unknown version {version!r}{nearest(str(version), list(VERSIONS))}")
    if candidates < 2:
        raise InputError(f"source 'esci': found candidates {candidates}, expected 2 or more")
    texts = texts or {"Title": "product_title"}
    rules = Rules(tuple(texts), locale, version, candidates)
    yield from _queries(_parquet(paths, tuple(texts.values()), version), rules)
    exported = []
    for found in _tables(paths, tuple(texts.values()), version):
        if isinstance(found, Outcome):
            yield found
        else:
            exported.append(found)
    # An export may scatter a query's products: all of it is held, to bring them together.
    yield from _queries(sorted(exported, key=_asked), rules)


def _asked(judgement: Judgement) -> tuple[str, str]:
    return judgement.locale, judgement.query


def _queries(judgements: Iterable[Judgement], rules: Rules) -> Iterator[Outcome]:
    for _, group in groupby(judgements, key=_asked):
        yield from _query(list(group), rules)


def _parquet(paths: Sequence[Path], texts: Sequence[str], version: str) -> Iterator[Judgement]:
    """Join examples and products; a file of examples is known by its queries."""
    found = [path for path in paths if path.suffix == ".parquet"]
    if not found:
        return
    from converters.io import parquet

    examples = [path for path in found if {"query", "esci_label"} & set(parquet.columns(path))]
    products = [path for path in found if path not in examples]
    if not examples or not (products or set(texts) & set(parquet.columns(examples[0]))):
        kind = "product texts" if examples else "queries"
        raise InputError(f"{found[0]}: found no parquet file with {kind}, expected one of examples and one of products")
    split = ["split"] if all("split" in parquet.columns(path) for path in examples) else []
    wanted = [*NEEDED, f"{version}_version", *split]
    for where, query, product, locale, label, kept, *rest in parquet.joined(
        examples, products, KEYS, ("product_locale", "query"), wanted, texts
    ):
        found_split, shown = (rest[0], rest[1:]) if split else (None, rest)
        yield Judgement(where, query or "", product or "", locale or "", label or "", kept, found_split, tuple(shown))


def _tables(paths: Sequence[Path], texts: Sequence[str], version: str) -> Iterator[Judgement | Outcome]:
    needed = (*NEEDED, f"{version}_version", *texts)
    for path in (path for path in paths if path.suffix != ".parquet"):
        for where, row in rows(path, needed):
            if isinstance(row, Outcome):
                yield row
            elif missing := [name for name in needed if name not in row]:
                yield Outcome(where, reason=f"no column {missing[0]!r}")
            else:
                query, product, locale, label, kept, *shown = (row[name] for name in needed)
                yield Judgement(where, query, product, locale, label, kept, row["split"], tuple(shown))


def _query(judgements: Sequence[Judgement], rules: Rules) -> Iterator[Outcome]:
    """Yield the outcomes of one query's judgements; all of them get the strongest split that one of them has."""
    query = judgements[0].query
    group = query_group(query)
    used: dict[str, Judgement] = {}
    for judgement in judgements:
        reason = "same product again for its query" if judgement.product in used else _reason(judgement, rules)
        if reason:
            yield Outcome(judgement.where, reason=reason)
        else:
            used[judgement.product] = judgement
    split = max((official(j.split) or "" for j in used.values()), key=("", *SPLITS).index, default="")
    ranking, notes = _ranking(list(used.values()), group, rules) if used else ((), ())
    for number, judgement in enumerate(used.values(), 1):
        last = number == len(used)
        records = (*_pair(judgement, group, rules), *(ranking if last else ()))
        whole = Ranking if ranking else None
        yield Outcome(judgement.where, records, notes=notes if last else (), split=split, part_of=whole)


def _reason(judgement: Judgement, rules: Rules) -> str:
    if judgement.kept not in (1, "1", "True", "true"):
        return f"not in the {rules.version} version"
    if rules.locale and judgement.locale != rules.locale:
        return "other locale"
    if not grade(judgement.label):
        return "label is not E, S, C or I"
    if official(judgement.split) is None:
        return "split is not train, validation or test"
    return "" if judgement.query.strip() and _text(judgement.texts[0]) else "no query or no product title"


def _pair(judgement: Judgement, group: str, rules: Rules) -> tuple[Record, ...]:
    identifier = f"{judgement.locale}:{judgement.product}:{digest(judgement.query)}"
    shown = zip(rules.labels, map(_text, judgement.texts), strict=True)
    texts = (Text("Query", judgement.query), *(Text(label, text) for label, text in shown if text))
    label = grade(judgement.label)
    product = product_group(judgement.product, texts[1].text)
    choice = Choice(identifier, group, RELEVANCE, texts, tuple(OPTIONS.values()), OPTIONS[label], product)
    return choice, Verdict(identifier, group, SUBSTITUTE, texts, label == "S", product)


def _text(text: str | None) -> str:
    return html.unescape(_TAG.sub(" ", text)).strip() if text else ""


def _ranking(judgements: Sequence[Judgement], group: str, rules: Rules) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Return the query's ranking, if its products differ in grade; they are shown in an order that tells nothing of it."""
    shown = sorted(judgements, key=lambda j: digest(j.product, j.query))[: rules.candidates]
    gains = tuple(GAINS[grade(j.label)] for j in shown)
    if len(set(gains)) < 2:
        return (), ("query without a ranking: its products have one grade",)
    first = judgements[0]
    candidates = tuple(_text(j.texts[0]) for j in shown)
    notes = ("candidate left out: over the limit",) * (len(judgements) - len(shown))
    return (Ranking(f"{first.locale}:{digest(first.query)}", group, first.query, candidates, gains),), notes

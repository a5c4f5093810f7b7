"""Icecat's product XML: one product a file, as its servers answer, or several in one file or folder.

A product has one category, a flat name with an id and no path. Values of features come as they are shown (``Presentation_Value``,
with the unit). Names of several languages carry Icecat's number of the language, ``langid``; option ``locale`` names it, or the
language; without it a product's first language counts. Format: Icecat Open Catalogue Interface (OCI), the "XML data-sheet".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from converters.io.tables import Sparse
from converters.io.xml import elements, local
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head

TITLE = "an Icecat product data-sheet"
_LANGUAGES = {"en": "1", "nl": "2", "fr": "3", "de": "4", "it": "5", "es": "6"}
_SUMMARY, _LONG, _SHORT = "LongSummaryDescription", "LongDesc", "ShortDesc"


def recognise(head: Head) -> Evidence | None:
    """Recognise a data-sheet by its first element; one that says that there is no data has little else."""
    return Evidence(1, 1) if "ICECAT" in head.root.upper() and "Product" in head.columns else None


def options(head: Head) -> Mapping[str, Any]:
    """Return the options; the columns are names that :func:`rows` gives."""
    return {
        "id": "Prod_id",
        "title": "Title",
        "category": "Category",
        "texts": {"Description": _LONG, "Summary": _SUMMARY},
        "attributes": {"Brand": "Supplier"},
        "specs": ["Features"],
    }


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say that the categories are flat."""
    return ("an Icecat category is one name with an id, without its parents: labels have one level",)


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield a row a product, ``Category_ID`` among its cells; one that Icecat could not find comes as an outcome."""
    locale = (columns.locale or "").casefold()
    language = _LANGUAGES.get(locale[:2], locale) or None
    for path in paths:
        for where, product in elements(path, ("Product",), columns.encoding):
            if error := product.get("ErrorMessage"):
                yield where, Outcome(where, reason="Icecat has no data on the product", detail=error)
            else:
                yield where, Sparse(_cells(product, language))


def _cells(product: Element, language: str | None) -> dict[str, str]:
    parts: dict[str, list[Element]] = {}
    for child in product:
        parts.setdefault(local(child.tag), []).append(child)
    language = language or next((each.get("langid") for each in product.iter() if each.get("langid")), None)
    category, supplier, description = (
        _chosen(parts.get(name, ()), language) for name in ("Category", "Supplier", "ProductDescription")
    )
    summaries = [each for part in parts.get("SummaryDescription", ()) for each in part if local(each.tag) == _SUMMARY]
    features = [stated for each in parts.get("ProductFeature", ()) if (stated := _feature(each, language))]
    brand, name = supplier.get("Name", ""), _name(category, language)
    cells = {
        **product.attrib,
        "Title": product.get("Title") or " ".join(filter(None, (brand, product.get("Name")))),
        # A slash or a comma in a flat name is no separator.
        "Category": json.dumps([[name]], ensure_ascii=False) if name else "",
        "Category_ID": category.get("ID", ""),
        "Supplier": brand,
        _SUMMARY: _chosen(summaries, language).text or "",
        "Features": json.dumps(features, ensure_ascii=False) if features else "",
    }
    # Line breaks of descriptions are written as backslash and n.
    return cells | {each: description.get(each, "").replace("\\n", "\n") for each in (_LONG, _SHORT)}


def _feature(element: Element, language: str | None) -> dict[str, str] | None:
    """Return name and value of a feature, as they are shown."""
    parts = {kind: [each for each in element if local(each.tag) == kind] for kind in ("Feature", "LocalValue")}
    name = _name(_chosen(parts["Feature"], language), language)
    own = (each.get("Value") for each in parts["LocalValue"] if each.get("langid") == language)
    shown = next(own, None) or element.get("Presentation_Value") or element.get("Value") or ""
    return {"name": name, "value": shown.strip()} if name and shown.strip() else None


def _name(element: Element, language: str | None) -> str:
    name = _chosen([each for each in element if local(each.tag) == "Name"], language)
    return (name.get("Value") or name.text or "").strip()


def _chosen(among: Sequence[Element], language: str | None) -> Element:
    """Return the element in a language, else the first, else one that says nothing."""
    spoken = (each for each in among if each.get("langid") == language)
    return next(spoken, among[0] if among else Element(""))

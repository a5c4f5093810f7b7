"""Amazon's flat files (inventory templates and category listings reports, saved as text) and its reports of listings.

A flat file begins with a line of the template and labels in the seller's language; then come the names of fields: ``item_sku``,
``color_name``, ``bullet_point1``, or in newer templates ``contribution_sku#1.value``,
``color[marketplace_id=...][language_tag=en_US]#1.value``. Settings in the first line say where the data begin. Variants name their
parent in ``parent_sku``; categories are a product type, which is one node, and the numbers of browse nodes. A report of listings
begins with its names, ``item-name``, ``seller-sku``, and has neither product types nor attributes.
Format: templates and reports as public code reads and writes them for Amazon's sites.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from converters.core.errors import InputError
from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, Header, head

TITLE = "an Amazon file, in which a product type is the only category"
_SKUS = ("item_sku", "contribution_sku", "sku", "seller_sku", "asin1")
_TITLES = ("item_name", "title")
_TYPES = ("feed_product_type", "product_type", "item_type_keyword", "item_type_name", "item_type", "zshop_category1")
_DESCRIPTIONS = ("product_description", "item_description")
_PARENTS = ("parent_sku", "child_parent_sku_relationship")
_TYPICAL = (
    _SKUS,
    _TITLES,
    (*_DESCRIPTIONS, "bullet_point"),
    (*_TYPES, "asin1"),
    (*_PARENTS, "parent_child", "parentage", "parentage_level", "brand_name", "brand", "listing_id"),
)
_ATTRIBUTES = {
    *("brand", "color", "size", "material", "outer_material", "inner_material", "fabric", "pattern", "style", "flavor"),
    *("scent", "finish", "shape", "item_shape", "theme", "closure", "target_gender", "department", "age_range_description"),
    *("special_features", "special_feature", "included_components", "power_source", "neck_style", "sleeve", "fit", "season"),
}
_NOT_OF_PRODUCTS = ("package", "item_package", "website", "shipping", "fulfillment", "unit_count", "list_price")
_UNIT = "_unit_of_measure"
_FIELD = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z_-]*?(?:1(?=$))?)_?(?P<number>\d*)(?P<tags>(?:\[[^\]]*\])*)(?:#(?P<nth>\d+))?(?P<leaf>\.[\w.]+)?"
)
_DATA = re.compile(r"\bdataRow=(\d+)")
VARIANTS = 4  # a parent and three of its variants: a variant's title tells colour and size, which its parent's does not
TEMPLATE = "line of the template, no product"

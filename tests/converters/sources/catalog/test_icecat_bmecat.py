"""Catalogues of manufacturers and wholesalers: Icecat's data-sheets and BMEcat."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from converters.mixture.spec import Entry
from converters.sources.catalog.entry import complete
from tests.converters._converted import Converted, convert


def converted(path: Path, **options: Any) -> Converted:
    return convert(Entry(source="catalog", paths=[str(path)], options=options))


def targets(part: Converted, task: str = "category") -> list[str]:
    return [row.target for row in part.rows if row.task == task]


def sheet(number: int, names: str = '<Name Value="Mice/Pens" langid="1"/><Name Value="Mäuse" langid="4"/>') -> str:
    features = "".join(
        f'<ProductFeature Presentation_Value="{shown}" Value="x"><Feature><Measure Sign="u"/><Name Value="{name}" langid="1"/>'
        f"</Feature></ProductFeature>"
        for name, shown in {"Weight": "80 g", "Wireless": "Y", "Buttons": "5"}.items()
    )
    return (
        f'<ICECAT-interface><Product Prod_id="M-{number}" Name="Glide {number}" Title="Averno Glide {number} mouse">'
        f'<Category ID="3">{names}</Category>{features}<Supplier Name="Averno"/>'
        '<ProductDescription LongDesc="Weighs 80 g.\\nIt has 5 buttons." langid="1"/>'
        '<ProductDescription LongDesc="Wiegt 80 g." langid="4"/><SummaryDescription>'
        '<LongSummaryDescription langid="1">A mouse.</LongSummaryDescription></SummaryDescription></Product></ICECAT-interface>'
    )


def test_icecat_one_file_a_product(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.xml").write_text(f'<!DOCTYPE I SYSTEM "x.dtd">{sheet(number)}', "utf-8")
    part = converted(tmp_path)
    assert targets(part) == ["Mice/Pens"] * 3 and part.tally.read == part.tally.used == 3
    assert json.loads(targets(part, "attributes")[0]) == {"Brand": "Averno", "Weight": "80 g", "Buttons": "5"}
    prompt = part.rows[0].messages[0].content
    assert "Description: Weighs 80 g." in prompt and "\\n" not in prompt and "Summary: A mouse." in prompt
    assert any("without its parents" in line for line in complete([tmp_path / "0.xml"], {}).lines)


@pytest.mark.parametrize(
    ("locale", "expected"), [("de", "Mäuse"), ("de_DE", "Mäuse"), ("4", "Mäuse"), ("fr", "Mice/Pens")]
)
def test_icecat_in_another_language(tmp_path: Path, locale: str, expected: str) -> None:
    (tmp_path / "1.xml").write_text(sheet(1), "utf-8")
    part = converted(tmp_path / "1.xml", locale=locale)
    assert targets(part) == [expected] and ("Wiegt 80 g." in part.rows[0].messages[0].content) == (expected == "Mäuse")


def test_icecat_without_data_or_names_is_counted(tmp_path: Path) -> None:
    bare = '<Product Prod_id="1" Name="Glide"><Supplier Name="Averno"/><Category ID="9"/></Product>'
    bare += '<Product ErrorMessage="None found"/>'
    (tmp_path / "1.xml").write_text(sheet(1).replace("</Product>", f"</Product>{bare}"), "utf-8")
    part = converted(tmp_path / "1.xml")
    assert part.tally.rejected == {"Icecat has no data on the product": 1} and part.tally.used == 2
    assert any("Title: Averno Glide" in row.messages[0].content for row in part.rows)


GROUPS = """<CLASSIFICATION_SYSTEM><CLASSIFICATION_SYSTEM_NAME>Ours</CLASSIFICATION_SYSTEM_NAME><CLASSIFICATION_GROUPS>
<CLASSIFICATION_GROUP><CLASSIFICATION_GROUP_ID>2</CLASSIFICATION_GROUP_ID><CLASSIFICATION_GROUP_NAME>Axes, saws
</CLASSIFICATION_GROUP_NAME><CLASSIFICATION_GROUP_PARENT_ID>1</CLASSIFICATION_GROUP_PARENT_ID></CLASSIFICATION_GROUP>
<CLASSIFICATION_GROUP><CLASSIFICATION_GROUP_ID>1</CLASSIFICATION_GROUP_ID><CLASSIFICATION_GROUP_NAME>Tools
</CLASSIFICATION_GROUP_NAME></CLASSIFICATION_GROUP></CLASSIFICATION_GROUPS></CLASSIFICATION_SYSTEM>"""
OWN = """<CATALOG_GROUP_SYSTEM><CATALOG_STRUCTURE type="root"><GROUP_ID>1</GROUP_ID><GROUP_NAME>All</GROUP_NAME><PARENT_ID>0
</PARENT_ID></CATALOG_STRUCTURE><CATALOG_STRUCTURE type="node"><GROUP_ID>2</GROUP_ID><GROUP_NAME lang="eng">Forest</GROUP_NAME>
<GROUP_NAME lang="deu">Wald</GROUP_NAME><PARENT_ID>1</PARENT_ID></CATALOG_STRUCTURE><CATALOG_STRUCTURE type="leaf"><GROUP_ID>3
</GROUP_ID><GROUP_NAME>Felling</GROUP_NAME><PARENT_ID>2</PARENT_ID></CATALOG_STRUCTURE></CATALOG_GROUP_SYSTEM>"""
MAP = "<PRODUCT_TO_CATALOGGROUP_MAP><PROD_ID>A-1</PROD_ID><CATALOG_GROUP_ID>3</CATALOG_GROUP_ID></PRODUCT_TO_CATALOGGROUP_MAP>"
PRODUCT = """<PRODUCT mode="new"><SUPPLIER_PID type="own">A-1</SUPPLIER_PID><PRODUCT_DETAILS>
<DESCRIPTION_SHORT lang="eng">Brack axe</DESCRIPTION_SHORT>
<DESCRIPTION_SHORT lang="deu">Axt von Brack</DESCRIPTION_SHORT><DESCRIPTION_LONG>Head of 800 g, handle of ash or
beech, oiled.</DESCRIPTION_LONG></PRODUCT_DETAILS><PRODUCT_FEATURES><REFERENCE_FEATURE_SYSTEM_NAME>Ours
</REFERENCE_FEATURE_SYSTEM_NAME><REFERENCE_FEATURE_GROUP_ID>2</REFERENCE_FEATURE_GROUP_ID><FEATURE><FNAME>Head</FNAME><FVALUE>800
</FVALUE><FUNIT>GRM</FUNIT></FEATURE><FEATURE><FNAME>Handle</FNAME><FVALUE>ash</FVALUE><FVALUE>beech</FVALUE></FEATURE>
</PRODUCT_FEATURES><PRODUCT_FEATURES><REFERENCE_FEATURE_SYSTEM_NAME>ETIM-9.0</REFERENCE_FEATURE_SYSTEM_NAME>
<REFERENCE_FEATURE_GROUP_ID>EC000111</REFERENCE_FEATURE_GROUP_ID>
<FEATURE><FNAME>EF000001</FNAME><FVALUE>EV000002</FVALUE></FEATURE>
<FEATURE><FNAME>EF000002</FNAME><FVALUE>800</FVALUE></FEATURE><FEATURE><FNAME>EF000003</FNAME><FDESCR>Finish</FDESCR>
<FVALUE>EV000004</FVALUE><FVALUE_DETAILS>oiled</FVALUE_DETAILS></FEATURE></PRODUCT_FEATURES></PRODUCT>"""


def bmecat(path: Path, *parts: str, old: bool = False, prefix: str = "") -> Path:
    text = "".join(parts)
    if old:
        for new, name in {"PROD_ID": "ART_ID", "SUPPLIER_PID": "SUPPLIER_AID", "PRODUCT": "ARTICLE"}.items():
            text = text.replace(new, name)
        text = f'<!DOCTYPE BMECAT SYSTEM "x.dtd"><BMECAT version="1.2"><T_NEW_CATALOG>{text}</T_NEW_CATALOG></BMECAT>'
    else:
        text = f'<BMECAT xmlns="http://www.bmecat.org/bmecat/2005"><T_NEW_CATALOG>{text}</T_NEW_CATALOG></BMECAT>'
    if prefix:
        text = (
            text.replace("</", "\0")
            .replace("<", f"<{prefix}:")
            .replace("\0", f"</{prefix}:")
            .replace("xmlns=", f"xmlns:{prefix}=")
        )
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("form", [{}, {"old": True}, {"prefix": "bmecat"}], ids=["2005", "1.2", "prefix"])
@pytest.mark.parametrize("parts", [(OWN, MAP, PRODUCT), (PRODUCT, OWN, MAP), (PRODUCT, MAP, GROUPS, OWN)])
def test_bmecat_groups_may_come_in_any_order(tmp_path: Path, parts: tuple[str, ...], form: dict[str, Any]) -> None:
    part = converted(bmecat(tmp_path / "c.xml", *parts, **form))
    assert targets(part) == ["Forest > Felling"] and part.rows[0].id.endswith(":A-1")
    stated = json.loads(targets(part, "attributes")[0])
    assert stated == {"Head": "800 g", "Handle": ["ash", "beech"], "Finish": "oiled"}
    assert any("features as codes" in note for note in part.tally.noted)


@pytest.mark.parametrize(
    ("parts", "options", "expected"),
    [
        ((GROUPS, PRODUCT), {}, "Tools > Axes, saws"),
        ((GROUPS, OWN, PRODUCT), {}, "Tools > Axes, saws"),
        ((GROUPS, OWN, PRODUCT, MAP), {}, "Forest > Felling"),
        ((GROUPS, OWN, PRODUCT, MAP), {"tree": "ours"}, "Tools > Axes, saws"),
        ((GROUPS, OWN, PRODUCT, MAP), {"locale": "de_DE"}, "Wald > Felling"),
        ((GROUPS.replace("Ours", "Another"), PRODUCT), {}, "Tools > Axes, saws"),
        ((OWN, PRODUCT, MAP, MAP.replace(">3<", ">2<")), {}, "Forest > Felling"),
    ],
)
def test_bmecat_has_one_tree(tmp_path: Path, parts: tuple[str, ...], options: dict[str, str], expected: str) -> None:
    part = converted(bmecat(tmp_path / "c.xml", *parts), **options)
    assert targets(part) == [expected]
    assert ("Axt von Brack" in part.rows[0].messages[0].content) == ("locale" in options)
    said = complete([tmp_path / "c.xml"], options).lines
    assert any("another: --option tree=" in line for line in said) == (GROUPS in parts and OWN in parts)


def test_bmecat_without_names_of_groups_has_no_labels(tmp_path: Path) -> None:
    products = [PRODUCT.replace("A-1", f"A-{n}").replace("EC000111", f"EC00011{n}") for n in range(4)]
    part = converted(bmecat(tmp_path / "c.xml", *products))
    assert targets(part) == [] and part.tally.used == 4
    assert part.tally.noted["no category path: category is a code, not a name"] == 4


def test_bmecat_circles_and_deletions_and_wrong_trees(tmp_path: Path) -> None:
    circle = OWN.replace("<PARENT_ID>1</PARENT_ID>", "<PARENT_ID>3</PARENT_ID>")
    gone = '<PRODUCT mode="delete"><SUPPLIER_PID>A-2</SUPPLIER_PID></PRODUCT>'
    part = converted(bmecat(tmp_path / "c.xml", circle, PRODUCT, MAP, gone))
    assert (part.tally.read, part.tally.used, part.tally.rejected) == (2, 1, {"product is to be deleted (mode)": 1})
    with pytest.raises(InputError, match=r"c\.xml: no tree 'Our'; did you mean 'Ours'"):
        converted(bmecat(tmp_path / "c.xml", GROUPS, PRODUCT), tree="Our")


def test_other_xml_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<shop><mug>Red</mug></shop>")
    with pytest.raises(InputError, match=r"a\.xml: XML of no kind that is read"):
        converted(tmp_path / "a.xml")


def test_icecat_a_folder_may_hold_an_answer_without_data(tmp_path: Path) -> None:
    (tmp_path / "0.XML").write_text(
        '<ICECAT-interface><Product Prod_id="0" ErrorMessage="None found"/></ICECAT-interface>'
    )
    (tmp_path / "1.xml").write_text(sheet(1), "utf-8")
    part = convert(Entry(source="catalog", paths=[str(tmp_path / name) for name in ("0.XML", "1.xml")]))
    assert targets(part) == ["Mice/Pens"] and part.tally.rejected == {"Icecat has no data on the product": 1}


def test_bmecat_a_group_that_is_its_own_ancestor_has_no_path(tmp_path: Path) -> None:
    around = OWN.replace("<PARENT_ID>1</PARENT_ID>", "<PARENT_ID>3</PARENT_ID>")
    part = converted(bmecat(tmp_path / "c.xml", around, PRODUCT, MAP))
    assert targets(part) == [] and part.tally.noted["no category path: category is a code, not a name"] == 1


def test_bmecat_codes_are_not_implied(tmp_path: Path) -> None:
    path = bmecat(tmp_path / "c.xml", OWN, MAP, PRODUCT)
    assert all("features as codes" not in answer for answer in targets(converted(path, implicit=True), "attributes"))
    assert any("codes are left out" in line for line in complete([path], {"implicit": True}).lines)

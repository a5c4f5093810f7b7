"""Amazon's flat files, older and newer, and the report of listings."""

from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.mixture.spec import Entry
from converters.sources.catalog.entry import complete
from tests.converters._converted import Converted, convert
from tests.converters.sources.catalog._presets import targets

FIXTURE = Path(__file__).parents[3] / "fixtures" / "presets" / "amazon.txt"
DE, FR = ("[marketplace_id=A1][language_tag=de_DE]", "[marketplace_id=A2][language_tag=fr_FR]")
NEWER = {
    "contribution_sku#1.value": ("ABC123", "HB", "HB-N"),
    "product_type#1.value": ("FOOD_JAR", "FOOD_JAR", "FOOD_JAR"),
    f"item_name{DE}#1.value": ("Muster", "Harz Dose", "Harz Dose Nacht"),
    f"item_name{FR}#1.value": ("Modèle", "Boîte Harz", "Boîte Harz Nuit"),
    f"brand{DE}#1.value": ("", "Harz", "Harz"),
    f"bullet_point{DE}#1.value": ("", "aus Glas und Kork", ""),
    f"bullet_point{DE}#2.value": ("", "fasst 1,2 l", ""),
    f"material{DE}#1.value": ("", "Glas", ""),
    f"material{DE}#2.value": ("", "Kork", ""),
    f"color{FR}#1.value": ("", "", "Nuit"),
    f"color{DE}#1.value": ("", "", "Nacht"),
    "capacity[marketplace_id=A1]#1.value": ("", "1,2", ""),
    "capacity[marketplace_id=A1]#1.unit": ("", "l", ""),
    "child_parent_sku_relationship[marketplace_id=A1]#1.parent_sku": ("", "", "HB"),
}
REPORT = "item-name\titem-description\tlisting-id\tseller-sku\tprice\tasin1\tzshop-category1\nHarz Jar\tJar\t1\tH1\t3\t\tJars\n"


def read(*paths: Path, **options: object) -> Converted:
    return convert(Entry(source="catalog", paths=[str(path) for path in paths], options=options))


def newer(path: Path, columns: list[str]) -> Path:
    table = [columns, *([NEWER[column][row] for column in columns] for row in range(3))]
    head = ["settings=feedType=256&labelRow=4&attributeRow=5&dataRow=7&contentLanguageTag=de_DE", "Hinweis", "Angebot"]
    lines = [*head, "\t".join("Bezeichnung" for _ in columns), *map("\t".join, table)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_names_are_found_below_the_templates_lines_and_variants_are_one_group() -> None:
    part = read(FIXTURE)
    assert targets(part, "category") == dict.fromkeys(["QB", "QB-B", "QB-R", "QB-G"], "bottle") | {"QL": "lunch box"}
    found = targets(part, "attributes")
    made = {"Brand": "Quill", "Material": ["Steel", "Cork"], "Capacity": "0.5 l"}
    assert found["QB"] == made and found["QB-B"] == made | {"Color": "Blue"} and found["QX"]["Color"] == "Straw"
    groups = {row.group for row in part.rows if row.id.rpartition(":")[2].startswith("QB")}
    assert len(groups) == 1 and len({row.group for row in part.rows}) == 3
    prompt = next(row for row in part.rows if row.id.endswith("QB-R")).messages[-2].content
    assert "Description: Bottle by Quill.\nBullet point 1: Steel and cork\nBullet point 2: Holds 0.5 l" in prompt
    assert part.tally.read == part.tally.used == 7
    assert part.tally.noted["variant merged into its product"] == 1  # of five rows four stay
    assert part.tally.noted["not published: update_delete is 'Delete'"] == 1


def test_it_is_said_that_a_product_type_is_no_path() -> None:
    assert any("product types, 'feed_product_type', one node each" in line for line in complete([FIXTURE], {}).lines)
    assert not any("one node" in line for line in complete([FIXTURE], {"category": "brand_name"}).lines)


def test_the_users_options_win_and_the_header_and_groups_stay() -> None:
    part = read(FIXTURE, id="item_sku", title="item_name", category="brand_name", variants=1, attributes={})
    assert targets(part, "category") == {"QB": "Quill", "QL": "Quill", "QX": "Quill"}
    assert part.tally.noted["variant merged into its product"] == 4


@pytest.mark.parametrize("order", [1, -1], ids=["as in templates", "from right to left"])
def test_the_newer_template_is_read_in_its_first_titles_language(tmp_path: Path, order: int) -> None:
    columns = [name for name in [*NEWER][::order] if order == 1 or "fr_FR" not in name]
    part = read(newer(tmp_path / "FOOD_JAR.txt", columns))
    assert targets(part, "category") == {"HB": "food jar", "HB-N": "food jar"}
    found = targets(part, "attributes")
    assert {**found["HB"], "Material": sorted(found["HB"]["Material"])} == {
        "Brand": "Harz", "Material": ["Glas", "Kork"], "Capacity": "1,2 l"
    }  # fmt: skip
    assert found["HB-N"] == {"Brand": "Harz", "Color": "Nacht"} and len({row.group for row in part.rows}) == 1
    assert part.tally.rejected == {"line of the template, no product": 1}


def test_a_header_in_the_first_line_is_found_too(tmp_path: Path) -> None:
    path = tmp_path / "listings.tsv"
    path.write_text("\n".join(FIXTURE.read_text("utf-8").splitlines()[2:]), "utf-8")
    assert targets(read(path), "category") == targets(read(FIXTURE), "category")


def test_a_report_of_listings_is_refused_unless_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "Active+Listings+Report.txt"
    path.write_text(REPORT, "utf-8")
    with pytest.raises(
        InputError, match="neither product types nor attributes: take Amazon's category listings report"
    ):
        read(path)
    assert targets(read(path, category="zshop-category1"), "category") == {"H1": "Jars"}


def test_a_table_with_a_column_item_name_is_no_amazon_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("item_name,brand,product_type,price\nRed mug,Quill,Mugs,3\n", "utf-8")
    entry = complete([path], {"id": "item_name", "title": "item_name", "category": "product_type"})
    assert entry.options["preset"] == "none"

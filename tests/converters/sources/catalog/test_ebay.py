"""eBay's listings: lines of the template, item specifics, variations, and the forms of categories."""

from pathlib import Path

from converters.sources.catalog.entry import complete
from tests.converters.sources.catalog._presets import read, targets

FIXTURE = Path(__file__).parents[3] / "fixtures" / "presets" / "ebay.csv"
GERMAN = """Info;Version=1.0.0;Template=fx_category_template_EBAY_DE
*Action(SiteID=Germany|Country=DE|Currency=EUR|Version=1193|CC=UTF-8);CustomLabel;*Category;*Title;Relationship;\
RelationshipDetails;*C:Marke;C:Farbe;*Description
Add;N-1;20667;Nordkap Teekanne 1,2 l;;;Nordkap;;<p>Teekanne, in Grau und Blau.</p>
;N-1-G;;;Variation;Farbe=Grau;;;
;N-1-B;;;Variation;Farbe=Blau;;;
Add;N-2;20667;Nordkap Becher;;;Nordkap;Rot;Becher in Rot
"""
DOWNLOAD = """#INFO,Version=1.0.0,Template= eBay-active-revise-price-quantity-download_US,,,,
#INFO
Title,Item number,Action,Category name,Relationship,Relationship details,C:Theme
Larkin cards pick one of Oak and Elm,5001,Revise,/Toys & Hobbies/Cards/,Variation,Card=Oak;Elm,Trees
Larkin cards pick one of Oak and Elm,5001,Revise,,Variation,Card=Oak,
Larkin cards pick one of Oak and Elm,5001,Revise,,Variation,Card=Elm,
Larkin dice,5002,Revise,/Toys & Hobbies/Dice,,,
"""
REPORT = """Item number,Title,Variation details,Custom label (SKU),Available quantity,eBay category 1 name,eBay category 1 number
7001,Larkin boots size 8 and 9,,,3,Boots,53557
7001,Larkin boots size 8 and 9,[Size=8],LB-8,1,Boots,53557
7001,Larkin boots size 8 and 9,[Size=9],LB-9,2,Boots,53557
7002,Larkin film,,LF,3,DVDs/Blu-ray Discs,617
"""


def test_paths_specifics_and_variations_of_a_listing_are_read() -> None:
    part = read(FIXTURE)
    assert targets(part, "category") == {
        "WB-1": "Home, Furniture & DIY > Bath > Towels", "WB-2": "Home, Furniture & DIY > Bath > Mats"
    }  # fmt: skip
    assert targets(part, "attributes") == {
        "WB-1": {
            "Colour": ["Sand", "Moss"],
            "Size": "L",
            "Brand": "Wembury",
            "Material": "Cotton",
            "Features": ["Soft", "Quick drying"],
        },
        "WB-2": {"Brand": "Wembury", "Material": "Bamboo"},
        "WB-3": {"Brand": "Wembury"},
    }
    assert part.tally.noted["row merged into its product"] == 2
    # A variation after the template's line has no listing before it.
    assert part.tally.rejected == {"line of the template, no listing": 1, "no title": 1}


def test_the_users_columns_win_and_listings_stay_together() -> None:
    options = {"id": "Custom label (SKU)", "title": "Title", "category": "Category name"}
    part = read(FIXTURE, **options, attributes={"Stuff": "C:Material"})
    assert targets(part, "category")["WB-1"] == "Home, Furniture & DIY > Bath > Towels"
    assert targets(part, "attributes")["WB-1"] == {"Colour": ["Sand", "Moss"], "Size": "L", "Stuff": "Cotton"}


def test_a_number_is_no_label_and_names_of_specifics_are_the_sites(tmp_path: Path) -> None:
    part = read(tmp_path / "angebote.csv", GERMAN)
    assert targets(part, "category") == {}
    assert targets(part, "attributes") == {
        "N-1": {"Farbe": ["Grau", "Blau"], "Marke": "Nordkap"}, "N-2": {"Marke": "Nordkap", "Farbe": "Rot"}
    }  # fmt: skip
    assert part.tally.read == part.tally.used == 4
    assert part.tally.noted["no category path: category is an id, not a name"] == 2
    lines = complete([tmp_path / "angebote.csv"], {}).lines
    assert any("eBay's numbers, '*Category', no names" in line for line in lines)


def test_variations_that_repeat_the_title_belong_to_their_listing(tmp_path: Path) -> None:
    part = read(tmp_path / "download.csv", DOWNLOAD)
    assert targets(part, "category") == {"5001": "Toys & Hobbies > Cards", "5002": "Toys & Hobbies > Dice"}
    assert targets(part, "attributes") == {"5001": {"Card": ["Oak", "Elm"]}}
    assert part.tally.noted["row merged into its product"] == 2


def test_the_report_of_active_listings_has_last_nodes(tmp_path: Path) -> None:
    part = read(tmp_path / "active.csv", REPORT, id="Item number")
    assert targets(part, "category") == {"7001": "Boots", "7002": "DVDs/Blu-ray Discs"}
    assert targets(part, "attributes") == {"7001": {"Size": ["8", "9"]}}


def test_a_listings_group_does_not_depend_on_the_files_place(tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    moved = read(tmp_path / "moved" / "other.csv", FIXTURE.read_text("utf-8"))
    assert [row.group for row in moved.rows] == [row.group for row in read(FIXTURE).rows]


def test_a_table_with_a_column_action_is_no_ebay_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("Action,Title,Category,Description\nkeep,Red mug,Kitchen > Mugs,Mug\n", "utf-8")
    assert complete([path], {"id": "Title", "title": "Title", "category": "Category"}).options["preset"] == "none"


def test_bars_in_the_first_columns_name_are_no_delimiters(tmp_path: Path) -> None:
    header = "*Action(SiteID=US|Country=US|Currency=USD|Version=1193|CC=UTF-8),CustomLabel,Category name,*Title\n"
    part = read(tmp_path / "short.csv", f"{header}Add,L-1,/Toys/Dice,Larkin dice\n")
    assert targets(part, "category") == {"L-1": "Toys > Dice"}


def test_paths_of_reports_and_tools_have_other_marks(tmp_path: Path) -> None:
    paths = {"/Home/Rugs & Mats/": "Home > Rugs & Mats", "Home:Throws/Plaids:Wool": "Home > Throws/Plaids > Wool",
             "Home > Beds > Bunks": "Home > Beds > Bunks", "Rugs": "Rugs"}  # fmt: skip
    rows = "".join(f"Add,{n},Larkin thing {n},{path}\n" for n, path in enumerate(paths))
    part = read(tmp_path / "e.csv", f"*Action(SiteID=UK),CustomLabel,*Title,Category name\n{rows}")
    assert list(targets(part, "category").values()) == [*paths.values()]

"""PrestaShop's product files: columns by their form in any language, the separator of lists, features, combinations."""

from pathlib import Path

import pytest

from converters.core.errors import InputError
from converters.sources.catalog.entry import complete
from tests.converters.sources.catalog._presets import read, targets

FIXTURE = Path(__file__).parents[3] / "fixtures" / "presets" / "prestashop.csv"
FRENCH = """Catégories (x,y,z...);ID;Actif (0/1);Nom*;Marque;Récapitulatif;Description;Caractéristique (Nom:Valeur:Position)
Accueil/Cuisine/Thé,Promo;81;1;Théière Ondine;Ondine;Théière en fonte;Pour 4 tasses;Matière:Fonte:1,Tasses:4:2
Accueil/Cuisine;82;0;Plateau Ondine;Ondine;;Plateau en hêtre;Matière:Hêtre:1
3,9;83;1;Bol Ondine;Ondine;;Bol;
"""
GERMAN = """Produkt-ID;Aktiv (0/1);Name *;Kategorien (x,y,z...);Hersteller;Beschreibung;Funktion (Name:Wert:Position)
91;1;Nebel Topf;Start/Küche/Töpfe,Angebote;Nebel;Topf aus Stahl;Material:Stahl:1
92;1;Nebel Pfanne;Start/Küche/Pfannen;Nebel;Pfanne aus Eisen, 24 cm;Material:Eisen:1,Größe:24 cm:2
"""
COMMAS = """"ID","Active (0/1)","Name *","Categories (x,y,z...)","Manufacturer","Description","Feature(Name:Value:Position)"
"1","1","Nebel Pot","Home/Kitchen;Home/Kitchen/Pots, Pans;Sale","Nebel","Pot of steel, 3 l","Material:Steel:1;Volume:3 l:2"
"2","1","Nebel Pan","Home/Kitchen/Pots, Pans","Nebel","Pan of iron","Material:Iron:1"
"""
COMBINATIONS = """Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*;Reference;Quantity
1;Color:color:0, Size:select:1;Blue:0, M:1;N-1;3
"""


def test_paths_features_and_status_are_read_and_ids_are_no_labels() -> None:
    part = read(FIXTURE)
    paths = targets(part, "category")
    assert [paths.get(key) for key in ("51", "52", "53", "55", "56")] == [
        "Home > Light > Lamps", "Home > Light > Bulbs", None, None, "Hooks"
    ]  # fmt: skip
    found = targets(part, "attributes")
    assert found["51"] == {"Brand": "Lumel", "Foot": "Ash", "Height": "40 cm"}
    assert found["53"] == {"Brand": "Lumel", "Material": "Linen"} and found["54"] == {"Length": "2 m"}
    assert part.tally.noted["not published: Active (0/1) is '0'"] == 1
    assert "Summary: Lamp with a foot of ash" in part.rows[0].messages[-2].content
    assert part.tally.noted["no category path: category is an id, not a name"] == 1


def test_columns_are_known_by_their_form_in_another_language(tmp_path: Path) -> None:
    part = read(tmp_path / "produits.csv", FRENCH)
    assert targets(part, "category") == {"81": "Accueil > Cuisine > Thé", "82": "Accueil > Cuisine"}
    assert targets(part, "attributes")["81"] == {"Brand": "Ondine", "Matière": "Fonte", "Tasses": "4"}
    assert part.tally.noted["not published: Actif (0/1) is '0'"] == 1
    part = read(tmp_path / "produkte.csv", GERMAN)
    assert targets(part, "category") == {"91": "Start > Küche > Töpfe", "92": "Start > Küche > Pfannen"}
    assert targets(part, "attributes")["92"] == {"Brand": "Nebel", "Material": "Eisen", "Größe": "24 cm"}


def test_lists_are_parted_by_semicolons_where_columns_are_by_commas(tmp_path: Path) -> None:
    part = read(tmp_path / "products.csv", COMMAS)
    assert targets(part, "category") == {"1": "Home > Kitchen > Pots, Pans", "2": "Home > Kitchen > Pots, Pans"}
    assert targets(part, "attributes")["1"] == {"Brand": "Nebel", "Material": "Steel", "Volume": "3 l"}
    first_only = COMMAS.replace("Material:Steel:1;Volume:3 l:2", "")
    assert targets(read(tmp_path / "few.csv", first_only), "category") == targets(part, "category")


def test_the_list_of_products_has_one_category_by_name(tmp_path: Path) -> None:
    header = '"Product ID";"Image";"Name";"Reference";"Category";"Price (tax excl.)";"Quantity";"Status";"Position"\n'
    rows = '"1";"a.jpg";"Nebel Pot";"N1";"Pots/Pans";"9";"3";"1";"1"\n"2";"b.jpg";"Nebel Cup";"N2";"Cups";"2";"3";"0";"2"\n'
    part = read(tmp_path / "product_2031.csv", header + rows)
    assert targets(part, "category") == {"1": "Pots/Pans", "2": "Cups"}
    assert part.tally.noted == {"not published: Status is '0'": 1}


def test_combinations_are_recognised_and_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"combinations \(variants\) of PrestaShop, which have no title.*file of products"
    ):
        read(tmp_path / "combinations.csv", COMBINATIONS)


def test_the_users_separator_wins(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text(COMMAS, "utf-8")
    assert complete([path], {"several": "|"}).options["several"] == "|"
    assert complete([path], {}).options["several"] == ";"


def test_a_list_in_a_columns_name_is_no_delimiter(tmp_path: Path) -> None:
    header = "Name *;Categories (x,y,z...);Tags (x,y,z...);Image URLs (x,y,z...);Active (0/1);Description\n"
    part = read(tmp_path / "few.csv", header + "Nebel Pot;Home/Kitchen,Sale;a,b;a.jpg,b.jpg;1;Pot of Nebel\n")
    assert [row.target for row in part.rows] == ["Home > Kitchen"]


def test_the_root_that_begins_all_lists_of_names_is_left_out_and_said(tmp_path: Path) -> None:
    header = "ID;Activo (0/1);Nombre;Categorías (x,y,z...);Descripción\n"
    rows = "1;1;Olla Niebla;Inicio,Cocina;Olla\n2;1;Taza Niebla;Inicio,Mesa;Taza\n3;1;Vela Niebla;Inicio;Vela\n"
    part = read(tmp_path / "productos.csv", header + rows)
    assert targets(part, "category") == {"1": "Cocina", "2": "Mesa"} and part.tally.rejected.total() == 1
    assert any("'Inicio' begins all lists" in line for line in complete([tmp_path / "productos.csv"], {}).lines)
    assert targets(read(tmp_path / "productos.csv", ignore=[]), "category")["3"] == "Inicio"


@pytest.mark.parametrize(("mark", "delimiter"), [(",", ";"), (";", ",")])
def test_a_separator_before_a_blank_is_part_of_a_name_where_lists_have_none(
    tmp_path: Path, mark: str, delimiter: str
) -> None:
    cells = ("Home/Dining/Cups,Sale", "Home/Light/Cords, plugs", "Home/Bed, Bath,Sale", "Home/Mats, Sale", "4, 7")
    header = ("ID", "Active (0/1)", "Name *", "Categories (x,y,z...)")
    rows = ((str(n), "1", f"Nebel {n}", cell.replace(",", mark)) for n, cell in enumerate(cells))
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in (header, *rows))
    assert targets(read(tmp_path / "products.csv", text, several=mark), "category") == {
        "0": "Home > Dining > Cups", "1": f"Home > Light > Cords{mark} plugs", "2": f"Home > Bed{mark} Bath", "3": "Home > Mats"
    }  # fmt: skip
    spaced = text.replace(f"{mark}Sale", f"{mark} Sale")
    assert targets(read(tmp_path / "spaced.csv", spaced, several=mark), "category")["1"] == "Home > Light > Cords"


def test_arrows_part_nodes_where_a_shop_writes_them(tmp_path: Path) -> None:
    text = (
        "ID;Active (0/1);Name *;Categories (x,y,z...)\n1;1;Nebel Cup;Home > Cups/Mugs,Sale\n2;1;Nebel Pot;Home > Pots\n"
    )
    assert targets(read(tmp_path / "products.csv", text), "category") == {"1": "Home > Cups/Mugs", "2": "Home > Pots"}


def test_a_features_value_may_hold_a_colon(tmp_path: Path) -> None:
    header = "ID;Active (0/1);Name *;Categories (x,y,z...);Description;Feature(Name:Value:Position)\n"
    rows = (
        "1;1;Nebel Print 3:2;Home/Prints;Print, edge: cut: by hand;Ratio:3:2:1,Edge:cut: by hand:2:0\n"
        "2;1;Nebel Pad;Home/Pads;Of felt, 4 mm;Material:felt:5:1,Depth:4 mm:2\n"
    )
    assert targets(read(tmp_path / "products.csv", header + rows), "attributes") == {
        "1": {"Ratio": "3:2", "Edge": "cut: by hand"}, "2": {"Material": "felt", "Depth": "4 mm"}
    }  # fmt: skip

r"""WooCommerce's export in any language: columns by their form, several categories, numbered attributes, variations, ``\n``."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from tests.converters.sources.catalog._presets import chosen, converted, labels, prompts, said, stated, table

KEYS = "id type sku gtin name published featured visibility short text from to tax class in stock low back single weight length "
KEYS += "width height reviews note sale price categories tags shipping images limit expiry parent grouped up cross url button "
KEYS += "position brand name1 value1 visible1 global1 name2 value2 visible2 global2"
LANGUAGES = {
    "English": "ID|Type|SKU|GTIN, UPC, EAN, or ISBN|Name|Published|Is featured?|"
    "Visibility in catalog|Short description|Description|"
    "Date sale price starts|Date sale price ends|Tax status|Tax class|In stock?|Stock|Low stock amount|Backorders allowed?|"
    "Sold individually?|Weight (kg)|Length (cm)|Width (cm)|Height (cm)|Allow customer reviews?|Purchase note|Sale price|"
    "Regular price|Categories|Tags|Shipping class|Images|Download limit|Download expiry days|Parent|Grouped products|Upsells|"
    "Cross-sells|External URL|Button text|Position|Brands|Attribute 1 name|Attribute 1 value(s)|Attribute 1 visible|"
    "Attribute 1 global|Attribute 2 name|Attribute 2 value(s)|Attribute 2 visible|Attribute 2 global",
    "German": "ID|Typ|Artikelnummer|GTIN, UPC, EAN oder ISBN|Name|Veröffentlicht|Ist hervorgehoben?|Sichtbarkeit im Katalog|"
    "Kurzbeschreibung|Beschreibung|Datum Angebot ab|Datum Angebot bis|Steuerstatus|Steuerklasse|Vorrätig?|Lager|Geringe Menge|"
    "Rückstand?|Nur einzeln?|Gewicht (kg)|Länge (cm)|Breite (cm)|Höhe (cm)|Bewertungen?|Hinweis zum Kauf|Angebotspreis|"
    "Regulärer Preis|Kategorien|Schlagwörter|Versandklasse|Bilder|Downloadlimit|Ablauftage|Übergeordnetes Produkt|Gruppiert|"
    "Zusatzverkäufe|Querverkäufe|Externe URL|Button-Text|Position|Marken|Attribut 1 Name|"
    "Attribut 1 Wert(e)|Attribut 1 Sichtbar|"
    "Attribut 1 Global|Attribut 2 Name|Attribut 2 Wert(e)|Attribut 2 Sichtbar|Attribut 2 Global",
    "French": "ID|Type|UGS|GTIN, UPC, EAN ou ISBN|Nom|Publié|Mis en avant ?|Visibilité dans le catalogue|Description courte|"
    "Description|Début de promo|Fin de promo|État de la TVA|Classe de TVA|En stock ?|Stock|Stock faible|Rupture ?|Individuel ?|"
    "Poids (kg)|Longueur (cm)|Largeur (cm)|Hauteur (cm)|Avis ?|Note de commande|"
    "Tarif promo|Tarif régulier|Catégories|Étiquettes|"
    "Classe d’expédition|Images|Limite|Expiration|Parent|Groupes|Suggérés|Ventes croisées|"
    "URL externe|Libellé du bouton|Position|"
    "Marques|Nom de l’attribut 1 |Valeur(s) de l’attribut 1 |Attribut 1 visible|Attribut 1 global|Nom de l’attribut 2 |"
    "Valeur(s) de l’attribut 2 |Attribut 2 visible|Attribut 2 global",
    "Spanish": "ID|Tipo|SKU|GTIN, UPC, EAN o ISBN|Nombre|Publicado|¿Destacado?|Visibilidad en el catálogo|Descripción corta|"
    "Descripción|Inicio|Fin|Estado del impuesto|Clase de impuesto|¿Existencias?|"
    "Inventario|Bajo|¿Reservas?|¿Individual?|Peso (kg)|"
    "Longitud (cm)|Anchura (cm)|Altura (cm)|¿Valoraciones?|Nota de compra|Precio rebajado|Precio normal|Categorías|Etiquetas|"
    "Clase de envío|Imágenes|Límite|Caducidad|Superior|Agrupados|Ventas dirigidas|Ventas cruzadas|URL externa|Texto del botón|"
    "Posición|Marcas|Nombre del atributo 1|Valor(es) del atributo 1|Atributo visible 1|Atributo global 1|Nombre del atributo 2|"
    "Valor(es) del atributo 2|Atributo visible 2|Atributo global 2",
    "Polish": "ID|Rodzaj|SKU|GTIN, UPC, EAN lub ISBN|Nazwa|Opublikowano|Wyróżniony?|"
    "Widoczność w katalogu|Krótki opis|Opis|Od|Do|"
    "Status podatku|Klasa podatkowa|W magazynie?|Magazyn|Mało|Zamówienia?|Pojedynczo?|Waga (kg)|Długość (cm)|Szerokość (cm)|"
    "Wysokość (cm)|Opinie?|Notatka|Cena promocyjna|Cena|Kategorie|Tagi|Klasa wysyłkowa|"
    "Obrazki|Limit|Wygasa|Nadrzędny|Zgrupowane|"
    "Up-sells|Cross-sells|Zewnętrzny adres|Tekst przycisku|Pozycja|Marki|Nazwa atrybutu 1|Wartość(i) atrybutu 1|"
    "Widoczność atrybutu 1|Globalny atrybut 1|Nazwa atrybutu 2|Wartość(i) atrybutu 2|Widoczność atrybutu 2|Globalny atrybut 2",
    "Japanese": "ID|タイプ|商品コード|GTIN|名前|公開済み|おすすめ|カタログでの表示|"
    "簡単な説明|説明|開始|終了|税状態|税クラス|在庫あり|在庫|少量|取り寄せ|"
    "個別|重さ|長さ|幅|高さ|レビュー|購入メモ|セール価格|通常価格|カテゴリー|タグ|配送クラス|画像|"
    "制限|期限|親|グループ|アップセル|クロスセル|外部|"
    "ボタン|位置|ブランド|属性 1 の名前|属性 1 の値|属性 1 の表示|属性 1 のグローバル|"
    "属性 2 の名前|属性 2 の値|属性 2 の表示|属性 2 のグローバル",
    "unknown": "|".join(
        [*(f"zor{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(41))]
        + [f"{word} {n} vel" for n in (1, 2) for word in ("Fem", "Gar", "See", "Pul")]
    ),
}  # fmt: skip
MILL = {"id": "41", "type": "simple", "sku": "NO-1", "name": "Noor Mill", "published": "1", "featured": "0", "tax": "taxable",
        "visibility": "visible", "short": "For pepper, says the cook.", "text": r"<p>Beech.\nHolds 1,5 dl; see C:\\new.</p>",
        "in": "1", "price": "19,90", "categories": r"Kitchen, Kitchen > Salt\, pepper > Mills, Sale", "tags": "mill",
        "images": "https://noor.example/a.jpg, https://noor.example/b.jpg", "position": "0", "brand": "Noor", "name1": "Material",
        "value1": "Beech", "visible1": "1", "global1": "1", "name2": "Capacity", "value2": r"1\,5 dl"}  # fmt: skip
APRON = MILL | {"id": "42", "type": "variable", "sku": "NO-2", "name": "Noor Apron", "text": "Apron in Plum or Moss, of linen.",
                "categories": "Kitchen > Textiles", "name1": "Colour", "value1": "Plum, Moss", "name2": "Material",
                "value2": "Linen"}  # fmt: skip
PLUM = {"id": "43", "type": "variation", "sku": "NO-2-P", "name": "Noor Apron - Plum", "published": "1", "featured": "0",
        "tax": "taxable", "visibility": "visible", "in": "1", "price": "25", "parent": "NO-2", "position": "1", "name1": "Colour",
        "value1": "Plum", "global1": "1"}  # fmt: skip
MOSS = PLUM | {
    "id": "44",
    "sku": "",
    "type": "variation, downloadable, virtual",
    "name": "Noor Apron - Moss",
    "value1": "Moss",
}


def export(
    folder: Path, rows: list[dict[str, str]], language: str = "English", without: tuple[str, ...] = ("gtin",)
) -> Path:
    names = dict(zip(KEYS.split(), LANGUAGES[language].split("|"), strict=True))
    header = [name for key, name in names.items() if key not in without]
    renamed = [{names[key]: cell for key, cell in row.items() if key not in without} for row in rows]
    return table(folder / "wc-product-export.csv", header, renamed)


@pytest.mark.parametrize(
    "without", [(), ("gtin",), ("gtin", "brand", "shipping", "from", "to", "low", "note", "featured")]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_export_is_read_in_any_language(language: str, without: tuple[str, ...], tmp_path: Path) -> None:
    part = converted(export(tmp_path, [MILL, APRON, PLUM, MOSS], language, without))
    assert labels(part) == {"NO-1": "Kitchen > Salt, pepper > Mills", "NO-2": "Kitchen > Textiles"}
    answers = stated(part)
    brand = {} if language == "unknown" or "brand" in without else {"Brand": "Noor"}
    assert answers == {
        "NO-1": {"Material": "Beech", "Capacity": "1,5 dl"} | brand,
        "NO-2": {"Colour": ["Plum", "Moss"], "Material": "Linen"} | brand,
    }
    assert len({row.group for row in part.rows}) == 2 and part.tally.noted["variant merged into its product"] == 2
    assert "Holds 1,5 dl; see C:\\new." in prompts(part)["NO-1"] and "For pepper, says" in prompts(part)["NO-1"]
    assert part.tally.noted["several categories"] == 1


@pytest.mark.parametrize(
    ("language", "flag"), [(name, "0") for name in LANGUAGES] + [(name, "") for name in LANGUAGES if name != "unknown"]
)
def test_blank_flags_do_not_move_the_name(language: str, flag: str, tmp_path: Path) -> None:
    rows = [row | {"published": "", "featured": flag, "gtin": ""} for row in (PLUM, MILL, APRON)]
    part = converted(export(tmp_path, rows, language, ()))
    assert labels(part) == {"NO-1": "Kitchen > Salt, pepper > Mills", "NO-2": "Kitchen > Textiles"}
    assert not any("not published" in note for note in part.tally.noted)
    assert "Title: Noor Mill" in prompts(part)["NO-1"] and part.tally.noted["variant merged into its product"] == 1


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "unknown"])
def test_flat_categories_are_found_by_their_name(language: str, tmp_path: Path) -> None:
    part = converted(
        export(tmp_path, [MILL | {"categories": "Mills"}, APRON | {"categories": "Sale, Aprons"}], language)
    )
    assert labels(part) == {"NO-1": "Mills", "NO-2": "Sale"}


def test_columns_that_the_user_names_win_and_the_platform_s_reading_stays(tmp_path: Path) -> None:
    path = export(tmp_path, [MILL, PLUM, APRON], "German")
    names = {"id": "Artikelnummer", "title": "Name", "category": "Kategorien", "texts": {"Text": "Beschreibung"}}
    part = converted(path, **names, attributes={"Stoff": "Attribut 1 Wert(e)"})
    assert labels(part) == {"NO-1": "Kitchen > Salt, pepper > Mills", "NO-2": "Kitchen > Textiles"}
    assert stated(part)["NO-2"] == {"Colour": ["Plum", "Moss"], "Material": "Linen"}  # and no "Stoff"


def test_where_the_category_is_unsure_the_user_is_asked(tmp_path: Path) -> None:
    path = export(tmp_path, [MILL | {"categories": "Mills"}], "unknown")
    with pytest.raises(
        InputError, match=r"may be a WooCommerce .*--option preset=woocommerce.* the file has: zoraa, zorab"
    ):
        chosen(path)
    part = converted(path, category=LANGUAGES["unknown"].split("|")[KEYS.split().index("categories")])
    assert labels(part) == {"NO-1": "Mills"} and part.rows[0].group.startswith("item:")


@pytest.mark.parametrize(
    "rows",
    [
        [PLUM, MOSS, MILL, APRON],
        [APRON | {"sku": ""}, PLUM | {"parent": "id:42"}, MILL, MOSS | {"parent": "id:42"}],
        [MOSS | {"parent": "id:42"}, MILL, APRON, PLUM],  # one names the SKU, the other the id
        [PLUM | {"parent": "id: 42"}, APRON | {"categories": ""}],
        [PLUM | {"parent": "GONE"}, MILL, MOSS | {"parent": "GONE"}],
    ],
    ids=["before", "by id", "by both", "no category", "no parent"],
)
def test_variations_are_of_their_parent_s_group(rows: list[dict[str, str]], tmp_path: Path) -> None:
    part = converted(export(tmp_path, rows))
    groups = {row.group for row in part.rows if "Apron" in row.messages[0].content}
    assert len(groups) <= 1 and not any(row.id.endswith("-P") and "GONE" not in str(rows) for row in part.rows)
    several = converted(export(tmp_path, rows), variants=3)
    aprons = [row for row in several.rows if "Apron" in row.messages[0].content]
    assert len({row.group for row in aprons}) == 1 and len({row.id for row in aprons}) >= 2


def test_a_variation_that_is_kept_has_texts_and_category_of_its_parent(tmp_path: Path) -> None:
    part = converted(export(tmp_path, [APRON, PLUM, MOSS]), variants=2)
    assert labels(part) == {"NO-2": "Kitchen > Textiles", "NO-2-P": "Kitchen > Textiles"}
    assert "of linen" in prompts(part)["NO-2-P"] and stated(part)["NO-2-P"]["Colour"] == "Plum"


@pytest.mark.parametrize("title", ["-5 °C Bag", "+Plus Bag", "=Same Bag", "@home Bag"])
def test_protection_is_taken_off(title: str, tmp_path: Path) -> None:
    part = converted(export(tmp_path, [MILL | {"name": f"'{title}"}]))
    assert f"Title: {title}" in prompts(part)["NO-1"]
    kept = converted(export(tmp_path, [MILL | {"name": "'Tis a 5'-6' Bag"}]))
    assert "Title: 'Tis a 5'-6' Bag" in prompts(kept)["NO-1"]


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        ({"published": "0"}, "'private'"),
        ({"published": "-1"}, "'draft'"),
        ({"published": "2"}, "'pending'"),
        ({"visibility": "hidden"}, "'hidden'"),
    ],
)
@pytest.mark.parametrize("language", ["English", "French", "unknown"])
def test_what_is_not_published_is_counted(language: str, cells: dict[str, str], note: str, tmp_path: Path) -> None:
    path = export(tmp_path, [MILL, APRON | cells], language)
    [found] = [each for each in converted(path).tally.noted if "not published" in each]
    assert note in found and {*labels(converted(path, unpublished="drop"))} == {"NO-1"}


def test_a_product_without_sku_has_its_number_and_meta_columns_are_no_attributes(tmp_path: Path) -> None:
    path = export(tmp_path, [MILL | {"sku": ""}])
    lines = path.read_text("utf-8").splitlines()
    path.write_text(
        "\n".join([f"{lines[0]},Meta: _a_1,Meta: _b_1,Download 1 name,Download 1 URL", f"{lines[1]},Beech,x,y,"])
    )
    part = converted(path)
    assert [*labels(part)] == ["id:41"] and stated(part)["id:41"].keys() == {"Material", "Capacity", "Brand"}


def test_attributes_pair_by_number_in_any_order_of_columns(tmp_path: Path) -> None:
    names = dict(zip(KEYS.split(), LANGUAGES["French"].split("|"), strict=True))
    keys = [key for key in names if key[-1] not in "12"] + ["value2", "value1", "global1", "name1", "visible1", "name2"]
    rows = [{names[key]: cell for key, cell in row.items() if key in keys} for row in (MILL, APRON)]
    part = converted(table(tmp_path / "export.csv", [names[key] for key in keys], rows, ";"))
    assert stated(part)["NO-1"]["Material"] == "Beech" and stated(part)["NO-2"]["Colour"] == ["Plum", "Moss"]


@pytest.mark.parametrize("without", [("type",), ("type", "gtin", "images"), ("sku", "type"), ("id", "published")])
def test_an_export_of_fewer_columns_is_known(without: tuple[str, ...], tmp_path: Path) -> None:
    path = export(tmp_path, [MILL, APRON], "English", without)
    assert chosen(path)["preset"] == "woocommerce"
    assert [*labels(converted(path)).values()] == ["Kitchen > Salt, pepper > Mills", "Kitchen > Textiles"]


def rest(folder: Path, **product: Any) -> Path:
    item = {"id": 7, "name": "Noor Jug", "slug": "jug", "description": "<p>Jug of glass or clay.</p>", "categories": [],
            "attributes": [{"id": 1, "name": "Material", "options": ["Glass", "Clay"]}]} | product  # fmt: skip
    path = folder / "products.json"
    path.write_text(json.dumps([item, item | {"id": 8, "name": "Noor Cup", "sku": "C"}]), "utf-8")
    return path


@pytest.mark.parametrize(
    ("categories", "label"),
    [
        ([{"id": 1, "name": "Jugs &amp; pots", "slug": "jugs"}], "Jugs & pots"),
        ([{"id": 1, "name": "Jugs", "slug": "j"}, {"id": 2, "name": "Sale", "slug": "s"}], "Jugs"),
        ([{"id": 1, "name": "A / B, C", "slug": "a"}], "A / B, C"),
    ],
)
def test_a_rest_answer_has_categories_of_one_node(categories: list[Any], label: str, tmp_path: Path) -> None:
    path = rest(tmp_path, categories=categories, sku="", parent_id=0)
    part = converted(path)
    assert labels(part) == {"id:7": label, "C": label} and "no path is known" in said(path)
    assert sorted(stated(part)["C"]["Material"]) == ["Clay", "Glass"]
    options = {"title": "name", "category": "categories", "specs": "attributes", "texts": {"Text": "description"}}
    assert [*labels(converted(path, **options)).values()] == [label, label]

"""Plain tables in several languages: no platform is seen in them, so that the options alone say what their columns are."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from converters.mixture.spec import Entry
from converters.sources.catalog.detect import detect
from converters.sources.catalog.head import head
from tests.converters._converted import convert

HEADERS = {
    "en": "id,title,category,brand",
    "en, many": "SKU,Name,Description,Category,Brand,Color,Size,Material,Price,Stock,Image",
    "en, plural": "product_id,product_name,categories,tags,vendor,url",
    "en, spaced": "Product ID,Product Title,Product Category,Manufacturer,Weight,Status",
    "en, parents": "sku,parent_sku,name,description,category,colour,enabled",
    "en, upper": "ID,NAME,TYPE,BRAND,PRICE,QUANTITY",
    "en, upper, groups": "SKU,NAME,FAMILY,GROUP,CATEGORY,ACTIVE",
    "en, store": "handle,title,description,category,price",
    "de": "Artikelnummer,Bezeichnung,Beschreibung,Kategorie,Marke,Farbe,Preis",
    "de, shop": "Artikel-Nr.,Name,Typ,Warengruppe,Hersteller,Bestand",
    "fr": "Référence,Nom,Description,Catégorie,Marque,Couleur,Prix",
    "es": "Código,Nombre,Descripción,Categorías,Marca,Color,Precio",
    "it": "Codice,Nome,Descrizione,Categoria,Marca,Colore,Prezzo",
    "nl": "Artikelnummer,Naam,Omschrijving,Categorie,Merk,Kleur,Prijs",
    "pl": "Kod,Nazwa,Opis,Kategoria,Marka,Kolor,Cena",
    "cs": "Kód,Název,Popis,Kategorie,Značka,Barva,Cena",
    "tr": "Ürün Kodu,Ürün Adı,Açıklama,Kategori,Marka,Renk,Fiyat",
    "ru": "Артикул,Название,Описание,Категория,Бренд,Цвет,Цена",
    "ja": "商品コード,商品名,説明,カテゴリ,ブランド,色,価格",
    "zh": "商品编号,标题,描述,类目,品牌,颜色,价格",
    "odoo": "Internal Reference,Name,Product Category,Sales Price,Quantity On Hand,Barcode",
}


def table(path: Path, header: str, delimiter: str = ",") -> Path:
    columns = header.split(",")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows([f"{column} {number}" for column in columns] for number in range(5))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("language", HEADERS)
def test_no_platform_is_seen_in_a_plain_table(tmp_path: Path, language: str, delimiter: str) -> None:
    assert detect(head(table(tmp_path / "shop.csv", HEADERS[language], delimiter)), {}).name == "none"


@pytest.mark.parametrize("language", HEADERS)
def test_no_platform_is_seen_in_plain_json(tmp_path: Path, language: str) -> None:
    row: dict[str, Any] = {column: column.title() for column in HEADERS[language].split(",")}
    (tmp_path / "shop.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    assert detect(head(tmp_path / "shop.jsonl"), {}).name == "none"


def test_a_path_of_odoo_needs_no_preset(tmp_path: Path) -> None:
    (tmp_path / "product.csv").write_text(
        "Internal Reference,Name,Product Category\nA-1,Fell Desk,All / Office / Desks\nA-2,Fell Chair,All / Office / Chairs\n"
    )
    options = {"id": "Internal Reference", "title": "Name", "category": "Product Category", "root": "cut"}
    part = convert(Entry(source="catalog", paths=[str(tmp_path / "product.csv")], options=options))
    assert [row.target for row in part.rows] == ["Office > Desks", "Office > Chairs"]

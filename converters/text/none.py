"""The words that shop platforms, spreadsheets and programs write where a cell has no value."""

import re
import unicodedata
from functools import lru_cache

# Platforms' names of the category of products without one, each in the platform's own translation.
_UNFILED = """
uncategorized, uncategorised, unclassified, unassigned, not categorized, not categorised, no category, no categories,
default category, default, not classified, unsorted, without category, no category assigned, not assigned, unknown category,
to be categorized, to be categorised, to be classified, to categorize, uncategorized products, uncategorised products, unfiled,
non classé, non classée, non classés, non classées, non catégorisé, sans catégorie, aucune catégorie, pas de catégorie,
catégorie par défaut, catégorie inconnue, à classer, à catégoriser, non attribué, non attribuée, hors catégorie,
unkategorisiert, nicht kategorisiert, unkategorisierte, ohne kategorie, keine kategorie, nicht zugeordnet, standardkategorie,
nicht zugewiesen, unbekannte kategorie, nicht klassifiziert, nicht eingeordnet, unsortiert,
sin categoría, sin categorías, sin categorizar, sin clasificar, no categorizado, categoría por defecto,
categoría predeterminada, sin asignar, no asignado, no clasificado, por clasificar, por categorizar, sin definir,
senza categoria, non categorizzato, non classificato, nessuna categoria, da classificare, non assegnato, categoria predefinita,
não atribuído, a classificar, categoria padrão, sem classificação, sem categoria, não categorizado, não classificado,
geen categorie, niet gecategoriseerd, ongecategoriseerd, zonder categorie, standaardcategorie,
niet toegewezen, niet ingedeeld,
domyślna kategoria, nieprzypisane, nieprzypisany, bez kategorii, nieskategoryzowane, brak kategorii,
nezařazeno, nezařazené, bez kategorie, nekategorizováno, nezaradené, bez kategórie, nekategorizované, okategoriserad,
okategoriserade, ingen kategori, utan kategori, ukategoriseret, ikke kategoriseret, uden kategori, ukategorisert,
ikke kategorisert, uten kategori, luokittelematon, luokittelemattomat, ei kategoriaa, kategorisiz, kategorize edilmemiş,
kategorilenmemiş, без рубрики, без категории, некатегоризирано, без категорії, некатегоризовано,
χωρίς κατηγορία, μη κατηγοριοποιημένο, μη κατηγοριοποιημένα, fără categorie, necategorizat, nekategorizirano, bez kategorije,
nerazvrščeno, brez kategorije, kategória nélkül, nincs kategória, kategorizálatlan, määratlemata,
kategooriata, bez kategorijas, be kategorijos, nekategorizuota, tak berkategori, tanpa kategori, chưa phân loại,
ไม่มีหมวดหมู่, ไม่ได้จัดหมวดหมู่, 未分類, 未分类, 无分类, カテゴリなし, カテゴリーなし, カテゴリ未設定,
未分類商品, 未归类, 默认分类, 默認分類, デフォルトカテゴリー, 기본 카테고리, 미분류, 분류되지 않음, 카테고리 없음,
غير مصنف, بدون تصنيف, دسته‌بندی نشده, بدون دسته‌بندی, ללא קטגוריה, לא מסווג, sense categoria, sin categoria, sailkatu gabea,
अवर्गीकृत
"""
# What spreadsheets, databases and people write for an empty cell.
_EMPTY = """
nan, none, null, nil, na, n/a, n/d, n/v, nv, #nv, nvt, n.v.t., k.a., keine angabe, keine angaben, not available, not applicable,
not set, not specified, unspecified, undefined, undef, missing, blank, empty, false, unknown, tbd, tba, tbc, to be determined,
to be defined, to be announced, no value, no data, value!, ref!, name?, num!, div/0!, error, #error!, #valor!, #wert!, #bezug!,
keine, keiner, leer, unbekannt, undefiniert, nicht angegeben, inconnu, inconnue, non défini, non spécifié, non renseigné, aucun,
aucune, vide, desconocido, desconocida, no definido, no especificado, no disponible, no aplica, ninguno, ninguna, vacío,
sconosciuto, non definito, non specificato, nessuno, nessuna, vuoto, desconhecido, não definido, não especificado, nenhum,
nenhuma, vazio, onbekend, geen, niet van toepassing, niet bekend, leeg, nieznane, nieznany, brak, nie dotyczy, nieokreślone,
neznámé, neznámý, žádná, žádný, okänd, okänt, ingen, ej angivet, ukendt, ukjent, tuntematon, ei mitään, ei tiedossa, bilinmiyor,
bilinmeyen, yok, belirtilmemiş, неизвестно, неизвестный, нет, не указано, не задано, невідомо, άγνωστο, άγνωστη, necunoscut,
ismeretlen, nincs,
nat, #null!, no information, no info, ohne, ohne angabe, sans objet, non communiqué, sin datos, sin información,
sin informar, non pervenuto, niet opgegeven, bilgi yok, нет данных, не определено, не указан, немає, brak danych,
不適用, 不适用, 暂无, 未填写,
不明, ー, なし, 無し, 未設定, 未定, 該当なし, 未知, 无, 無, 未设置, 알 수 없음, 없음, 해당 없음, غير معروف, لا يوجد,
غير محدد, לא ידוע, אין, ไม่มี, không có, không xác định
"""


_BETWEEN = re.compile(r"[,;|>＞›»、，；]|\s/\s")  # of several, each of which may be none


def _folded(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


_NAMES, _WORDS = (frozenset(map(_folded, words.split(","))) for words in (_UNFILED, f"{_UNFILED},{_EMPTY}"))


@lru_cache(1 << 14)
def is_none(text: str) -> bool:
    """Tell whether a text is a word for "no value", in any case, with or without accents and punctuation.

    A text without a letter or a digit is one, too. "Other" and "Misc" are not: they are classes of their own.

    >>> [is_none(text) for text in ("NON CLASSÉ", "#N/A", "n.a.", "(blank)", "--", "nan, nan", "N/A / N/A", "Other", "Naan")]
    [True, True, True, True, True, True, True, False, False]
    """
    return len(text) < 60 and (_is_word(text) or all(map(_is_word, _BETWEEN.split(text))))


def _is_word(text: str) -> bool:
    return (folded := _folded(text)) in _WORDS or not folded


def is_blank(text: str) -> bool:
    """Tell whether a text is a word for "no value" that is no name of a category: "Default" is the root of many trees.

    >>> [is_blank(text) for text in ("N/A", "-", "Default", "Uncategorized", "")]
    [True, True, False, False, True]
    """
    return is_none(text) and _folded(text) not in _NAMES

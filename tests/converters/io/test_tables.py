"""Tables as shops' computers save them: code pages, marks, lines before the header, any delimiter, quotes that are no quoting."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from converters.core.errors import InputError
from converters.io import decoding
from converters.io.tables import rows, table
from converters.schema import Outcome
from tests.converters.io.test_rows import peak, wrong

GERMAN = [
    "Nr;Name;Gruppe;Text;Preis",
    "7;Teekanne „Elbquell“ – 0,8 l;Haus > Küche;Nur 35 €, spülfest™ und schön;35,00",
    "8;Löffelset, groß;Haus > Küche;Für müde Köche … 20 °C;9,90",
]
WESTERN = {
    "German": "\n".join(GERMAN),
    "French": "id,nom\n1,Théière émaillée à l’ancienne\n2,Bœuf séché très léger – 12 €\n3,Forêt où l’on rêve\n",
    "Spanish": "id,nombre\n1,¿Buscas una lámpara pequeña?\n2,Cajón de baño, año 2020\n3,Sillón cómodo, 30 €\n",
    "Portuguese": "id,nome\n1,Colchão de algodão\n2,Lâmpada de mão, não elétrica\n3,Coleção de inverno à venda\n",
    "Swedish": "id,namn\n1,Röd pläd för båten\n2,Hårtork på väg, 2 år\n3,Smörkniv av trä\n",
    "Danish": "id,navn\n1,Rød sæbe på køl\n2,Blå hynde til sædet\n3,Træskål, ægte eg\n",
    "Italian": "id,nome\n1,Caffè già macinato, perché è più buono\n2,Qualità e comodità, così\n3,Papà può\n",
    "English": "id,name\n1,Brewer’s “slow” pour – £12, 90 °C\n2,Piqué shirt™, 5½ in\n3,Café chair, plain\n",
}
OTHERS = {
    "cp1250": [
        "Poduszka żakardowa, miękka i ciepła\nŁóżko dziecięce, wąskie\nKołdra z gęsiego puchu",
        "Čajová konvice, těžká\nPolštář měkký, žlutý a široký\nDětská židle, růžová",
        "Díszpárna, vörös és kék\nFőzőedény, nagy méretű\nGyűrűs füzet",
        "Pernă de pluş\nFaţă de masă roşie\nLumânări şi suport pentru ceşti",
    ],
    "cp1251": ["Чайник эмалированный\nПодушка мягкая\nСтул детский", "Възглавница мека\nЧайник от стъкло\nСтол"],
    "koi8-r": ["Чайник эмалированный\nПодушка мягкая\nСтул детский"],
    "cp1253": ["Τσαγιέρα γυάλινη\nΜαξιλάρι μαλακό\nΚαρέκλα παιδική"],
    "cp1254": ["Çaydanlık, küçük\nYumuşak yastık, sarı\nAğaç sandalye, geniş"],
    "cp1257": ["Pagalvė minkšta, šilta\nKėdė vaikiška, žalia\nArbatinukas, didelis ąsotis"],
    "mac-roman": [
        "Théière émaillée\nForêt où l’on rêve\nCafé très léger",
        "Löffelset, groß\nFür müde Köche\nSchöner Krug",
    ],
    "cp850": ["Löffelset, groß\nFür müde Köche\nSchöner Krug, grün"],
    "cp932": ["やかん ホーロー\nまくら 柔らかい\n椅子 子供用"],
    "gb18030": ["搪瓷茶壶 红色\n柔软的枕头\n儿童椅子 木制"],
    "euc_kr": ["법랑 주전자\n부드러운 베개\n어린이 의자"],
}


def saved(folder: Path, data: bytes, name: str = "shop.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    decoding._encoding.cache_clear()  # files of one test may have one size and time
    return path


def cells(path: Path, **options: object) -> list[list[str] | str]:
    found = rows(path, (), **options)  # type: ignore[arg-type]
    return [row.reason if isinstance(row, Outcome) else list(row.values()) for _, row in found]


@pytest.mark.parametrize("language", WESTERN)
def test_windows_1252_is_read_with_every_sign_and_told(language: str, tmp_path: Path) -> None:
    text = WESTERN[language]
    expected = cells(saved(tmp_path, text.encode()))
    path = saved(tmp_path, text.replace("\n", "\r\n").encode("cp1252"))
    assert cells(path) == expected and "Windows-1252" in str(decoding.remark(path))
    assert decoding.remark(saved(tmp_path, text.encode())) is None


@pytest.mark.parametrize(("page", "text"), [(page, text) for page, texts in OTHERS.items() for text in texts])
def test_another_code_page_is_never_read_as_windows_1252(page: str, text: str, tmp_path: Path) -> None:
    data = "id;name\n" + "".join(f"{n};{line}\n" for n, line in enumerate(text.splitlines()))
    path = saved(tmp_path, data.encode(page))
    sentence = wrong(path, lambda path: rows(path, ()))
    assert "not UTF-8, and its code page is not certain" in sentence and "--option encoding=" in sentence
    assert cells(path, encoding=page) == [list(line.split(";")) for line in data.splitlines()[1:]]


def test_the_likely_code_page_is_named(tmp_path: Path) -> None:
    for page in ("cp1250", "cp1251", "cp1253", "cp1254", "cp932"):
        data = "id;name\n" + "".join(f"{n};{line}\n" for n, line in enumerate(OTHERS[page][0].splitlines()))
        assert f"iconv -f {page} -t utf-8" in wrong(saved(tmp_path, data.encode(page)), lambda path: rows(path, ()))


def test_a_euro_sign_of_latin_9_is_one(tmp_path: Path) -> None:
    path = saved(tmp_path, "id;name\n1;Krug für 9 €\n2;Schöner Löffel\n".encode("iso8859-15"))
    assert cells(path) == [["1", "Krug für 9 €"], ["2", "Schöner Löffel"]]
    assert "Latin-9" in str(decoding.remark(path))


def test_the_first_sign_beyond_ascii_may_come_late(tmp_path: Path) -> None:
    start = b"id,name\n" + b"1,plain mug\n" * 60_000
    found = cells(saved(tmp_path, start + "2,Käsemesser für süße Brötchen\n".encode("cp1252")))
    assert found[-1] == ["2", "Käsemesser für süße Brötchen"]


def test_a_utf8_file_with_broken_rows_stays_one(tmp_path: Path) -> None:
    data = "id,name\n1,Käse\n2,Löffel\n".encode() + "3,Töpfe\n".encode("cp1252") + b"4,plain\n"
    path = saved(tmp_path, data)
    assert cells(path) == [["1", "Käse"], ["2", "Löffel"], "not UTF-8", ["4", "plain"]]
    assert cells(path, encoding="utf-8")[2] == "not UTF-8"


def test_an_encoding_that_does_not_exist_or_fit_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, "id,name\n1,Käse\n".encode("cp1252"))
    for name in ("cp1259", "base64"):
        assert "unknown encoding" in wrong(path, lambda path, name=name: rows(path, (), name))
    assert cells(path, encoding="ascii") == ["not in the encoding ascii"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8"])
def test_unicode_is_read_in_all_its_forms(encoding: str, tmp_path: Path) -> None:
    path = saved(tmp_path, "\r\n".join(GERMAN).encode(encoding))
    assert cells(path) == [line.split(";") for line in GERMAN[1:]]
    assert cells(path, encoding=encoding) == cells(path)


@pytest.mark.parametrize("start", ["sep=;\r\n", '"sep=;"\n', "SEP=;;;;\n", "\n\r\n", ";;;;\n \n", "sep=;\n\n", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_what_stands_before_the_header_is_passed_over(start: str, encoding: str, tmp_path: Path) -> None:
    path = saved(tmp_path, (start + "\n".join(GERMAN)).encode(encoding))
    assert cells(path) == [line.split(";") for line in GERMAN[1:]]
    first = start.count("\n") + 2
    assert [where for where, _ in rows(path, ["Nr"])] == [f"{path}:{first}", f"{path}:{first + 1}"]


@pytest.mark.parametrize("mark", ["\t", ";", ",", "|", "^"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "A.CSV", "a.tab"])
def test_the_delimiter_is_the_files_whatever_its_name(mark: str, name: str, tmp_path: Path) -> None:
    lines = [mark.join(cells) for cells in (["id", '"a, b; c|d"', "price"], ["1", '"x\ny, z"', "1"], ["2", "", "3"])]
    before = f"sep={mark}\n" if mark == "^" else ""
    found = cells(saved(tmp_path, (before + "\n".join(lines)).encode(), name))
    assert found == [["1", "x\ny, z", "1"], ["2", "", "3"]]


def test_the_header_may_stand_in_a_line_of_its_own(tmp_path: Path) -> None:
    path = saved(tmp_path, b'Template=x\t2.0\n"Name, of it"\tPrice\nname\tprice\nmug\t"3\n4"\npot\t5\n')
    assert cells(path, header=3) == [["mug", "3\n4"], ["pot", "5"]]
    assert [where for where, _ in rows(path, ["price"], header=3)] == [f"{path}:4", f"{path}:6"]
    assert ":9: the line of column names is blank" in wrong(path, lambda path: rows(path, (), header=9))


@pytest.mark.parametrize(
    ("ending", "mend"),
    [
        (".xlsx", "save the sheet as CSV"),
        (".xls", "save the sheet as CSV"),
        (".csv.ods", "save the sheet as CSV"),
        (".csv.zip", "unpack it"),
        (".pdf", "expected .csv"),
    ],
)
def test_what_is_no_table_is_a_sentence(ending: str, mend: str, tmp_path: Path) -> None:
    assert mend in wrong(saved(tmp_path, b"PK\x03\x04", f"shop{ending}"), lambda path: rows(path, ()))
    with pytest.raises(InputError, match="zip file or a spreadsheet"):
        list(rows(saved(tmp_path, b"PK\x03\x04...."), ()))


BARE = [
    'id\tname\tgroup\tnote',
    '1\t"Retro" radio\tAudio\tsmall',
    '2\t"Board 90 cm\tWood\toak',
    '3\tRope\tGarden\t5 m',
    '4\tScreen 24"\tTV\tflat',
    '5\tRug\tHome\t"Best" rug',
    '6\tPin\tHome\t"never closed',
    '7\tCup\tHome\tplain',
]  # fmt: skip


@pytest.mark.parametrize("mark", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quotation_mark_swallows_no_row(mark: str, end: str, tmp_path: Path) -> None:
    lines = [line.replace("\t", mark) for line in BARE]
    assert cells(saved(tmp_path, end.join(lines).encode())) == [line.split(mark) for line in lines[1:]]


def test_quoted_text_stays_quoted_text(tmp_path: Path) -> None:
    data = 'id,name,note\n1,"Pot, big","line, one\nline, two\nline ""3"""\n2,"a, b" x,"y, z"\n3,"open,1\n4,b,c\n'
    path = saved(tmp_path, data.encode())
    assert cells(path) == [
        ["1", "Pot, big", 'line, one\nline, two\nline "3"'], ["2", "a, b x", "y, z"], ["3", '"open', "1"], ["4", "b", "c"],
    ]  # fmt: skip
    assert [where.rpartition(":")[2] for where, _ in rows(path, ())] == ["2", "5", "6", "7"]


def test_memory_stays_flat(tmp_path: Path) -> None:
    row = "9;„Krug“;" + "schöner Krug; ".replace(";", ",") * 20 + ';"zwei\nZeilen"\n'
    peaks = []
    for count in (2_000, 60_000):
        path = saved(tmp_path, ("id;a;b;c\n" + row * count).encode("cp1252"))
        code = "from pathlib import Path\nfrom converters.io.tables import rows\nfor _ in rows(Path(sys.argv[1]), ()): pass"
        peaks.append(peak(code, path))
    assert peaks[1] <= peaks[0] + 8, peaks


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['"A1\tJar\tred', "B2\tJug\tblue"], [['"A1', "Jar", "red"], ["B2", "Jug", "blue"]]),  # opened in the first column
        (['1\tJar\t"red', '2\tJug\tblue"', "3\tCup\tx"], [["1", "Jar", '"red'], ["2", "Jug", 'blue"'], ["3", "Cup", "x"]]),
        (['1\t"', '2\tJug" "\t4"'], ["a quotation mark", ["2", 'Jug" "', '4"']]),  # the second row is not lost with the first
        (['1\t""Jar""\tx', "2\t'Jug\ty"], [["1", '""Jar""', "x"], ["2", "'Jug", "y"]]),
        (['1\tJar\t"two\nlines"', "2\tJug\ty"], [["1", "Jar", "two\nlines"], ["2", "Jug", "y"]]),
        (['1,"Jar \\"blue\\"",x', '2,"a \\", b",y'], [["1", 'Jar "blue"', "x"], ["2", 'a ", b', "y"]]),
        (['1,"Jar, ""a""","two\nlines"', '2,"12" jug",y', '3,"Cup,z'],
         [["1", 'Jar, "a"', "two\nlines"], ["2", '"12" jug"', "y"], ["3", '"Cup', "z"]]),
        (["A1,Cup,y", "22,Pot,z", '33,"Jar,x', 'B4,Jug" ,w', 'C5,"Pan,w', '66,Lid",v'],  # ids of two shapes
         [["A1", "Cup", "y"], ["22", "Pot", "z"], ["33", '"Jar', "x"], ["B4", 'Jug" ', "w"], ["C5", '"Pan', "w"],
          ["66", 'Lid"', "v"]]),
        (['"Jar,1,x', "Jug,2,y", 'Lid 9",3,z'], [['"Jar', "1", "x"], ["Jug", "2", "y"], ['Lid 9"', "3", "z"]]),
        (['"Jar, red,\nJug, blue",1,x'], [["Jar, red,\nJug, blue", "1", "x"]]),
    ],
)  # fmt: skip
def test_quotes_that_enclose_nothing_lose_no_row(lines: list[str], expected: list[Any], tmp_path: Path) -> None:
    mark = "\t" if "\t" in lines[0] else ","
    (tmp_path / "shop.txt").write_text("\n".join([mark.join(("id", "title", "text")), *lines]), "utf-8")
    found = [row for _, row in table(tmp_path / "shop.txt")]
    told = [row.reason[:15] if isinstance(row, Outcome) else [*row.values()] for row in found]
    assert told == [each if isinstance(each, list) else each[:15] for each in expected]


def test_values_of_parquet_that_json_has_no_type_for_are_plain_texts(tmp_path: Path) -> None:
    day = datetime(2026, 5, 1, 9, tzinfo=UTC)
    columns = {
        "price": pa.array([Decimal("7.90")]),
        "day": pa.array([day.date()]),
        "changed": pa.array([day], pa.timestamp("ns", "UTC")),
        "opens": pa.array([day.time()]),
        "title": pa.array(["Thermosflasche für Tee".encode()]),
        "picture": pa.array([b"\x89PNG"]),
        "made": pa.array([{"at": day, "cost": Decimal("1.5")}]),
    }
    pq.write_table(pa.table(columns), tmp_path / "shop.parquet")
    assert cells(tmp_path / "shop.parquet") == [
        [
            "7.90",
            "2026-05-01",
            "2026-05-01T09:00:00+00:00",
            "09:00:00",
            "Thermosflasche für Tee",
            "iVBORw==",
            '{"at": "2026-05-01T09:00:00+00:00", "cost": "1.5"}',
        ]
    ]


def test_a_row_of_parquet_that_no_calendar_has_is_counted(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "day": pa.array([1 << 30, 0], pa.date32())}), tmp_path / "shop.parquet")
    assert cells(tmp_path / "shop.parquet") == ["a value that is out of range", ["2", "1970-01-01"]]

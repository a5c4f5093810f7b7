"""XML is read as a stream: what it may hold, what is refused, and that memory does not grow with the file."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from converters.core.errors import InputError
from converters.io import xml
from converters.io.files import expand

LONG = "<note>" + "x" * xml.BLOCK + "</note>"  # the rest of the file comes in another part


def texts(path: Path, data: bytes, *names: str, encoding: str | None = None) -> list[str]:
    path.write_bytes(data)
    return ["".join(element.itertext()) for _, element in xml.elements(path, names or ("item",), encoding)]


@pytest.mark.parametrize("between", ["", "<note/>", LONG], ids=["none", "short", "long"])
def test_elements_come_whole_and_in_order_wherever_they_stand(tmp_path: Path, between: str) -> None:
    inner = f"<s:item xmlns:s='urn:s'>one<b>and</b>{between}</s:item>{between}<deep><er>{between}<item>two</item></er></deep>"
    data = f"<root>{inner}{between}<item>three<item> and its own</item></item></root>".encode()
    found = [text.replace("x" * xml.BLOCK, "") for text in texts(tmp_path / "a.xml", data)]
    assert found == ["oneand", "two", "three and its own"]
    assert [where for where, _ in xml.elements(tmp_path / "a.xml", ("er", "deep"))] == [f"{tmp_path / 'a.xml'}:#1"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "cp850", "utf-16-le"]
)
def test_the_declared_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    named = encoding.removesuffix("-sig").removesuffix("-le")
    data = f'<?xml version="1.0" encoding="{named}"?><r><item>Öl für 5 Äxte</item></r>'.encode(encoding)
    assert texts(tmp_path / "a.xml", b"\xff\xfe" * encoding.endswith("le") + data) == ["Öl für 5 Äxte"]


def test_a_wrong_declaration_is_a_sentence_and_the_option_mends_it(tmp_path: Path) -> None:
    data = '<?xml version="1.0" encoding="UTF-8"?><r>\n<item>5 €</item></r>'.encode("cp1252")
    with pytest.raises(InputError, match=r"a\.xml:2: broken XML at column 9: .*--option encoding"):
        texts(tmp_path / "a.xml", data)
    assert texts(tmp_path / "a.xml", data, encoding="cp1252") == ["5 €"]
    with pytest.raises(InputError, match="the encoding 'klingon' is unknown"):
        texts(tmp_path / "a.xml", b'<?xml version="1.0" encoding="klingon"?><r/>')
    with pytest.raises(InputError, match="holds a byte that shift_jis does not have"):
        texts(tmp_path / "a.xml", b'<?xml version="1.0" encoding="shift_jis"?><r><item>\xff</item></r>')


@pytest.mark.parametrize(
    "declared", ["ENTITY a 'b'", "ENTITY % a 'b'", "ENTITY a SYSTEM 'none.txt'", "ATTLIST r a CDATA 'b'"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_declares_entities_or_attributes_is_refused(tmp_path: Path, declared: str, encoding: str) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE r [<!{declared}>]><r><item>plain</item></r>'.encode(
        encoding
    )
    with pytest.raises(InputError, match="its DOCTYPE declares entities or attributes, which are refused"):
        texts(tmp_path / "a.xml", data)
    with pytest.raises(InputError, match="which are refused"):
        xml.beginning(tmp_path / "a.xml")


def test_a_doctype_that_only_names_a_file_is_tolerated_and_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "shop.dtd").write_text("<!ENTITY shop 'Shop'>")
    start = f'<!DOCTYPE r SYSTEM "{(tmp_path / "shop.dtd").as_uri()}">'.encode()
    assert texts(tmp_path / "a.xml", start + b"<r><item>plain &amp; right</item></r>") == ["plain & right"]
    with pytest.raises(InputError, match="undefined entity"):
        texts(tmp_path / "a.xml", start + b"<r><item>&shop;</item></r>")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<r><item>1</item>\n<item>2</r>", r"a\.xml:2: broken XML at column 10: mismatched tag"),
        (b"<r><item>1</item>", r"a\.xml:1: broken XML at column 18: the file is cut off"),
        (b"<r><item>1</ite", "the file is cut off"),
        (b"<r><item>1</item></r><r/>", "junk after document element"),
        (b"<r><g:item>1</g:item></r>", "unbound prefix"),
        (b"id,title\n1,Mug\n", r"a\.xml:1: broken XML at column 1: syntax error"),
        (b"\n\n", "no XML: no element in the first 256 KiB"),
        (b"<a>" * 100_000, "more than 200 elements within each other"),
        (b"<item>" * 100_000, "more than 200 elements within each other"),
    ],
)
def test_broken_xml_is_a_sentence(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        texts(tmp_path / "a.xml", data)
    assert "\n" not in str(raised.value)


def test_an_element_without_end_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "LIMIT", 4 * xml.BLOCK)
    with pytest.raises(InputError, match="one element is longer than 1 MiB"):
        texts(tmp_path / "a.xml", b"<r><item>" + b"<b>text</b>" * xml.BLOCK + b"</item></r>")


@pytest.mark.parametrize("ending", [".xml", ".xml.gz", ".xml.zst"])
def test_files_of_a_folder_are_found_and_unpacked(tmp_path: Path, ending: str) -> None:
    data = b"<r><item>1</item></r>"
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(ending).suffix, bytes)
    (tmp_path / f"feed{ending}").write_bytes(pack(data))
    [path] = expand([str(tmp_path)])
    assert [element.text for _, element in xml.elements(path, ("item",))] == ["1"] and xml.is_xml(path)
    assert xml.beginning(path) == ("r", ("r", "item"))


PEAK = """
import re, sys
from pathlib import Path
from converters.io.xml import elements
count = sum(1 for _ in elements(Path(sys.argv[1]), ("item",)))
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    item = "<item><id>1</id><text>" + "word " * 100 + "</text></item>\n<other>" + "word " * 50 + "</other>\n"
    peaks = []
    for times in (1, 10):
        path = tmp_path / f"{times}.xml"
        path.write_text("<r><c>" + item * (3000 * times) + "</c></r>")
        out = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True).stdout
        count, peak = map(int, out.split())
        assert count == 3000 * times
        peaks.append(peak)
    assert peaks[1] <= 1.1 * peaks[0]

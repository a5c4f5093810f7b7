"""Measures: a number with its unit, by code, name or symbol, and how a text spells it.

Codes: UN/ECE Recommendation 20 (``LTR``, ``KGM``), in GS1, BMEcat and schema.org's ``unitCode``; names as product databases write
them (``KILOGRAM``, ``SQUARE_METER``).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from converters.text.words import digits, stands

# A unit's symbol, then its codes and names.
_UNITS = """
m MTR meter meters metre metres | km KMT KTM kilometer kilometre | dm DMT decimeter decimetre
cm CMT centimeter centimeters centimetre centimetres zentimeter | mm MMT millimeter millimeters millimetre millimetres
in INH inch inches zoll " ″ '' | ft FOT FTK foot feet ' ′ | yd YRD yard yards
m² MTK m2 sqm square_meter square_metre qm | cm² CMK cm2 square_centimeter square_centimetre | mm² MMK mm2 square_millimeter
m³ MTQ m3 cbm cubic_meter cubic_metre | cm³ CMQ cm3 ccm cc cubic_centimeter cubic_centimetre
l LTR ltr liter liters litre litres litro litros | ml MLT milliliter milliliters millilitre millilitres
cl CLT centiliter centilitre | dl DLT deciliter decilitre | hl HLT hectoliter hectolitre
gal GLL gallon gallons | pt PTL pint pints | fl oz OZA fluid_ounce
g GRM gram grams gramm gramme grammes gr | kg KGM kilogram kilograms kilogramm kilogramme kilo kilos
mg MGM milligram milligrams milligramm | t TNE ton tonne tonnes | lb LBR pound pounds lbs | oz ONZ ounce ounces
W WTT watt watts | kW KWT kilowatt | MW MAW megawatt | Wh WHR watt_hour watthour | kWh KWH kilowatt_hour kilowatthour
V VLT volt volts | kV KVT kilovolt | mV 2Z millivolt | A AMP ampere amperes amp amps | mA 4K milliampere
mAh E09 milliampere_hour milliamperehour | Ah AMH ampere_hour amperehour | Hz HTZ hertz | kHz KHZ kilohertz | MHz MHZ megahertz
GHz A86 gigahertz | s SEC second seconds sekunden sec | min MIN minute minutes minuten | h HUR hour hours stunden hrs
d DAY day days tage | °C CEL celsius degree_celsius | °F FAH fahrenheit | K KEL kelvin | ° DD degree degrees grad
Pa PAL pascal | kPa KPA kilopascal | bar BAR | N NEW newton | Nm NU newton_meter newton_metre | J JOU joule | kJ KJO kilojoule
lm LUM lumen | lx LUX lux | cd CDL candela | dB 2N decibel | Ω OHM ohm | rpm RPM
kB 2P kilobyte | MB 4L megabyte | GB E34 gigabyte | TB E35 terabyte | MP megapixel | px pixel pixels
% P1 percent prozent
"""
# The names of units in other scripts, after their symbol; none that other units' names, or common words, begin with.
_ELSEWHERE = """
m м метр метра метров メートル 미터 เมตร متر מטר मीटर μέτρα
cm см センチメートル センチ 厘米 公分 釐米 센티미터 센티 ซม. ซม เซนติเมตร سم ס"מ ס״מ सेमी εκ. εκ
mm мм ミリメートル 毫米 公釐 밀리미터 มม. มม مم מ"מ מ״מ मिमी χιλ. χιλ
km км キロメートル 公里 千米 킬로미터 กม. กม كم ק"מ ק״מ किमी χλμ
l л литр литра литров リットル 升 公升 리터 ลิตร لتر ליטר लीटर λίτρα λίτρο
ml мл ミリリットル 毫升 밀리리터 มล. มล مل מ"ל מ״ל मिली
g г гр грамм グラム 克 公克 그램 กรัม ก. غرام جرام غم جم גרם ग्राम γρ. γρ
mg мг ミリグラム 毫克 밀리그램 มก. มก ملغم מ"ג מ״ג मिग्रा
kg кг キログラム 公斤 千克 킬로그램 กก. กก กิโลกรัม كغ كجم كغم كيلوغرام كيلوجرام ק"ג ק״ג किग्रा κιλά κιλό
in дюйм дюйма дюймов インチ 英寸 英吋 인치 นิ้ว بوصة אינץ' इंच ίντσες
W Вт ワット 瓦 와트 วัตต์ واط ואט वाट
kW кВт キロワット 千瓦
V В ボルト 伏 볼트 โวลต์ فولت וולט वोल्ट
mAh мАч мА·ч ミリアンペア時 毫安
GB ГБ ギガバイト 기가바이트
Hz Гц ヘルツ 赫兹
"""
_COUNTS = frozenset(
    ["c62", "h87", "pce", "ea", "nar", "pc", "piece", "pieces"]
)  # units that no text writes after a number
_SPELLINGS: dict[str, tuple[str, ...]] = {}
for _entry in re.split(r"[|\n]", _UNITS.replace("fl oz", "fl\u00a0oz")):
    _all = tuple(name.replace("\u00a0", " ").replace("_", " ") for name in _entry.split(" ") if name)
    _SPELLINGS |= dict.fromkeys(_all, _all)
    _SPELLINGS |= {name.casefold(): _all for name in _all if name.casefold() not in _SPELLINGS}
_NAMES = dict(_SPELLINGS)
for _entry in _ELSEWHERE.strip().splitlines():
    _symbol, *_others = _entry.split()
    _all = (*_SPELLINGS[_symbol], *_others)
    _NAMES |= {name: _all for name in (*_all, *map(str.casefold, _others)) if _NAMES.get(name, _all)[0] == _symbol}

_MEASURE = re.compile(r"(?P<number>[-+−]?\d+(?:[.,]\d+)?)\s*(?P<unit>[^\s\d.,;:+/x×-][^\d;:/]{0,30})")
_NUMBER = re.compile(r"[-+−]?\d[\d.,' \u00a0/–x×*-]*")
_ZEROS = re.compile(r"(\d+)(?:[.,]0+|([.,]\d*[1-9])0+)")


def measure(number: str, unit: str) -> str:
    """Return a number with its unit, as one would write it; a unit that is not known stays as it is.

    >>> measure("1.7000", "LITER"), measure("20.0000", "CENTIMETER"), measure("500", "GRM")
    ('1.7 l', '20 cm', '500 g')
    >>> measure("6", "C62"), measure("2", "Riegel"), measure("1.5 l", "l")
    ('6', '2 Riegel', '1.5 l')
    """
    number, unit = number.strip(), unit.strip()
    if match := _ZEROS.fullmatch(number):
        number = match[1] + (match[2] or "")
    if not unit or unit.casefold() in _COUNTS or not _NUMBER.fullmatch(number):
        return number
    names = _known(unit)
    return f"{number} {names[0] if names else unit}"


def spelling(value: str, text: str) -> str | None:
    """Return a measure as a text spells it: the number with a comma or a point, the unit by any of its names.

    >>> spelling("1.7 l", "Holds 1,7L."), spelling("1500 g", "weighs 1,500 grams"), spelling("5 l", "1.5 l")
    ('1,7L', '1,500 grams', None)
    >>> spelling("12 in", '12" wide'), spelling("12 in", "a 12-inch pan")
    ('12"', '12-inch')
    >>> spelling("500 мл", "объём 500мл."), spelling("1.5 l", "容量1.5リットル"), spelling("5公斤", "15公斤")
    ('500мл', '1.5リットル', None)
    """
    match = _MEASURE.fullmatch(digits(value))
    pattern = _pattern(match["number"], match["unit"].strip()) if match else None
    found = pattern.finditer(digits(text)) if pattern else iter(())
    return next((text[slice(*match.span())] for match in found if stands(text, *match.span())), None)


def _known(unit: str, names: Mapping[str, tuple[str, ...]] = _SPELLINGS) -> tuple[str, ...]:
    return names.get(unit) or names.get(unit.replace("_", " ").casefold()) or ()


@lru_cache(1 << 12)
def _pattern(number: str, unit: str) -> re.Pattern[str] | None:
    if not (names := _known(unit, _NAMES)):
        return None
    whole, point, part = number.replace(",", ".").partition(".")
    groups = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", "[.,'’ \u00a0\u202f]?", whole)
    decimals = rf"[.,]{part}0*" if point else r"(?:[.,]0+)?"
    units = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"{groups}{decimals}[\s-]?(?:{units})", re.IGNORECASE)

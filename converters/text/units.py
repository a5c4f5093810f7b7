"""Measures: a number with its unit, by code, name or symbol, and how a text spells it.

Codes: UN/ECE Recommendation 20 (``LTR``, ``KGM``), in GS1, BMEcat and schema.org's ``unitCode``; names as product databases write
them (``KILOGRAM``, ``SQUARE_METER``).
"""

import re
from functools import lru_cache

from converters.text.words import stands

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
_COUNTS = frozenset(
    ["c62", "h87", "pce", "ea", "nar", "pc", "piece", "pieces"]
)  # units that no text writes after a number
_SPELLINGS: dict[str, tuple[str, ...]] = {}
for _entry in re.split(r"[|\n]", _UNITS.replace("fl oz", "fl\u00a0oz")):
    _all = tuple(name.replace("\u00a0", " ").replace("_", " ") for name in _entry.split(" ") if name)
    _SPELLINGS |= dict.fromkeys(_all, _all)
    _SPELLINGS |= {name.casefold(): _all for name in _all if name.casefold() not in _SPELLINGS}

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
    """
    match = _MEASURE.fullmatch(value)
    pattern = _pattern(match["number"], match["unit"].strip()) if match else None
    found = pattern.finditer(text) if pattern else iter(())
    return next((match[0] for match in found if stands(text, *match.span())), None)


def _known(unit: str) -> tuple[str, ...]:
    return _SPELLINGS.get(unit) or _SPELLINGS.get(unit.replace("_", " ").casefold()) or ()


@lru_cache(1 << 12)
def _pattern(number: str, unit: str) -> re.Pattern[str] | None:
    if not (names := _known(unit)):
        return None
    whole, point, part = number.replace(",", ".").partition(".")
    groups = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", "[.,'’ \u00a0\u202f]?", whole)
    decimals = rf"[.,]{part}0*" if point else r"(?:[.,]0+)?"
    units = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"{groups}{decimals}[\s-]?(?:{units})", re.IGNORECASE)

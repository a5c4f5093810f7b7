"""Products and their titles. Brands and title patterns of one split never occur in another."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

T = TypeVar("T")

SPLITS = ("train", "validation", "test")
# How a part is worded in a title, and which attribute it states; the measure's name depends on the product.
CUES = {
    "Brand": ("by {}", "from {}", "brand {}"),
    "Color": ("in {}", "color {}", "{} colored"),
    "Material": ("made of {}", "of {}", "material {}"),
    "measure": ("size {}", "with {}", "about {}"),
}
RELEASE = "2026-01-01"

# Category path, what such a product is called, and the measure that it is sold by.
KINDS = (
    (("Home & Garden", "Kitchen & Dining", "Kettles"), ("kettle", "tea kettle"), "Capacity"),
    (("Home & Garden", "Kitchen & Dining", "Mugs"), ("mug", "coffee mug"), "Capacity"),
    (("Home & Garden", "Kitchen & Dining", "Knives"), ("chef knife", "bread knife"), "Length"),
    (("Home & Garden", "Bedding", "Blankets"), ("blanket", "throw"), "Length"),
    (("Home & Garden", "Bedding", "Pillows"), ("pillow", "cushion"), "Length"),
    (("Electronics", "Audio", "Headphones"), ("headphones", "headset"), "Weight"),
    (("Electronics", "Audio", "Speakers"), ("speaker", "soundbar"), "Weight"),
    (("Electronics", "Computers, Tablets & Phones", "Keyboards"), ("keyboard", "keypad"), "Weight"),
    (("Electronics", "Computers, Tablets & Phones", "Accessories"), ("phone case", "charger"), "Length"),
    (("Sporting Goods", "Camping & Hiking", "Tents"), ("tent", "shelter"), "Weight"),
    (("Sporting Goods", "Camping & Hiking", "Backpacks"), ("backpack", "rucksack"), "Capacity"),
    (("Sporting Goods", "Fitness", "Dumbbells"), ("dumbbell", "hand weight"), "Weight"),
    (("Apparel", "Shoes", "Boots"), ("boots", "hiking boots"), "Weight"),
    (("Apparel", "Clothing", "Jackets"), ("jacket", "raincoat"), "Weight"),
    (("Apparel", "Clothing", "Accessories"), ("belt", "scarf"), "Length"),
    (("Toys & Games", "Puzzles", "Jigsaws"), ("jigsaw", "puzzle"), "Length"),
)
COLORS = ("black", "white", "red", "blue", "green", "grey", "yellow", "orange", "pink", "brown", "navy", "teal")
MATERIALS = ("steel", "cotton", "leather", "bamboo", "nylon", "wool", "glass", "plastic", "copper", "linen")
# The unit of whole numbers, and that of numbers with a decimal point.
UNITS = {"Capacity": ("ml", "L"), "Length": ("cm", "mm"), "Weight": ("g", "kg")}

# Brands are made of these, so that there are thousands of them.
ONSETS = (
    *("b", "br", "c", "d", "dr", "f", "g", "gr", "h", "k", "kl", "l"),
    *("m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v", "w"),
)
VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
ENDINGS = ("", "l", "m", "n", "r", "s", "t", "x", "nd", "rk")

# What real titles hold and what has to survive as plain text.
DIRT = ("</s>", "[/INST]", "[CLASSIFY]", "<b>new</b>", "<script>alert(1)</script>", "☕", "红色", "&amp; more")


@dataclass(frozen=True, slots=True)
class Product:
    """A product: ``values`` maps each attribute to its value as it stands in the title."""

    asin: str
    path: tuple[str, ...]
    noun: str
    measure: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A title's form: the parts in order with their wording, where the noun stands among them, and what joins all."""

    parts: tuple[tuple[str, str], ...]
    place: int
    joiner: str


def split(values: Sequence[T], seed: int, size: int) -> dict[str, list[T]]:
    """Deal ``size`` of the values to validation and to test each, the rest to train: none is in two splits."""
    shuffled = list(values)
    random.Random(seed).shuffle(shuffled)
    return {"validation": shuffled[:size], "test": shuffled[size : 2 * size], "train": shuffled[2 * size :]}


def patterns(seed: int) -> dict[str, list[Pattern]]:
    """Return each split's title patterns."""
    draw = random.Random(seed)
    candidates = [
        Pattern(tuple((part, draw.choice(CUES[part])) for part in order), place, joiner)
        for order in permutations(CUES)
        for place in range(len(CUES) + 1)
        for joiner in (", ", " - ", " ")
    ]
    return split(candidates, seed, 40)


def brands(seed: int) -> dict[str, list[str]]:
    """Return each split's brands: 2,400 for training, 300 for validation and test each."""
    draw = random.Random(seed)
    names: dict[str, None] = {}
    while len(names) < 3000:
        syllables = [draw.choice(ONSETS) + draw.choice(VOWELS) for _ in range(draw.choice((1, 2, 2)))]
        names["".join([*syllables, draw.choice(ENDINGS)]).capitalize()] = None
    return split([name for name in names if len(name) > 2], seed, 300)


def product(draw: random.Random, number: int, names: Sequence[str]) -> Product:
    """Return a product with one of the brands ``names``."""
    path, nouns, measure = draw.choice(KINDS)
    whole, decimal = UNITS[measure]
    sizes = (f"{draw.randint(2, 99)} {whole}", f"{draw.randint(1, 9)}.{draw.randint(1, 9)} {decimal}")
    values = {"Brand": draw.choice(names), "Color": draw.choice(COLORS), "Material": draw.choice(MATERIALS)}
    values[measure] = draw.choice(sizes)
    return Product(f"B0{number:08d}", path, draw.choice(nouns), measure, values)


def title(item: Product, pattern: Pattern, omitted: Sequence[str] = ()) -> str:
    """Return the product's title without the attributes in ``omitted``."""
    cues = [(item.measure if part == "measure" else part, cue) for part, cue in pattern.parts]
    parts = [cue.format(item.values[key]) for key, cue in cues if key not in omitted]
    return pattern.joiner.join([*parts[: pattern.place], item.noun, *parts[pattern.place :]])

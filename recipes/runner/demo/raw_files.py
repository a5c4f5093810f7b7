"""Generates the demo's raw files in the public formats, the same bytes for the same seed.

Products of validation and test are new brands, title patterns and question forms, not reshuffled copies of training's. The files
are made up here, word for word; no row of a public dataset is in them.
"""

import csv
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from converters.io.jsonl import replacing
from recipes.runner.demo import products
from recipes.runner.demo.products import SPLITS, Pattern, Product, title

# Products with attributes, products that lack one, products with questions, products of the shop, general instructions.
COUNTS = {
    "train": (9000, 3000, 9500, 4600, 4200),
    "validation": (150, 40, 150, 150, 70),
    "test": (300, 80, 300, 300, 130),
}
NEW = 400  # products of the shop that nobody has labelled yet


def write(out: Path, seed: int) -> None:
    """Write the raw files of all splits into the folder ``out``."""
    numbers = count(1)
    for name, text in [
        ("taxonomy.txt", taxonomy()),
        *(file for split in SPLITS for file in _files(split, seed, numbers)),
        *unlabelled(seed, numbers),
    ]:
        with replacing(out / name) as file:
            file.write(text.encode())


def _files(split: str, seed: int, numbers: Iterator[int]) -> Iterator[tuple[str, str]]:
    draw = random.Random(f"{seed}:{split}")
    names, patterns = products.brands(seed)[split], products.patterns(seed)[split]
    wording = wordings(seed)[split]
    stating, lacking, questioned, sold, general = COUNTS[split]

    def items(number: int) -> list[Product]:
        return [products.product(draw, next(numbers), names) for _ in range(number)]

    described = items(stating)
    # As in MAVE itself, a product may be in both files: some attributes stated, another one not.
    undescribed = described[: lacking // 4] + items(lacking - lacking // 4)
    yield f"mave_{split}_positives.jsonl", _lines(positives(draw, described, patterns))
    yield f"mave_{split}_negatives.jsonl", _lines(negatives(draw, undescribed, patterns))
    yield f"{split}-qar.jsonl", _lines(questions(draw, items(questioned), wording))
    yield f"shop_{split}.csv", export(draw, items(sold), patterns)
    yield f"alpaca_{split}.json", json.dumps(list(instructions(draw, general)), indent=1)


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


OPPOSITES = {
    **{"hot": "cold", "big": "small", "open": "closed", "wet": "dry", "old": "new"},
    **{"fast": "slow", "up": "down", "full": "empty", "rich": "poor", "day": "night"},
}


def instructions(draw: random.Random, count: int) -> Iterator[dict[str, str]]:
    """Yield ``count`` different rows."""
    prompts: set[tuple[str, str]] = set()
    while len(prompts) < count:
        instruction, text, output = _chore(draw)
        if (instruction, text) not in prompts:
            prompts.add((instruction, text))
            yield {"instruction": instruction, "input": text, "output": output}


def _chore(draw: random.Random) -> tuple[str, str, str]:
    kind = draw.choice(("repeat", "opposites", "reverse"))
    if kind == "repeat":
        number = str(draw.randint(10, 9999))
        return "Say the number once more.", number, number
    words = [draw.choice(list(OPPOSITES)) for _ in range(draw.choice((2, 3, 4)))]
    if kind == "opposites":
        return "Write the opposites.", " ".join(words), " ".join(OPPOSITES[word] for word in words)
    return "Write the words in reverse order.", " ".join(words), " ".join(reversed(words))


# What a question is about, and how a review words it.
FACTS = {"weight": "weighs {}", "length": "measures {}", "maker": "comes from {}", "color": "looks {}"}
QUANTITIES = {"weight": ("g", "kg"), "length": ("cm", "mm")}
QUESTIONS = (
    "What is the {key} of the {noun}?",
    "What {key} is the {noun}?",
    "{key} of this {noun}?",
    "Does anyone know the {key}?",
    "Please tell me the {key} of the {noun}.",
    "Which {key} does it have?",
    "I need the {key}, what is it?",
    "The {noun}: what {key}?",
    "Can somebody say what {key} the {noun} has?",
    "{noun}, {key}?",
    "Before I buy the {noun}, what is its {key}?",
    "Could you look up the {key}?",
)
SUBJECTS = ("It", "Mine", "Ours", "This one", "The {noun}", "The thing", "I think it", "My {noun}")
TAILS = (
    *(".", ", I checked.", " for sure.", ", the label says."),
    *(" as far as I know.", "!", ", my wife says.", " and works."),
)
SMALL_TALK = (
    *("Nice {noun}.", "Arrived late.", "My wife loves the {noun}."),
    *("Works &amp; looks fine.", "Good value.", "Not for me."),
)
NO_IDEA = ("Sorry, no idea.", "I do not know.", "Ask the seller.")
SHADES = ("dark", "light", "pale", "deep", "bright", "soft")

Wording = Mapping[str, Sequence[str]]


def wordings(seed: int) -> dict[str, Wording]:
    """Return each split's forms of questions and of reviews."""
    forms = products.split(QUESTIONS, seed, 2)
    reviews = products.split([f"{subject} {{fact}}{tail}" for subject in SUBJECTS for tail in TAILS], seed, 10)
    return {split: {"question": forms[split], "review": reviews[split]} for split in SPLITS}


def questions(draw: random.Random, items: Sequence[Product], wording: Wording) -> Iterator[dict[str, Any]]:
    """Yield a record a product, now and then two; about a fifth has no answer in its snippets."""
    for item in items:
        keys = draw.sample(list(FACTS), 3)
        yield _question(draw, item, wording, keys, draw.random() < 0.78)
        if draw.random() < 0.1:
            yield _question(draw, item, wording, keys[1:] + keys[:1], True)


def _question(
    draw: random.Random, item: Product, wording: Wording, keys: Sequence[str], answerable: bool
) -> dict[str, Any]:
    key, *others = keys  # the question's, and those of reviews on something else
    values = {key: _value(draw, item, key) for key in keys}
    snippets = [
        draw.choice(wording["review"]).format(fact=FACTS[fact].format(values[fact]), noun=item.noun)
        for fact in ((key, others[0]) if answerable else others)
    ]
    if draw.random() < 0.3:
        snippets.append(draw.choice(SMALL_TALK).format(noun=item.noun))
    return {
        "asin": item.asin,
        "category": item.path[0],
        "questionText": draw.choice(wording["question"]).format(key=key, noun=item.noun),
        "questionType": "descriptive",
        "review_snippets": draw.sample(snippets, len(snippets)),
        "answers": _answers(draw, values[key] if answerable else draw.choice(NO_IDEA)),
        "is_answerable": int(answerable),
        "qid": f"{item.asin}-{key}",
    }


def _answers(draw: random.Random, best: str) -> list[dict[str, Any]]:
    """Return the best answer and one that nobody found helpful, in any order."""
    good = {"answerText": best, "answerType": "NA", "helpful": [draw.randint(6, 9), 9]}
    poor = {"answerText": draw.choice(NO_IDEA), "answerType": "NA", "helpful": [0, draw.randint(1, 5)]}
    return draw.sample([good, poor], 2)


def _value(draw: random.Random, item: Product, key: str) -> str:
    if key == "maker":
        return item.values["Brand"]
    if key == "color":
        return f"{draw.choice(SHADES)} {item.values['Color']}"
    return f"{draw.randint(2, 99)} {draw.choice(QUANTITIES[key])}"


def positives(draw: random.Random, items: Sequence[Product], patterns: Sequence[Pattern]) -> Iterator[dict[str, Any]]:
    """Yield one record a product; a few titles hold dirt, a few offsets do not hold, a few paragraphs are empty."""
    for item in items:
        text = title(item, draw.choice(patterns))
        if draw.random() < 0.02:
            text += " " + draw.choice(products.DIRT)
        keys = draw.sample(list(item.values), draw.choice((1, 2, 2, 3)))
        yield _product(draw, item, text, [_attribute(draw, text, key, item.values[key]) for key in keys])


def negatives(draw: random.Random, items: Sequence[Product], patterns: Sequence[Pattern]) -> Iterator[dict[str, Any]]:
    """Yield one record a product, which asks for an attribute that its title does not state."""
    for item in items:
        key = draw.choice(list(item.values))
        text = title(item, draw.choice(patterns), [key])
        yield _product(draw, item, text, [{"key": key, "evidences": []}])


def _attribute(draw: random.Random, text: str, key: str, value: str) -> dict[str, Any]:
    begin = text.index(value)
    if draw.random() < 0.005:
        begin = draw.choice((-1, begin + 1))
    return {"key": key, "evidences": [{"value": value, "pid": 0, "begin": begin, "end": begin + len(value)}]}


def _product(draw: random.Random, item: Product, text: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    paragraphs = [{"text": text, "source": "title"}]
    if draw.random() < 0.02:
        paragraphs.append({"text": " ", "source": "description"})
    return {"id": item.asin, "category": item.path[-1], "paragraphs": paragraphs, "attributes": attributes}


HEADER = ("sku", "product_name", "product_category_tree", "brand", "description")


def taxonomy() -> str:
    """Return the tree of all kinds; ids are not in sequence, and names such as "Accessories" repeat."""
    paths = sorted({path[:depth] for path, _, _ in products.KINDS for depth in range(1, len(path) + 1)})
    lines = [f"{number * 37} - {' > '.join(path)}" for number, path in enumerate(paths, 1)]
    return "\n".join([f"# Google_Product_Taxonomy_Version: {products.RELEASE}", *lines, ""])


def unlabelled(seed: int, numbers: Iterator[int]) -> Iterator[tuple[str, str]]:
    """Yield an export of new products without categories and attributes, and what is true of each: a file of JSON lines."""
    draw, text, truths = random.Random(f"{seed}:new"), io.StringIO(), list[dict[str, Any]]()
    names, patterns = products.brands(seed)["test"], products.patterns(seed)["test"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sku", "product_name", "price"])
    for _ in range(NEW):
        item = products.product(draw, next(numbers), names)
        omitted = draw.sample(list(item.values), draw.choice((0, 1)))
        writer.writerow([item.asin, title(item, draw.choice(patterns), omitted), f"{draw.randint(5, 300)}.99"])
        values = {name: None if name in omitted else value for name, value in item.values.items()}
        truths.append({"sku": item.asin, "category": " > ".join(item.path), "attributes": values})
    yield "shop_new.csv", text.getvalue()
    yield "shop_new_truth.jsonl", _lines(truths)


def export(draw: random.Random, items: Sequence[Product], patterns: Sequence[Pattern]) -> str:
    """Return the CSV; some brands are blank, a few lines are blank, a few categories are not in the taxonomy."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for item in items:
        omitted = draw.sample(list(item.values), draw.choice((1, 2)))
        brand = "" if "Brand" in omitted else item.values["Brand"]
        path = (*item.path[:-1], "Bargains") if draw.random() < 0.005 else item.path
        note = "Ships fast.\nGift wrap." if draw.random() < 0.02 else ""
        writer.writerow([item.asin, title(item, draw.choice(patterns), omitted), " > ".join(path), brand, note])
        if draw.random() < 0.01:
            text.write("\n")
    return text.getvalue()

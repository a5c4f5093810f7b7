"""AmazonQA's format: questions, review snippets, several answers with votes, some that the snippets do not answer."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converters.demo.products import SPLITS, Product, dealt

# What is asked, and how a review says it.
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
    asked = dealt(QUESTIONS, seed, 2)
    said = dealt([f"{subject} {{fact}}{tail}" for subject in SUBJECTS for tail in TAILS], seed, 10)
    return {split: {"asked": asked[split], "said": said[split]} for split in SPLITS}


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
    asked, other, third = keys
    values = {key: _value(draw, item, key) for key in keys}
    snippets = [
        draw.choice(wording["said"]).format(fact=FACTS[key].format(values[key]), noun=item.noun)
        for key in ((asked, other) if answerable else (other, third))
    ]
    if draw.random() < 0.3:
        snippets.append(draw.choice(SMALL_TALK).format(noun=item.noun))
    return {
        "asin": item.asin,
        "category": item.path[0],
        "questionText": draw.choice(wording["asked"]).format(key=asked, noun=item.noun),
        "questionType": "descriptive",
        "review_snippets": draw.sample(snippets, len(snippets)),
        "answers": _answers(draw, values[asked] if answerable else draw.choice(NO_IDEA)),
        "is_answerable": int(answerable),
        "qid": f"{item.asin}-{asked}",
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

"""How scores and texts are formatted in pages and in the terminal's tables, and the writing of pages."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from converters.core.html import environment, share, visible
from converters.io import jsonl
from eval.comparison.cascade import Gain
from eval.comparison.compare import HOLM, Comparison, Pair
from eval.metrics.extraction import COUNTS
from eval.results.schema import Score

TEXT = 700
_AT = re.compile(r"(recall|precision|hit)_at_(\d+)")
_TOP = re.compile(r"top_(\d+)_")
NAMES = {
    "rouge_l": "ROUGE-L",
    "bert_score_f1": "BERTScore F1",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "unanswerable_f1": "F1 of “unanswerable”",
    "slot_accuracy_stated": "slot accuracy (stated)",
    "micro_f1": "micro F1 of values",
    "micro_precision": "micro precision of values",
    "micro_recall": "micro recall of values",
    "value_f1": "value F1, another name of micro F1",
    "mave_micro_f1": "MAVE's micro F1 (first value)",
    "mave_micro_precision": "MAVE's micro precision (first value)",
    "mave_micro_recall": "MAVE's micro recall (first value)",
    "macro_f1_gold_and_said": "macro F1 over gold and said classes",
    "yes_f1": "F1 of “yes”",
    "yes_precision": "precision of “yes”",
    "yes_recall": "recall of “yes”",
}

SLICES = {
    "question_type": "type of question",
    "length": "length of the prompt",
    "hard": "hard input",
    "depth": "depth of the path",
    "frequency": "how frequent",
    "seen": "training shows the answer",
    "shortlist": "what the shortlist holds",
    "implicit": "stated or implied",
}


def label(kind: str) -> str:
    """Return the label of a kind of slice.

    >>> label("length"), label("source")
    ('length of the prompt', 'source')
    """
    return SLICES.get(kind, kind)


def title(name: str) -> str:
    """Return the title of a metric.

    >>> title("weighted_f1"), title("rouge_l"), title("recall_at_5"), title("top_3_accuracy")
    ('weighted F1', 'ROUGE-L', 'recall@5', 'top-3 accuracy')
    """
    name = NAMES.get(name, name)
    return _TOP.sub(r"top-\1 ", _AT.sub(r"\1@\2", name)).replace("_", " ").replace(" f1", " F1")


def number(value: float | None) -> str:
    """Return three decimals, a dash for nothing."""
    return "–" if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Return three decimals with a sign, a dash for nothing.

    >>> signed(0.25), signed(-0.1), signed(None)
    ('+0.250', '−0.100', '–')
    """
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def chance(p: float | None) -> str:
    """Return a p-value, never as 0.

    >>> chance(0.0312), chance(1e-9)
    ('0.031', '<0.001')
    """
    return "<0.001" if p is not None and p < 0.001 else number(p)


def place(value: float, low: float = 0.0, high: float = 1.0) -> str:
    """Return a value's position on a drawn axis, in percent; the ends keep clear of the edge.

    >>> place(0.0), place(0.5), place(1.0)
    ('2.00%', '50.00%', '98.00%')
    """
    return f"{2 + 96 * (value - low) / (high - low):.2f}%"


def clip(value: Any, limit: int = TEXT) -> str:
    r"""Return text for display: shortened, control characters made visible, what is no text as JSON.

    >>> clip("a\x00b"), clip(None), clip("abcdef", 3)
    ('a␀b', 'null', 'abc … (3 more characters)')
    """
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    more = f" … ({len(text) - limit:,} more characters)" if len(text) > limit else ""
    return visible(text[:limit]) + more


def cell(value: Any) -> str:
    """Return text that stays one cell of a Markdown table.

    >>> cell("a|b <i>")
    'a\\\\|b &lt;i&gt;'
    """
    text = " ".join(clip(value).split())
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def floor_flag(score: Score) -> str:
    """Return how a score compares with its floor, "" if its whole interval lies above."""
    if score.value < score.floor:
        return "below its floor"
    return "not shown above its floor" if score.low is None or score.low <= score.floor else ""


def interval(found: Score | Pair | Gain, form: Any = number) -> str:
    """Return an interval's ends, or why there is none.

    >>> interval(Score(0.15, 0.1, 0.2, 0.0, "")), interval(Score(0.15, None, None, 0.0, "", "needs 10 groups, found 4"))
    ('0.100 to 0.200', 'none: needs 10 groups, found 4')
    """
    return f"none: {found.reason}" if found.low is None else f"{form(found.low)} to {form(found.high)}"


def notes(comparison: Comparison) -> list[str]:
    """Return notes on how to read a comparison: what the verdict depends on, which slices and metrics are left out."""
    kinds = " and ".join(f"“{label(kind)}”" for kind in comparison.slices_left_out)
    slices = [f"Left out, since the runs' training splits differ: the slices {kinds}."] if kinds else []
    unlike = [_unlike(task, ways) for task, ways in comparison.candidates_left_out.items()]
    return [HOLM, *slices, *unlike]


def _unlike(task: str, ways: str) -> str:
    return (
        f"Left out of {task}, since the runs rank its candidates in different ways ({ways}): top-K accuracy; to compare it, "
        "predict with the same backend, and server, for all."
    )


# Inside a script element only these could end it, open a comment, or (the last two) break a line of old JavaScript.
_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def embedded(value: Any) -> Markup:
    r"""Return JSON that is safe inside a script element.

    >>> str(embedded(["</script>"]))
    '["\\u003c/script\\u003e"]'
    """
    return Markup(msgspec.json.encode(value).decode().translate(_ESCAPES))


FILTERS = (title, label, number, signed, chance, place, clip, cell, floor_flag)


def templates(script: str = "browse.js") -> Any:
    """Return the environment of all pages here, HTML and Markdown; ``script`` is the only one of a page, "" for none."""
    found = environment(__package__, *FILTERS, script=script)
    found.globals |= {"share": share, "COUNTS": COUNTS, "embedded": embedded}
    return found


def write(folder: Path, name: str, context: Mapping[str, Any]) -> None:
    """Write ``<name>.html`` and ``<name>.md``."""
    found = templates()
    for kind in ("html", "md"):
        with jsonl.replacing(folder / f"{name}.{kind}") as file:
            file.write(found.get_template(f"{name}.{kind}.j2").render(context).encode())

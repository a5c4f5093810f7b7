"""The stages of ``make demo`` and ``make demo-real``; one is redone only when its inputs, its code or its result changed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import converters
import eval as evaluation
from converters import tasks
from converters.core.errors import InputError
from converters.io.jsonl import sha256, write_json
from eval import baselines
from eval.inference import predict
from recipes import plugins
from recipes.runner import bases
from recipes.runner.demo import raw_files, tiny_model
from recipes.runner.records import layout
from recipes.runner.training import merge, process
from recipes.runner.training import train as trainer

STAMPS = Path("runs/.demo")
RAW = "data/raw/demo"
# Otherwise as make eval scores a run, so that a run of one's own can be compared with the demo's.
GENERATE = ("--batch-size", "64")
SCORING = (evaluation, converters)

Strings = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Demo:
    """What tells two demos apart: the names of mixture, runs and report begin with ``name``.

    ``make_base`` is the command that writes the base model's folder ``base``, after it has read the files ``base_inputs``. With
    ``baselines``, what needs no model is scored, too, and all is compared with the tuned run.
    """

    name: str
    recipe: str
    base: str
    make_base: tuple[str, ...]
    base_inputs: tuple[str, ...]
    base_code: ModuleType
    baselines: bool = False
    threads: int | None = None
    longest: tuple[str, ...] = ()  # an untuned model talks on, and no answer is as long as it may be by default
    new: str = ""  # products to label at the end, whose labels the generator knows

    @property
    def data(self) -> str:
        """The folder of the mixture."""
        return f"data/{self.name}"

    @property
    def report(self) -> str:
        """The folder of the comparison."""
        return f"reports/{self.name}"

    def run(self, name: str) -> str:
        """Return the folder of one of its runs: base, qlora, or a baseline."""
        return f"runs/{self.name}-{name}"


TINY = Demo(
    "demo",
    "demo-qlora",
    "runs/demo-base/merged",
    ("ecom-train", "tiny-base", "--data", "data/demo"),
    ("data/demo/train.jsonl",),
    tiny_model,
    # The model is so small that a second thread costs more than it gives, many times more on a busy machine.
    threads=1,
    new="shop_new",
)
REAL = Demo(
    "demo-real",
    "smollm2-qlora",
    "runs/smollm2-base/merged",
    ("ecom-train", "base", "smollm2"),
    (),
    bases,
    baselines=True,
    longest=("--max-new-tokens", "64"),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One command, the files it reads, the modules that shape its output, and what it leaves.

    A module stands for the room that it lies in: every file of that folder and the folders below. ``run`` is the run that the
    command starts, if it starts one; ``threads`` are those of PyTorch, unless the user sets OMP_NUM_THREADS.
    """

    name: str
    command: tuple[str, ...]
    inputs: tuple[str, ...]
    code: tuple[ModuleType, ...]
    outputs: tuple[str, ...]
    run: str | None = None
    threads: int | None = None


def stages(demo: Demo, seed: int) -> tuple[Stage, ...]:
    """Return a demo's stages in order; ``seed`` drives the products, the mixture, a random base model and the training."""
    parts = (*_training(demo, str(seed)), *_evaluation(demo), *(_at_work(demo) if demo.new else ()))
    return tuple(replace(stage, threads=demo.threads) for stage in parts)


def _training(demo: Demo, seed: str) -> Iterator[Stage]:
    spec, tuned, data = f"recipes/mixes/{demo.name}.yaml", demo.run("qlora"), demo.data
    yield Stage("raw files", ("ecom-train", "demo-raw", "--out", RAW, "--seed", seed), (), (raw_files,), (RAW,))
    yield Stage(
        "mix",
        ("ecom-data", "build", spec, "--out", data, "--seed", seed),
        (RAW, spec),
        (converters,),
        (f"{data}/manifest.json", f"{data}/test.jsonl"),
    )
    seeded = ("--seed", seed) if demo.base_inputs else ()
    made = (*demo.make_base, "--out", demo.base, *seeded)
    yield Stage("base model", made, demo.base_inputs, (demo.base_code,), (f"{demo.base}/config.json",))
    keys = ("--mix", data, "--set", f"seed={seed}")
    yield Stage(
        "train",
        ("ecom-train", "train", demo.recipe, "--run", Path(tuned).name, *keys),
        (f"recipes/{demo.recipe}.yaml", f"{data}/train.jsonl", demo.base),
        (trainer, plugins),
        (f"{tuned}/run.json", f"{tuned}/adapter"),
        run=tuned,
    )
    yield Stage(
        "merge",
        ("ecom-train", "merge", Path(tuned).name),
        (f"{tuned}/adapter", demo.base),
        (merge,),
        (f"{tuned}/merged/config.json",),
    )


def _evaluation(demo: Demo) -> Iterator[Stage]:
    base, tuned = demo.run("base"), demo.run("qlora")
    test, train = f"{demo.data}/test.jsonl", f"{demo.data}/train.jsonl"
    for run, checkpoint in ((base, demo.base), (tuned, f"{tuned}/merged")):
        where = ("--checkpoint", checkpoint, "--data", test, "--out", f"{run}/eval")
        words: Strings = ("predict", *where, *GENERATE, *demo.longest)
        yield _stage(f"predict {Path(run).name}", words, (checkpoint, test), (predict, tasks), (_predictions(run),))
    for run in (base, tuned):
        made, out = _predictions(run), f"{run}/eval"
        score = ("score", "--data", test, "--predictions", made, "--out", out, "--train", train)
        yield _stage(f"score {Path(run).name}", score, (test, train, made), SCORING, (f"{out}/scores.json",))
    others = tuple(demo.run(name) for name in baselines.names()) if demo.baselines else ()
    if others:
        fit = ("baseline", "all", "--train", train, "--data", test, "--out", f"{demo.run('NAME')}/eval", "--score")
        yield _stage("baselines", fit, (train, test), SCORING, tuple(f"{run}/eval/scores.json" for run in others))
    runs = (tuned, base, *others) if others else (base, tuned)
    reports = tuple(f"{demo.report}/compare.{kind}" for kind in ("json", "md", "html"))
    read = tuple(f"{run}/eval" for run in runs)
    yield _stage("compare", ("compare", *runs, "--out", demo.report), read, SCORING, reports)


def _at_work(demo: Demo) -> Iterator[Stage]:
    """Yield what calibrates the tuned run's confidences and labels new products with it, and holds those against the truth."""
    tuned, train = demo.run("qlora"), f"{demo.data}/train.jsonl"
    checkpoint, out = f"{tuned}/merged", f"{tuned}/confidence"
    limits = ("--constrain", "--paths", train)  # as apply asks
    made = []
    for split in ("validation", "test"):
        rows, folder = f"{demo.data}/{split}.jsonl", f"{out}/{split}"
        words = (
            "predict",
            "--checkpoint",
            checkpoint,
            "--data",
            rows,
            "--out",
            folder,
            "--confidence",
            *limits,
            *GENERATE,
        )
        made += [rows, f"{folder}/predictions.jsonl"]
        inputs = (checkpoint, rows, train)
        yield _stage(f"predict {split}", words, inputs, (predict, tasks), (f"{folder}/predictions.jsonl",))
    options = ("--data", "--predictions", "--test-data", "--test-predictions")
    named = tuple(word for pair in zip(options, made, strict=True) for word in pair)
    fitted = f"{out}/calibration.json"
    yield _stage("calibrate", ("calibrate", *named, "--out", out), tuple(made), SCORING, (fitted,))
    catalog, labelled = f"{RAW}/{demo.new}.csv", f"{tuned}/labelled/{demo.new}.jsonl"
    apply = ("apply", "--run", Path(tuned).name, "--catalog", catalog, "--out", labelled, *GENERATE)
    yield _stage("label new products", apply, (checkpoint, fitted, catalog, train), SCORING, (labelled,))
    truth, told = f"{RAW}/{demo.new}_truth.jsonl", f"{tuned}/labelled/truth.json"
    hold = (
        "ecom-train",
        "demo-truth",
        "--labelled",
        labelled,
        "--truth",
        truth,
        "--calibration",
        fitted,
        "--out",
        told,
    )
    yield Stage("hold against truth", hold, (labelled, truth, fitted), (raw_files,), (told,))


def _stage(name: str, words: Strings, inputs: Strings, code: tuple[ModuleType, ...], outputs: Strings) -> Stage:
    return Stage(name, ("ecom-eval", *words), inputs, code, outputs)


def _predictions(run: str) -> str:
    return f"{run}/eval/predictions.jsonl"


def fingerprint(stage: Stage) -> str:
    """Return a hash of all that the stage's result depends on."""
    inputs = [(str(path), sha256(path)) for name in stage.inputs for path in _files(Path(name))]
    rooms = [(module.__name__, Path(str(module.__file__)).parent) for module in stage.code]
    code = [(name, str(path.relative_to(room)), sha256(path)) for name, room in rooms for path in _files(room)]
    return hashlib.sha256(json.dumps([stage.command, inputs, code]).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and file.parent.name != "__pycache__")


def fresh(stage: Stage) -> bool:
    """Tell whether the stage's result is there and nothing that it depends on has changed."""
    path = stamp(stage)
    present = path.is_file() and all(Path(name).exists() for name in (*stage.inputs, *stage.outputs))
    return present and json.loads(path.read_bytes()) == fingerprint(stage)


def stamp(stage: Stage) -> Path:
    """Return the file that holds the fingerprint of a stage that was done: one for each result, whichever demo made it."""
    return STAMPS / f"{stage.outputs[0].replace('/', '-')}.json"


def run(stage: Stage) -> None:
    """Run a stage's command in front of the user; an earlier run of the name is moved aside. A failure stops the demo."""
    if stage.run:
        step_aside(Path(stage.run))
    if process.ours(stage.command, {"OMP_NUM_THREADS": str(stage.threads)} if stage.threads else {}):
        raise InputError(
            f"the demo stopped at '{stage.name}' (the reason is above); the same command continues from there"
        )
    write_json(stamp(stage), fingerprint(stage))


def step_aside(run_folder: Path) -> None:
    """Rename an earlier run, so that it is neither overwritten nor lost; one that trains now is an ``InputError``."""
    if run_folder.exists():
        number = 1
        while (aside := run_folder.with_name(f"{run_folder.name}.{number}")).exists():
            number += 1
        with layout.alone(run_folder):
            run_folder.rename(aside)

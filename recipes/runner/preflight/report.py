"""What a check prints: tokens and rows by task, memory, warnings."""

from collections.abc import Iterator, Mapping

from recipes.runner.capacity import hardware, model_shape
from recipes.runner.capacity import memory as estimate
from recipes.runner.capacity.hardware import Card, several
from recipes.runner.capacity.memory import GIB, Plan
from recipes.runner.capacity.model_shape import Shape
from recipes.runner.preflight import pitfalls, rules
from recipes.runner.preflight.check import Checked, step_tokens
from recipes.runner.preflight.deepspeed import stage
from recipes.runner.preflight.machine import gpu_needs
from recipes.runner.recipe import RENAMED, Recipe, find, load, names, where
from recipes.runner.recipe import machine as machine_of

TRACKER = "the recipe, the losses and whatever else this tracker takes leave this machine"
# fmt: off
TRACKERS = (
    "use_wandb", "wandb_project", "use_mlflow", "mlflow_tracking_uri", "use_comet", "comet_project_name", "use_trackio",
)
# fmt: on
RISKS = dict.fromkeys(TRACKERS, TRACKER)
RISKS["trust_remote_code"] = "code from the base model's repository runs on this machine"
HEAD = ("task", "rows", "tokens", "a row", "learnt", "too long")


def machine(recipe: Recipe) -> str:
    """Return this machine's GPUs and what the recipe asks for."""
    needs = ", ".join(gpu_needs(recipe)) or "nothing that a CPU has not"
    return f"machine  {', '.join(hardware.gpus()) or 'no GPU'}; the recipe needs {needs}"


def memory(shape: Shape, plan: Plan, card: Card) -> Iterator[str]:
    """Yield whether a recipe fits a card, and what takes how much of it."""
    parts = estimate.memory(shape, plan)
    yield f"memory   estimated: {estimate.verdict(parts, card)}"
    if plan.offloaded:
        main = estimate.main_memory(shape, plan) / estimate.GIB
        yield f"offload  estimated: {main:.0f} GiB of main memory or more, of all nodes together, for {', '.join(plan.offloaded)}"
    yield "         " + ", ".join(f"{part} {size / GIB:.1f}" for part, size in parts.items()) + " GiB"


def batch(recipe: Recipe, gpus: int) -> str:
    """Return the tokens of an optimiser step, and those that the recipe was written for if they differ."""
    tokens, intended = step_tokens(recipe, gpus)
    micro, several = (recipe.keys.get(key) or 1 for key in ("micro_batch_size", "gradient_accumulation_steps"))
    length = f"{recipe.keys['sequence_len']:,}"
    line = f"batch    {tokens:,} tokens a step: {micro} x {several} x {length} on {gpus} GPU{'s' * (gpus > 1)}"
    if intended not in (None, tokens):
        line += f"; {recipe.path} is written for {intended:,}, and its learning rate with it"
    return line


def rows(checked: Checked) -> Iterator[str]:
    """Yield the ledger of the training rows as a table, and how they are packed."""
    table = [HEAD]
    for task, count in checked.ledger.items():
        mean = f"{count.tokens / count.rows:.0f}"
        table.append((task, f"{count.rows:,}", f"{count.tokens:,}", mean, f"{count.learnt:,}", f"{count.longer:,}"))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *others in table:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "         " + "  ".join([first.ljust(widths[0]), *cells])
    if packed := checked.packed:
        yield (
            f"packing  {packed.share:.3f} of the tokens of a batch are no padding; "
            f"{packed.steps_per_epoch:,} steps an epoch, {packed.steps:,} in all"
        )


def time(checked: Checked, shape: Shape, plan: Plan, card: Card, price: float | None) -> str:
    """Return how long training takes on a card, and what it costs at ``price`` an hour and GPU; all of it estimated."""
    speed = estimate.speed(shape, plan, card)
    hours = checked.packed.steps * plan.step_tokens / speed / 3600 if checked.packed else 0.0
    cost = f", {hours * plan.gpus * price:,.2f} at {price:g} an hour and GPU" if price else ""
    return f"time     estimated: {hours:.1f} h at {speed:,.0f} tokens/s on {plan.gpus} x {card.name}{cost}"


def recipes() -> Iterator[str]:
    """Yield the recipes for GPUs as a Markdown table: all of it estimated, the hours for thirty million tokens."""
    yield "| recipe | base model | machine | memory | tokens/s | 30M tokens |"
    yield "|---|---|---|---|---|---|"
    for path in map(find, names()):
        if name := machine_of(path):
            gpus, card = several(name)
            loaded = load(path)
            shape, plan = model_shape.find(loaded.keys["base_model"]), estimate.plan(loaded.keys, stage(loaded), gpus)
            if shape:
                memory, speed = sum(estimate.memory(shape, plan).values()) / GIB, estimate.speed(shape, plan, card)
                yield (
                    f"| `{path.stem}` | {loaded.keys['base_model']} | {gpus} x {name.partition('x')[2][:-2]} GB | "
                    f"{memory:.1f} GiB{' each' * (gpus > 1)} | {speed:,.0f} | {30e6 / speed / 3600:.1f} h |"
                )


def passed(recipe: Recipe, checked: Checked) -> Iterator[str]:
    """Yield what was checked and how many rows each proof saw."""
    yield f"recipe   {recipe.path}: {len(recipe.keys)} keys, all known to Axolotl"
    yield f"data     {', '.join(map(str, checked.files))}: as their manifest says; rows: {counts(checked.rows)}"
    yield from rows(checked)
    if checked.packed and (evaluations := pitfalls.evaluations(recipe, checked.packed.steps)):
        yield f"losses   {evaluations}"
    yield f"prompts  the same in training and evaluation, all of the answer learnt; proven on: {counts(checked.proven)}"


def warnings(recipe: Recipe, checked: Checked) -> Iterator[str]:
    """Yield what is allowed but hardly intended: rows that will be dropped, keys that hardly pay, a long warm-up."""
    for place, old in recipe.renamed.items():
        yield f"warning  {where(recipe, place)}: {old} is now {RENAMED[old]}; the old name answers until the next release"
    if checked.too_long:
        longer = counts(checked.too_long)
        yield f"warning  longer than sequence_len {checked.sequence_len}, so Axolotl will drop them: {longer}"
    yield from (f"warning  {key}: {risk}" for key, risk in (RISKS | rules.HINTS).items() if recipe.keys.get(key))
    steps, warm = checked.packed.steps if checked.packed else 0, recipe.keys.get("warmup_steps") or 0
    if 0 < steps <= warm:
        yield f"warning  warmup_steps {warm} of {steps} steps: the learning rate never gets to what it is set to"
    if 0 < steps < (every := int(float(recipe.keys.get("save_steps") or 0))):  # a share of the steps is 0
        yield f"warning  save_steps {every} of {steps} steps: an interrupted run will have no checkpoint to go on from"


def counts(by_task: Mapping[str, int]) -> str:
    """Return counts by task as the end of a sentence."""
    return ", ".join(f"{task} {count:,}" for task, count in by_task.items())

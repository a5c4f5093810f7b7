"""QLoRA training of SmolLM2-135M on this CPU with and without the plugin: ``python -m tests.bench.cpu``.

Both sides train the same rows of the generated shop by the recipe ``smollm2-qlora`` and Axolotl's own trainer, each in a process
of its own. They take turns, step by step, so that whatever else the machine does weighs on both alike.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

STEPS, WARM_UP, GOAL = 10, 1, 1.8
ROWS = 400
SIDES = ("usual", "plugin")


def inputs(folder: Path) -> None:
    """Write the base, and the rows of the generated shop, under ``folder``."""
    for words in (
        ("ecom-train", "base", "smollm2", "--out", "base"),
        ("ecom-train", "demo-raw", "--out", "data/raw/demo"),
        ("ecom-data", "build", str(Path("recipes/mixes/demo.yaml").resolve()), "--out", "data/demo"),
    ):
        program = Path(sys.executable).with_name(words[0])
        subprocess.run([program, *words[1:]], cwd=folder, check=True, capture_output=True)
    path = folder / "data" / "demo" / "train.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:ROWS]), "utf-8")  # reading all of them takes longer than the steps


def trainer(folder: Path, side: str) -> Any:
    """Return Axolotl's trainer of the recipe for the rows under ``folder``."""
    from axolotl.common.datasets import load_datasets
    from axolotl.train import setup_model_and_trainer
    from transformers import set_seed

    from recipes.plugins import cpu
    from recipes.runner import recipe
    from recipes.runner.preflight import lint, prompt_parity

    loaded = recipe.load(recipe.find("smollm2-qlora"), mix=str(folder / "data" / "demo"))
    loaded.keys.update(base_model=str(folder / "base"), max_steps=STEPS, output_dir=str(folder / side))
    loaded.keys.update(dataset_prepared_path=str(folder / side / "prepared"))
    del loaded.keys["plugins"]
    config = lint.validated(loaded)
    prompt_parity.load_tokenizer(config)
    set_seed(0)  # of the adapter's first weights, as our run's plugin does it
    made = setup_model_and_trainer(config, load_datasets(cfg=config))[0]
    if side == "plugin":
        cpu.CPU().post_trainer_create(config, made)  # as Axolotl does it when training begins
    return made


def steps(made: Any) -> Iterator[dict[str, float]]:
    """Yield seconds, processor seconds, loss and non-padding tokens of each step, taken when it is asked for."""
    import torch

    weights = [weight for weight in made.model.parameters() if weight.requires_grad]
    descent = torch.optim.AdamW(weights, made.args.learning_rate)
    made.current_gradient_accumulation_steps = 1
    for batch in islice(made.get_train_dataloader(), STEPS):
        tokens = int(batch["attention_mask"].sum())
        start, used = time.perf_counter(), time.process_time()
        loss = float(made.training_step(made.model, batch))
        descent.step()
        descent.zero_grad()
        taken = {"seconds": time.perf_counter() - start, "processor": time.process_time() - used}
        yield taken | {"loss": loss, "tokens": tokens}


def serve(folder: Path, side: str) -> None:
    """Take a step for every line of standard input; answer with its figures, and the peak of memory in MiB."""
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Axolotl writes to standard output
    taking = steps(trainer(folder, side))
    said.write("ready\n")
    said.flush()
    for _ in sys.stdin:
        found = next(taking) | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        said.write(json.dumps(found) + "\n")
        said.flush()


def compare() -> None:
    """Print the ratio of non-padding tokens a second, what each side does and needs, and how far the losses are apart."""
    with tempfile.TemporaryDirectory() as name:
        inputs(Path(name))
        command = [sys.executable, "-m", "tests.bench.cpu", name]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        running: dict[str, Any] = {side: subprocess.Popen([*command, side], text=True, **pipes) for side in SIDES}
        for process in running.values():
            assert process.stdout.readline() == "ready\n"
        figures: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(STEPS):
            for side, process in running.items():
                process.stdin.write("\n")
                process.stdin.flush()
                figures[side].append(json.loads(process.stdout.readline()))
        for process in running.values():
            process.stdin.close()
            process.wait()
    report(figures)


def report(figures: dict[str, list[dict[str, float]]]) -> None:
    """Print the figures; the first step of each side is left out of the times."""
    total = {
        side: {key: sum(step[key] for step in found[WARM_UP:]) for key in ("tokens", "seconds", "processor")}
        for side, found in figures.items()
    }
    speed = {side: found["tokens"] / found["seconds"] for side, found in total.items()}
    apart = max(abs(one["loss"] - other["loss"]) for one, other in zip(*figures.values(), strict=True))
    losses = {side: " ".join(f"{step['loss']:.4f}" for step in found) for side, found in figures.items()}
    print(
        f"QLoRA of SmolLM2-135M on this CPU, against the recipe without its plugin: {speed['plugin'] / speed['usual']:.1f}x "
        f"(goal {GOAL}x), losses of {STEPS} steps at most {apart:.1g} apart"
    )
    for side, found in total.items():
        print(
            f"  {side}: {speed[side]:.0f} non-padding tokens/s, {found['tokens'] / found['processor']:.0f} a processor "
            f"second, {figures[side][-1]['memory']:.0f} MiB; losses {losses[side]}"
        )


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else compare()

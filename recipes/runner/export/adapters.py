"""The command that serves the adapters of several runs on their one base with vLLM; each answers by its run's name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import decode
from eval.inference.checkpoint import dtype
from recipes.runner.bases import of_adapters
from recipes.runner.export import serve
from recipes.runner.records import provenance
from recipes.runner.records.layout import ADAPTER, recipe_of

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM's --max-lora-rank takes
# What vLLM 0.32 does not serve (its lora/peft_helper.py and lora/utils.py): it would say so once the base is loaded.
CANNOT = {
    "modules_to_save": "layers trained whole",
    "trainable_token_indices": "embeddings of single tokens trained",
    "use_dora": "DoRA",
    "lora_bias": "biases trained",
    "layer_replication": "layers replicated",
    "alora_invocation_tokens": "activated LoRA",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
}


def command(runs: Sequence[Path], host: str, port: int, echo: Callable[[bytes], None]) -> list[str]:
    """Return ``vllm serve`` with its arguments, and make the base that it names if it is not there.

    The base answers by its own name. Runs that cannot be served together, or at all as adapters, are an ``InputError``.
    """
    configs = {run: _checked(run) for run in _named_once(runs)}
    name = str(provenance.read(runs[0])["base_model"]["name"])
    if any(run.name == name for run in runs):
        raise InputError(f"{name}: is the name of the base model, too: a request could mean either; rename the run")
    _check_one_base(runs)
    longest = max(int(recipe_of(run)["sequence_len"]) for run in runs)
    base = of_adapters.made(runs[0], echo)
    words = serve.words(base, name, longest, dtype(base), host, port)
    highest = max(rank(config) for config in configs.values())
    words += ["--enable-lora", "--max-loras", str(len(runs)), "--max-lora-rank", str(_allowed(highest))]
    return [*words, "--lora-modules", *(f"{run.name}={run / ADAPTER}" for run in runs)]


def _named_once(runs: Sequence[Path]) -> Sequence[Path]:
    for run in runs:
        if runs.count(run) > 1:
            raise InputError(f"{run.name}: is named {runs.count(run)} times; name each run once")
    return runs


def _checked(run: Path) -> Mapping[str, Any]:
    """Return the configuration of a run's adapter; one that vLLM cannot serve, or that has changed, is an ``InputError``."""
    record, adapter = provenance.read(run), run / ADAPTER
    for file in (CONFIG, WEIGHTS):
        if not (adapter / file).is_file():
            raise InputError(f"{adapter}: has no {file}; only a run that trained an adapter has one to serve")
    if record["status"] not in ("trained", "merged"):
        raise InputError(f"{run}: found status {record['status']!r}, expected a run whose training ended well")
    for fault in provenance.changed_since_training(run, record):
        raise InputError(f"{fault} since {run} was trained: what is served would be a model that nobody trained")
    config = decode((adapter / CONFIG).read_bytes(), dict[str, Any], str(adapter / CONFIG))
    if found := "; ".join(_unserved(config)):
        raise InputError(
            f"{adapter}: vLLM cannot serve it as an adapter: {found}. Serve the merged run alone: make serve RUN={run.name}"
        )
    return config


def _unserved(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield for everything about an adapter that vLLM cannot serve what it is and the key that says it."""
    if (kind := config.get("peft_type")) != "LORA":
        yield f"no LoRA (peft_type: {kind})"
        return
    for key, said in CANNOT.items():
        if value := config.get(key):
            yield f"{said} ({key}: {', '.join(map(str, value)) if isinstance(value, list) else value})"
    if (bias := config.get("bias", "none")) != "none":
        yield f"biases trained (bias: {bias})"
    if isinstance(start := config.get("init_lora_weights"), str) and start != "gaussian":
        yield f"a start that changes the base (init_lora_weights: {start})"
    if rank(config) > RANKS[-1]:
        yield f"rank {rank(config)}, above {RANKS[-1]}"


def rank(config: Mapping[str, Any]) -> int:
    """Return the highest rank of an adapter's layers.

    >>> rank({"r": 8, "rank_pattern": {"q_proj": 20}}), rank({"r": 8})
    (20, 8)
    """
    patterns: Mapping[str, int] = config.get("rank_pattern") or {}
    return max([int(config["r"]), *patterns.values()])


def _allowed(highest: int) -> int:
    return next(allowed for allowed in RANKS if allowed >= highest)


def _check_one_base(runs: Sequence[Path]) -> None:
    first = of_adapters.identity(runs[0])
    for run in runs[1:]:
        for what, value in of_adapters.identity(run).items():
            if value != first[what]:
                raise InputError(
                    f"{run} and {runs[0]} are not adapters of one base: {what} {value[:60]!r}, not {first[what][:60]!r}; "
                    "serve them on two ports"
                )

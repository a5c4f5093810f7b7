"""Rules about single keys of Axolotl 0.19 and 0.21 that its own schema lets pass: one table of key, test and sentence."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from importlib import metadata
from typing import Any, NamedTuple

from converters.core.errors import nearest
from recipes.plugins import completion_only
from recipes.runner.preflight.kept import schema
from recipes.runner.preflight.machine import gpu_needs
from recipes.runner.recipe import ON_CPU, Place, Recipe, where

KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
LOSSES = ("liger_fused_linear_cross_entropy", "cut_cross_entropy", "chunked_cross_entropy", "liger_cross_entropy")
LEGACY_ATTENTION = ("flash_attention", "sdp_attention", "xformers_attention", "flex_attention", "eager_attention")


class Rule(NamedTuple):
    """A key, a test that is true where its value (``None`` if unset) breaks the rule, and the sentence that says so."""

    key: str
    broken: Callable[[Any, Recipe], bool]
    sentence: str  # formatted with key and value


def _is_set(value: Any, _: Recipe | None = None) -> bool:
    return value not in (None, False)


def _refused(reason: str, *keys: str) -> Iterator[Rule]:
    yield from (Rule(key, _is_set, f"{{key}} is not allowed: {reason}") for key in keys)


def _numbers(words: str, allowed: Callable[[float], bool], **reasons: str) -> Iterator[Rule]:
    def broken(value: Any, _: Recipe) -> bool:
        try:  # YAML leaves 2e-3 a text, which Axolotl reads as a number; what is no number is for its schema
            return isinstance(value, int | float | str) and not allowed(float(value))
        except ValueError:
            return False

    yield from (Rule(key, broken, f"found {{key}} {{value}}, expected {words}: {why}") for key, why in reasons.items())


def _excluded(first: str, *others: str) -> Iterator[Rule]:
    def broken(value: Any, recipe: Recipe) -> bool:
        return _is_set(value) and recipe.keys.get(first) not in (None, False, 0)

    yield from (Rule(key, broken, f"'{{key}}' beside {first!r}: set only one of them") for key in others)


def _second_loss(value: Any, recipe: Recipe, before: Collection[str]) -> bool:
    return _is_set(value) and any(_is_set(recipe.keys.get(key)) for key in before)


def _on_cpu(value: Any, recipe: Recipe) -> bool:
    return _is_set(value) and not gpu_needs(recipe)


def _repacks(recipe: Recipe) -> bool:
    return bool(recipe.keys.get("load_in_4bit")) and ON_CPU not in (recipe.keys.get("plugins") or ())


def _old_trackio(value: Any, _: Recipe) -> bool:
    """The release that Axolotl 0.19 pins is older than the argument ``bucket_id`` that transformers' callback hands it."""
    return _is_set(value) and [int(part) for part in metadata.version("trackio").split(".")[:2]] < [0, 21]


def _kernels_unset(_: Any, recipe: Recipe) -> bool:
    unset = all(recipe.keys.get(key) is None for key in KERNELS)
    return unset and bool(recipe.keys.get("adapter")) and not gpu_needs(recipe)


BATCH = "it counts the rows, or batches, of a step"
BETA = "it is the share of the mean that a step keeps"
ELSEWHERE = "the run's record and its merge would not know of it; name a folder of that {} as base_model (hf download)"

# fmt: off
# keys that only a newer Axolotl than 0.19 knows, and that nobody has proven here
NEWER = (
    Rule("nf4_backend", lambda value, _: value not in (None, "bitsandbytes"),
        "found {key} {value!r}, expected bitsandbytes: the merge gate loads the quantised base by it"),
    *_refused("learning from a token would hang on how likely it is already: the loss is another than that of other runs",
        "use_dft"),
    *_refused("rows would be packed and ordered by their answers, and the steps would not be those that were counted",
        "balance_labels", "label_balance_window_optim_steps"),
    *_refused("a row would be divided among GPUs, and the steps would not be those that were counted", "context_parallel"),
    *_refused("Axolotl's merge, and its gate, know an adapter without experts alone",
        "mixlora_num_experts", "mixlora_top_k", "mixlora_router_aux_loss_coef", "mixlora_router_init_range",
        "mixlora_jitter_noise", "mixlora_expert_lora_r", "mixlora_expert_lora_alpha", "mixlora_expert_lora_dropout"),
    *_refused("the gate cannot load a base in that format", "nvfp4_merge_aware"),
    *_refused("what is checked is training on answers that are written token by token", "diffusion_lm"),
    *_refused("what is checked is training on the answers of the rows", "dpo_ld_alpha"),
    *_refused("training ignores it; 'make export' quantises a merged run and scores it", "export"),
)
RULES = (
    # values that train nothing, or away from the answers
    *_numbers("more than 0", lambda value: value > 0,
        num_epochs="it would train nothing",
        lora_alpha="what the adapter adds is multiplied by it",
        save_steps="there would be no checkpoint to resume from",
        eval_steps="there would be no validation loss"),
    *_numbers("1 or more", lambda value: value >= 1,
        max_steps="Axolotl would ignore it; left out, num_epochs decides",
        micro_batch_size=BATCH, gradient_accumulation_steps=BATCH, eval_batch_size=BATCH,
        sequence_len="all rows would be longer",
        lora_r="an adapter of rank 0 learns nothing",
        save_total_limit="Axolotl would keep four",
        saves_per_epoch="Axolotl would save once an epoch"),
    *_numbers("0 or more", lambda value: value >= 0,
        warmup_steps="it is a number of steps",
        weight_decay="below 0 the weights would grow with every step",
        max_grad_norm="below 0 every gradient would be reversed",
        evals_per_epoch="it is a number of evaluations",
        seed="numpy takes no other"),
    *_numbers("0 or more and less than 1", lambda value: 0 <= value < 1,
        lora_dropout="it is the share of the adapter's input that is dropped",
        warmup_ratio="it is a share of all steps",
        adam_beta1=BETA, adam_beta2=BETA),
    *_numbers("more than 0 and at most 1", lambda value: 0 < value <= 1,
        learning_rate="at 0 nothing is learnt, below 0 the answers are unlearnt, above 1 all weights are spoilt"),
    # what Axolotl would fill in, or take, and nobody wants
    Rule("base_model", lambda value, _: not isinstance(value, str),
        "found base_model {value}, expected a folder or a model's name on the hub"),
    Rule("sequence_len", lambda value, _: not value and value != 0,
        "sequence_len is missing: Axolotl would take 512 and drop all longer rows"),
    Rule(KERNELS[0], _kernels_unset,
        "{key} is missing; set it to false: with none of the LoRA kernels set, all of them switch on and call CUDA"),
    Rule("adapter", lambda value, _: value not in (None, "lora", "qlora"),
        "found {key} {value!r}, expected lora or qlora: Axolotl's merge, or its gate, knows no other"),
    Rule("attn_implementation", lambda value, _: value == "varlen",
        "{key} {value} is not allowed: it is for models that write by diffusion"),
    Rule("peft_init_lora_weights", lambda value, _: value not in (None, True, False, "gaussian"),
        "found {key} {value!r}, expected true or gaussian: Axolotl's merge knows no other start"),
    Rule("excess_length_strategy", lambda value, _: str(value).lower() == "truncate",
        "{key} {value!r} is not allowed: it cuts answers off, and their end tokens with them"),
    # keys that conflict, or make each other redundant
    *_excluded("attn_implementation", *LEGACY_ATTENTION, "sage_attention"),
    *_excluded("lora_dropout", *KERNELS),
    *_excluded("lora_mlp_kernel", "liger_glu_activation"),
    *_excluded("adapter", "unfrozen_parameters"),  # the adapter freezes the base, and would not save what is trained in it
    *(Rule(key, partial(_second_loss, before=LOSSES[:n]), "{key} is a second cross-entropy option; set only one")
        for n, key in enumerate(LOSSES)),
    *(Rule(key, _on_cpu, "{key} is not allowed: it calls CUDA, and the recipe is for a CPU") for key in KERNELS),
    # bitsandbytes repacks 4-bit weights for inference on a CPU and keeps them so: its packed product has no gradient
    Rule("test_datasets", lambda value, recipe: _on_cpu(value, recipe) and _repacks(recipe),
        f"{{key}} is not allowed: evaluating spoils the gradients of 4-bit training on a CPU; with plugins: [{ON_CPU}] it is"),
    # set by the runner
    *_refused("a run's folder is set by --run", "output_dir"),
    *_refused("it follows from all that the rows are made from", "dataset_prepared_path"),
    # other rows than those that were counted and proven
    *_refused("Axolotl would train on it and ignore 'datasets', whose rows are checked", "pretraining_dataset"),
    *_refused("rows that stream are neither kept nor counted, and their order does not follow the seed", "streaming"),
    *_refused("rows longer than sequence_len would stay in, and the number of steps would not be the one counted",
        "skip_prepare_dataset"),
    *_refused("shorter rows would be dropped silently", "min_sample_len"),
    *_refused("longer rows of test_datasets would be dropped silently", "eval_sequence_len"),
    *_refused("all but one part of the rows would be left out", "dataset_shard_num"),
    *_refused("the last rows of every epoch would be left out", "dataloader_drop_last"),
    *_refused("rows would be dropped silently; 'ecom-data build' has counted and dropped duplicates",
        "dataset_exact_deduplication"),
    *_refused("rows would be rendered by the base's processor for images, and what is proven are those of its tokenizer",
        "processor_type"),
    *_refused("rows prepared elsewhere would replace those that are checked", "push_dataset_to_hub"),
    *_refused("name a mix's validation split in test_datasets: a random one puts one product on both sides",
        "val_set_size"),
    *_refused("what is checked is training on the answers of the rows", "rl", "reward_model", "process_reward_model"),
    # another model, tokenizer or start than the record names
    *_refused(ELSEWHERE.format("commit"), "revision_of_model", "model_revision"),
    *_refused(ELSEWHERE.format("configuration"), "base_model_config"),
    *_refused(ELSEWHERE.format("tokenizer"), "tokenizer_config"),
    *_refused("merge and evaluation would load the model without it; change config.json in a copy of the base",
        "overrides_of_model_config"),
    *_refused("'make resume' continues a run, with what it began with",
        "resume_from_checkpoint", "auto_resume_from_checkpoints"),
    *_refused("it merges as it trains and leaves no adapter to compare with the merged model", "relora"),
    *_refused("it would train on random weights, which are not saved and unknown to the merge", "reinit_weights"),
    *_refused("the merge gate could not compare adapter and base: the embeddings would differ in size",
        "resize_token_embeddings_to_32x", "shrink_embeddings"),
    *_refused("no training can resume from a checkpoint without optimiser and schedule", "save_only_model"),
    *NEWER,
    *(Rule(key, _old_trackio, "{key} is not allowed here: training would stop at its first step, for transformers hands trackio "
        "an argument (bucket_id) that it has from 0.21 on, and Axolotl 0.19 pins 0.19; leave it out and send the trained run: "
        "make track RUN=NAME TRACKER=trackio") for key in ("use_trackio", "trackio_project_name")),
    # what would upload the weights
    *_refused(
        "weights trained on your rows would leave this machine before they were scored; hf upload sends what you choose",
        "hub_model_id", "wandb_log_model", "hf_mlflow_log_artifacts"),
)

# of an entry of datasets and test_datasets
ENTRY = {
    **dict.fromkeys(("split", "shards", "shards_idx"),
        "the file is trained on whole; 'ecom-data build' makes a mix of a part of it"),
    **dict.fromkeys(("data_files", "name", "revision"), "'path' is the file that is checked"),
    "weight": "Axolotl would leave rows out by chance; 'ecom-data build' makes a mix of a part of them",
}
# keys for entries of another type, which one of conversations ignores
UNREAD = dict.fromkeys(
    ("conversation", "field", "field_human", "field_model", "field_tools", "input_format", "input_transform",
     "logprobs_field", "temperature"), "no conversation is read by it")
# fmt: on
# What does as it says and hardly pays, told as a warning. In PEFT's comparison (method_comparison/MetaMathQA, July 2026) DoRA of
# Llama-3.2-3B took 1,191 s, and LoRA of the same rank 942 s, with 2.2 GB less memory; accuracy .469 against .478.
HINTS = {
    "peft_use_dora": "it took 26 % more time than LoRA of the same rank in PEFT's own comparison and scored no better; leave it "
    "out, or train with and without it and compare",
}
UNPROVEN = frozenset(rule.key for rule in NEWER)
WHOLE_FILE = ("split", "train")  # Axolotl's name for all of a file


def told(place: Place) -> bool:
    """Tell whether a rule speaks of a key that only a newer Axolotl knows: to an older one it would be an unknown key as well."""
    if len(place) == 3 and place[0] in ("datasets", "test_datasets"):
        return place[-1] == "weight"
    return len(place) == 1 and place[0] in UNPROVEN


def faults(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every key whose value breaks a rule."""
    for rule in RULES:
        value = recipe.keys.get(rule.key)
        if rule.broken(value, recipe):
            yield f"{where(recipe, (rule.key,))}: {rule.sentence.format(key=rule.key, value=value)}"
    yield from misnamed(recipe)
    quantised = recipe.keys.get("bnb_config_kwargs")
    kind = quantised.get("bnb_4bit_quant_type", "nf4") if isinstance(quantised, Mapping) else "nf4"
    if kind != "nf4":
        at = where(recipe, ("bnb_config_kwargs", "bnb_4bit_quant_type"))
        yield f"{at}: found bnb_4bit_quant_type {kind!r}, expected nf4: Axolotl's merge supports no other"
    yield from _entries(recipe)


def misnamed(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every name that Axolotl takes as any text, and that the trainer refuses once all is loaded."""
    for key, known in schema.known().names.items():
        if isinstance(name := recipe.keys.get(key), str) and name not in known:
            yield f"{where(recipe, (key,))}: found {key} {name!r}{nearest(name, sorted(set(known)))}"


def _entries(recipe: Recipe) -> Iterator[str]:
    paths: set[str] = set()
    for group in ("datasets", "test_datasets"):
        entries = recipe.keys.get(group) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            yield f"{where(recipe, (group,))}: found {entries!r}, expected a list of entries with path and type"
            return
        for number, entry in enumerate(entries):
            path = os.path.realpath(name := str(entry.get("path")))  # however it is spelt
            if path in paths:
                yield f"{where(recipe, (group, number, 'path'))}: {name!r} is named twice; name every file once"
            paths.add(path)
            yield from _entry(recipe, (group, number), entry)


def _entry(recipe: Recipe, place: Place, entry: Mapping[str, Any]) -> Iterator[str]:
    whole = entry.get("type") == completion_only.__name__
    reasons = ENTRY | (UNREAD if whole or entry.get("type") == "chat_template" else {})
    for key, reason in reasons.items():
        if entry.get(key) is not None and (key, entry[key]) != WHOLE_FILE:
            yield f"{where(recipe, (*place, key))}: {key} {entry[key]!r} is not allowed: {reason}"
    for key in sorted(completion_only.UNSEARCHED.keys() & entry.keys()) if whole else ():
        yield f"{where(recipe, (*place, key))}: {key} is not allowed: type {entry['type']} decides what is learnt"


def incapable(recipe: Recipe, card: str, capability: str) -> Iterator[str]:
    """Yield a sentence for every number format that a card can only emulate, which Axolotl takes for having it."""
    for key in ("bf16", "tf32") if float(capability) < 8 else ():
        if recipe.keys.get(key):
            yield (
                f"{where(recipe, (key,))}: found {key}, and {card} of compute capability {capability}; "
                "expected 8.0 or higher for it (Ampere and newer)"
            )

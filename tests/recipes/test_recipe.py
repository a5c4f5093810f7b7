"""Reading and linting recipes: what Axolotl passes over in silence is an error with file, line and the nearest right key."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from recipes.runner import recipe
from recipes.runner.capacity import hardware, memory
from recipes.runner.cli import main
from recipes.runner.preflight import lint, report, rules


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


GOOD = """base_model: somewhere
datasets:
  - path: rows.jsonl
    type: chat_template
adapter: qlora
load_in_4bit: true
lora_r: 32
lora_alpha: 64
lora_dropout: 0
lora_target_linear: true
sequence_len: 128
micro_batch_size: 1
num_epochs: 1
learning_rate: 0.001
bf16: false
lora_mlp_kernel: false
"""


@pytest.mark.parametrize(
    ("text", "overrides", "sentence"),
    [
        (GOOD + "lora_rnak: 99\n", [], r"mine\.yaml:17: unknown key 'lora_rnak'; did you mean 'lora_r"),
        (
            GOOD.replace("    type:", "    tpye:"),
            [],
            r"mine\.yaml:4: unknown key 'tpye' in 'datasets'; did you mean 'type'",
        ),
        (GOOD, ["lerning_rate=1e-4"], r"--set: unknown key 'lerning_rate'; did you mean 'learning_rate'"),
        (GOOD, ["datasets=[{path: x, typ: y}]"], r"--set: unknown key 'typ' in 'datasets'"),
        (
            GOOD + "attn_implementation: sdpa\nflash_attention: true\n",
            [],
            r"mine\.yaml:18: 'flash_attention' beside 'attn",
        ),
        (
            GOOD.replace("dropout: 0", "dropout: 0.1"),
            ["lora_mlp_kernel=true"],
            "'lora_mlp_kernel' beside 'lora_dropout'",
        ),
        (
            GOOD + "cut_cross_entropy: true\nliger_cross_entropy: true\n",
            [],
            "unknown key|second cross-entropy option",
        ),
        (
            GOOD,
            ["datasets=[{path: x, type: chat_template, ds_type: json, field_chosen: y}]"],
            "unknown key 'field_chosen' in 'datasets'",
        ),
        (
            GOOD,
            ["datasets=[{path: x, type: chat_template, field_chosen: y}]"],
            "unknown key 'field_chosen' in 'datasets'",
        ),
        (
            GOOD,
            ["datasets=[{path: x, type: recipes.plugins.completion_only, field_human: y}]"],
            "--set: field_human 'y' is not allowed: no conversation is read by it",
        ),
        (
            GOOD + "bnb_config_kwargs: {bnb_4bit_quant_typ: nf4}\n",
            [],
            r"mine\.yaml:17: unknown key 'bnb_4bit_quant_typ' in 'bnb_config_kwargs'; did you mean 'bnb_4bit_quant_type'",
        ),
        (
            GOOD.replace("type: chat_template", "type: recipes.plugins.completion_only\n    train_on_eos: turn"),
            [],
            r"mine\.yaml:5: train_on_eos is not allowed: type recipes\.plugins\.completion_only",
        ),
        (
            GOOD.replace("datasets:", "test_datasets: 5\ndatasets:"),
            [],
            r"mine\.yaml:2: test_datasets is not allowed",
        ),
        (GOOD, ["datasets=rows.jsonl"], r"--set: found 'rows\.jsonl', expected a list of entries"),
        (GOOD + "val_set_size: 0.1\n", [], r"mine\.yaml:17: val_set_size is not allowed: name a mix's"),
        (GOOD + "dataset_prepared_path: here\n", [], r"mine\.yaml:17: dataset_prepared_path is not allowed"),
        (GOOD.replace("load_in_4bit: true", "load_in_4bit: false"), [], "mine.yaml.*load_in_4bit"),
        (GOOD, ["lora_mlp_kernel=true"], "--set: lora_mlp_kernel is not allowed: it calls CUDA"),
        (GOOD.replace("lora_mlp_kernel: false\n", ""), [], "lora_mlp_kernel is missing; set it to false"),
        (GOOD.replace("sequence_len: 128\n", ""), [], "sequence_len is missing: Axolotl would take 512"),
        (
            GOOD,
            ["excess_length_strategy=truncate"],
            "--set: excess_length_strategy 'truncate' is not allowed: it cuts answers off",
        ),
        (
            GOOD,
            ["bf16=true", "test_datasets=[{path: rows.jsonl, type: chat_template}]"],
            r"--set: 'rows\.jsonl' is named twice",
        ),
        (
            GOOD,
            [
                "bf16=true",
                "lora_mlp_kernel=true",
                "liger_glu_activation=true",
                "plugins=[axolotl.integrations.liger.LigerPlugin]",
            ],
            "--set: 'liger_glu_activation' beside 'lora_mlp_kernel'",
        ),
        (
            GOOD,
            ["unfrozen_parameters=[lm_head.weight]"],
            "--set: 'unfrozen_parameters' beside 'adapter': set only one of them",
        ),
        (GOOD, ["bf16=true", "deepspeed=nowhere.json"], "--set: found no file 'nowhere.json'"),
        (GOOD + "output_dir: out\n", [], r"mine\.yaml:17: output_dir is not allowed"),
        (GOOD.replace("sequence_len: 128", "sequence_len: many"), [], r"mine\.yaml:11: 'sequence_len'"),
    ],
)
def test_a_wrong_key_is_named(text: str, overrides: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        lint.lint(recipe.load(written(tmp_path, text), overrides))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("base_model=7", "--set: found base_model 7, expected a folder or a model's name on the hub"),
        ("base_model=null", "--set: found base_model None, expected a folder"),
        # 0.21 names the key by itself
        (
            "optimizer=7",
            r"a value of a type that Axolotl does not take: .*'int'|'optimizer': Input should be a valid string",
        ),
        ("fsdp_config=7", r"mine\.yaml: found a value of a type that Axolotl does not take: 'int' object"),
    ],
)
def test_a_value_of_another_type_is_a_sentence(override: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        lint.lint(recipe.load(written(tmp_path, GOOD), [override]))


ROWS = "datasets=[{path: rows.jsonl, type: chat_template, "


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "pretraining_dataset=[{path: a/b, type: pretrain}]",
            "pretraining_dataset is not allowed: Axolotl would train",
        ),
        ("streaming=true", "streaming is not allowed: rows that stream"),
        ("skip_prepare_dataset=true", "skip_prepare_dataset is not allowed: rows longer"),
        ("min_sample_len=60", "min_sample_len is not allowed: shorter rows would be dropped"),
        ("eval_sequence_len=60", "eval_sequence_len is not allowed: longer rows"),
        ("dataloader_drop_last=true", "dataloader_drop_last is not allowed: the last rows"),
        ("dataset_shard_num=4", "dataset_shard_num is not allowed: all but one part"),
        ("dataset_exact_deduplication=true", "dataset_exact_deduplication is not allowed: rows would be dropped"),
        (
            "processor_type=AutoProcessor",
            "processor_type is not allowed: rows would be rendered by the base's processor",
        ),
        ("push_dataset_to_hub=a/b", "push_dataset_to_hub is not allowed: rows prepared elsewhere"),
        ("rl=dpo", "rl is not allowed: what is checked is training on the answers"),
        ("use_dft=true", "use_dft is not allowed: learning from a token"),
        ("balance_labels=true", "balance_labels is not allowed: rows would be packed and ordered"),
        ("nf4_backend=torchao", "found nf4_backend 'torchao', expected bitsandbytes"),
        ("mixlora_top_k=4", "mixlora_top_k is not allowed: Axolotl's merge"),
        ("adapter=mixlora", "found adapter 'mixlora', expected lora or qlora"),
        ("nvfp4_merge_aware=true", "nvfp4_merge_aware is not allowed: the gate"),
        ("diffusion_lm={generate_samples: true}", "diffusion_lm is not allowed: what is checked"),
        ("export={format: gguf}", "export is not allowed: training ignores it; 'make export'"),
        (
            "attn_implementation=varlen",
            "attn_implementation varlen is not allowed: it is for models that write by diffusion",
        ),
        ("reward_model=true", "reward_model is not allowed: what is checked"),
        ("resume_from_checkpoint=runs/one/adapter", "resume_from_checkpoint is not allowed: 'make resume'"),
        ("auto_resume_from_checkpoints=true", "auto_resume_from_checkpoints is not allowed: 'make resume'"),
        ("lora_r=0", "lora_r 0, expected 1 or more"),
        ("relora=true", "relora is not allowed: it merges as it trains"),
        ("reinit_weights=true", "reinit_weights is not allowed: it would train on random weights"),
        (
            "resize_token_embeddings_to_32x=true",
            "resize_token_embeddings_to_32x is not allowed: the merge gate could not",
        ),
        ("peft_init_lora_weights=pissa", "peft_init_lora_weights 'pissa', expected true or gaussian"),
        ("bnb_config_kwargs={bnb_4bit_quant_type: fp4}", "bnb_4bit_quant_type 'fp4', expected nf4"),
        ("excess_length_strategy=TRUNCATE", "excess_length_strategy 'TRUNCATE' is not allowed: it cuts answers off"),
        (ROWS + "split: 'train[:5%]'}]", r"split 'train\[:5%\]' is not allowed: the file is trained on whole"),
        (ROWS + "weight: 0.5}]", "weight 0.5 is not allowed: Axolotl would leave rows out by chance"),
        (ROWS + "shards: 50}]", "shards 50 is not allowed: the file is trained on whole"),
        (ROWS + "data_files: other.jsonl}]", "data_files 'other.jsonl' is not allowed: 'path' is the file"),
        (ROWS + "revision: abc}]", "revision 'abc' is not allowed: 'path' is the file"),
    ],
)
def test_a_recipe_that_would_train_on_other_rows_than_were_checked_is_refused(
    override: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"--set: (found )?{sentence}"):
        lint.lint(recipe.load(written(tmp_path, GOOD), [override]))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("lr_scheduler=cosin", "lr_scheduler 'cosin'; did you mean 'cosine'?"),
        ("optimizer=adamw_torchh", "optimizer 'adamw_torchh'; did you mean 'adamw_torch'?"),
        ("save_strategy=zzz", "save_strategy 'zzz'; expected one of: best, epoch, no, steps"),
        ("num_epochs=0", "num_epochs 0, expected more than 0: it would train nothing"),
        ("num_epochs=-1", "num_epochs -1, expected more than 0"),
        ("max_steps=0", "max_steps 0, expected 1 or more: Axolotl would ignore it"),
        ("micro_batch_size=0", "micro_batch_size 0, expected 1 or more"),
        ("gradient_accumulation_steps=-2", "gradient_accumulation_steps -2, expected 1 or more"),
        ("learning_rate=2e4", r"learning_rate 20000\.0, expected more than 0 and at most 1"),
        ("learning_rate='-1e-3'", "learning_rate -0.001, expected more than 0"),
        ("learning_rate=.nan", "learning_rate nan, expected more than 0"),
        ("lora_r=false", "lora_r False, expected 1 or more"),
        ("lora_alpha=0", "lora_alpha 0, expected more than 0"),
        ("lora_dropout=1.0", r"lora_dropout 1\.0, expected 0 or more and less than 1"),
        ("warmup_ratio=3", "warmup_ratio 3, expected 0 or more and less than 1"),
        ("weight_decay=-1", "weight_decay -1, expected 0 or more"),
    ],
)
def test_a_number_with_which_nothing_is_learnt_is_refused(override: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"--set: (found )?{sentence}"):
        lint.lint(recipe.load(written(tmp_path, GOOD), [override]))


PLUGINS = (
    "plugins=[axolotl.integrations.liger.LigerPlugin, axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin]"
)


def test_every_rule_is_of_a_key_that_axolotl_has(tmp_path: Path) -> None:
    good = recipe.load(written(tmp_path, GOOD), [PLUGINS, *(f"{rule.key}=0.5" for rule in rules.RULES)])
    assert not list(lint.unknown_keys(good))


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("revision_of_model=abc123", "commit"),
        ("model_revision=abc123", "commit"),
        ("base_model_config=a/b", "configuration"),
        ("tokenizer_config=a/b", "tokenizer"),
    ],
)
def test_a_second_place_that_the_record_would_not_know_of_is_refused(override: str, part: str, tmp_path: Path) -> None:
    """All but the training would take the base model without it: proof of the prompts, merge, gate and record."""
    sentence = f"is not allowed: the run's record and its merge would not know of it; name a folder of that {part} as"
    with pytest.raises(InputError, match=f"--set: {override.partition('=')[0]} {sentence} base_model"):
        lint.lint(recipe.load(written(tmp_path, GOOD), [override]))


@pytest.mark.parametrize("override", ["hub_model_id=shop/model", "wandb_log_model=end", "hf_mlflow_log_artifacts=true"])
def test_what_would_send_the_weights_away_during_a_training_is_refused(override: str, tmp_path: Path) -> None:
    sentence = "is not allowed: weights trained on your rows would leave this machine"
    with pytest.raises(InputError, match=f"--set: {override.partition('=')[0]} {sentence}"):
        lint.lint(recipe.load(written(tmp_path, GOOD), [override]))


def test_another_shape_than_the_base_s_is_refused(tmp_path: Path) -> None:
    """The merge and the gate load the base by its own configuration: what was trained on another would be lost there."""
    override = "overrides_of_model_config={num_hidden_layers: 1}"
    with pytest.raises(InputError, match="--set: overrides_of_model_config is not allowed: merge and evaluation"):
        lint.lint(recipe.load(written(tmp_path, GOOD), [override]))


def test_the_same_file_spelt_otherwise_is_the_same(tmp_path: Path) -> None:
    twice = "datasets=[{path: rows.jsonl, type: chat_template}, {path: ./rows.jsonl, type: chat_template}]"
    with pytest.raises(InputError, match=r"--set: '\./rows\.jsonl' is named twice"):
        lint.lint(recipe.load(written(tmp_path, GOOD), [twice]))


def test_checkpoints_that_nothing_can_go_on_from_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--set: save_only_model is not allowed: no training can resume"):
        lint.lint(recipe.load(written(tmp_path, GOOD), ["save_only_model=true"]))


def test_a_whole_file_may_be_named_as_axolotl_does(tmp_path: Path) -> None:
    lint.lint(recipe.load(written(tmp_path, GOOD), [ROWS + "split: train}]", "val_set_size=0", "rl=null"]))


def test_a_right_recipe_passes(tmp_path: Path) -> None:
    lint.lint(recipe.load(written(tmp_path, GOOD), ["learning_rate=1e-4", "lora_r=16"]))


CPU = {"demo-qlora", "smollm2-qlora"}


def machine(name: str) -> str | None:
    return recipe.machine(recipe.find(name))


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_passes_on_its_machine_and_says_how_to_run_it(name: str) -> None:
    path = recipe.find(name)
    gpus, card = hardware.several(machine(name) or "") if machine(name) else (1, None)
    lint.lint(recipe.load(path), card, gpus)
    assert (card is None) == (name in CPU)
    text = path.read_text("utf-8").splitlines()
    assert len(text) <= 70 and max(map(len, text)) <= 130
    head = [line for line in text if line.startswith("#")]
    assert f"make train-{name} " in " ".join(head) + " " or name == "demo-qlora"
    assert any("--set " in line for line in head)


def test_the_recipe_for_a_laptop_fits_a_small_gpu_by_the_overrides_of_its_header() -> None:
    path, card = recipe.find("smollm2-qlora"), hardware.find("8gb")
    found = re.search(r'^# On a GPU: .* ARGS="(.*)"', path.read_text("utf-8"), re.MULTILINE)
    words = found[1].split() if found else []
    loaded = recipe.load(path, [f"{key}={value}" for key, value in zip(words[::2], words[1::2], strict=True)])
    assert lint.lint(loaded, card).bf16
    assert loaded.keys["micro_batch_size"] * loaded.keys["gradient_accumulation_steps"] == 8


def test_there_are_recipes() -> None:
    assert recipe.names() == [
        "demo-qlora",
        "gemma4-qlora",
        "llama-qlora",
        "ministral-qlora",
        "ministral-small-qlora",
        "mistral-full-zero3",
        "mistral-lora",
        "mistral-qlora",
        "mistral-qlora-80gb",
        "mistral-qlora-multi",
        "qwen-qlora",
        "qwen-small-qlora",
        "qwen35-qlora",
        "qwen35-small-qlora",
        "smollm2-qlora",
        "smollm3-qlora",
    ]


def test_a_step_has_the_same_tokens_in_every_variant() -> None:
    """On the machine of its header; what is learnt with a learning rate depends on it."""
    for name in set(recipe.names()) - CPU:
        keys, gpus = recipe.load(recipe.find(name)).keys, hardware.several(machine(name) or "")[0]
        assert memory.plan(keys, 0, gpus).step_tokens == 32768, name
        fused = (
            "liger_fused_linear_cross_entropy" in keys
        )  # without it the logits of a micro-batch are in memory at once
        assert keys["micro_batch_size"] * keys["sequence_len"] >= (8192 if fused else 2048), name
        assert (
            f"{keys['micro_batch_size']} x {keys['gradient_accumulation_steps']} x 2,048"
            in recipe.find(name).read_text()
        )


def test_a_step_of_other_tokens_than_the_recipe_is_written_for_is_told() -> None:
    path = recipe.find("mistral-qlora-multi")
    assert report.batch(recipe.load(path), 4) == "batch    32,768 tokens a step: 4 x 1 x 2,048 on 4 GPUs"
    two = report.batch(recipe.load(path), 2)
    assert two.startswith("batch    16,384 tokens a step: 4 x 1 x 2,048 on 2 GPUs; ")
    assert two.endswith("recipes/mistral-qlora-multi.yaml is written for 32,768, and its learning rate with it")
    mended = recipe.load(path, ["gradient_accumulation_steps=2"])
    assert report.batch(mended, 2) == "batch    32,768 tokens a step: 4 x 2 x 2,048 on 2 GPUs"
    demo = report.batch(recipe.load(recipe.find("demo-qlora")), 1)
    assert "written for" not in demo


def test_the_table_of_recipes_has_each_with_its_machine() -> None:
    lines = CliRunner().invoke(main, ["recipes"]).output.splitlines()
    names = [name for name in recipe.names() if name not in CPU]
    assert [line.split("`")[1] for line in lines[2:]] == names
    (full,) = (line for line in lines if "zero3" in line)
    assert re.fullmatch(
        r"\| `mistral-full-zero3` \| .*v0\.3 \| 4 x 80 GB \| 3\d\.\d GiB each \| [\d,]+ \| \d+\.\d h \|", full
    )


def test_a_card_without_bf16_is_named(tmp_path: Path) -> None:
    loaded = recipe.load(written(tmp_path, GOOD), ["bf16=true"])
    with pytest.raises(InputError, match=r"--set: found bf16, and t4-16gb of compute capability 7\.5; expected 8\.0"):
        lint.lint(loaded, hardware.find("t4-16gb"))
    validated = lint.lint(loaded, hardware.find("l4-24gb"), 2)
    assert (validated.capabilities.compute_capability, validated.capabilities.n_gpu) == ("sm_89", 2)


def test_the_qlora_recipes_have_the_settings_of_the_research() -> None:
    for name in (name for name in recipe.names() if "qlora" in name):
        keys = recipe.load(recipe.find(name)).keys
        assert (keys["adapter"], keys["load_in_4bit"], keys["lora_r"], keys["lora_alpha"]) == ("qlora", True, 32, 64)
        assert len(memory.plan(keys, 0, 1).targets) >= 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "found an empty file"),
        ("- a\n- b\n", "found list"),
        ("a: [", r"mine\.yaml:1: found .*<stream end>.*, expected YAML$"),
        ("a: 1\nb: c: d\n", r"mine\.yaml:2: found mapping values are not allowed here, expected YAML$"),
        ("a: 1\nb: 2\na: 3\n", r"mine\.yaml:3: found key 'a' again"),
        ("x:\n  - {p: 1, p: 2}\n", r"mine\.yaml:2: found key 'p' again"),
    ],
)
def test_what_is_no_recipe_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        recipe.load(written(tmp_path, text))


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected YAML"):
        recipe.load(path)


@pytest.mark.parametrize(
    ("name", "sentence"), [("mistral-qlra", "did you mean 'mistral-qlora'"), ("none.yaml", "no recipe")]
)
def test_an_unknown_recipe_gets_a_hint(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        recipe.find(name)


@pytest.mark.parametrize("text", ["lora_r", "=3", "a=["])
def test_a_broken_override_is_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        recipe.parse_override(text)

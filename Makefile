# Everything a fresh clone needs: `make demo` is the main job, `make test` runs every check.
# PYTHON must be 3.11 or 3.13: those are the Pythons that Blender's module bpy exists for.
PYTHON ?= $(shell command -v python3.11 || command -v python3.13 || command -v python3)
# A shim of pyenv's may be on the PATH without a version behind it, so its versions come first.
PYTHON_5_2 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python3.13) $(shell command -v python3.13))
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: help venv build release demo demo-footage demo-film test lint pin bench bench-live evaluate clean
help:
	@echo "make demo   a dressed set, a keyframed camera, generated frames: out/demo"
	@echo "make demo-footage  a clip with a matchmove, frames from another camera: out/demo-footage (CLIP=coffee.mp4 for that one)"
	@echo "make demo-film  six shots by the queue, the render engine, the command line and a farm's job: out/demo-film"
	@echo "make test   every test; BLENDER=/path/to/blender adds those in a real window"
	@echo "make build  the extension's zip: dist/"
	@echo "make release  of the commit: zip, checksums, changelog, a repository that Blender installs and updates from: dist/"
	@echo "make pin    the lists of packages that Set Up Backend installs, anew: backend/requirements/"
	@echo "make bench  speed and memory: out/bench.json"
	@echo "make bench-live BLENDER=/path/to/blender  the live preview in a real window, a quarter of an hour: out/bench_live.json"
	@echo "make evaluate  quality of tiny on the test scenes: out/evaluation"

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 13)) else "make needs Python 3.11 or 3.13, this is %d.%d: make PYTHON=/path/to/python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[blender,dev,train]'
	touch $@

# What only the 1.3 B presets need is large, and `tiny` does without: the tests alone ask for it.
$(VENV)/ready-world: $(VENV)/ready
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[world]'
	touch $@

# Blender 5.2's module for the tests, where its Python is there.
.venv-5.2/ready: constraints.txt
	@if [ -n "$(PYTHON_5_2)" ] && $(PYTHON_5_2) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; then \
		$(PYTHON_5_2) -m venv .venv-5.2 && .venv-5.2/bin/python -m pip install --quiet --constraint constraints.txt bpy hypothesis && touch $@; \
	else echo "No python3.13: tests in Blender 5.2's module are skipped."; fi

venv: $(VENV)/ready

build: venv
	mkdir -p dist
	$(PY) -m tests.build dist

release: venv
	$(PY) -m tests.release dist

demo: venv
	$(PY) -m tests.demo

demo-film: venv
	$(PY) -m tests.demo_film

demo-footage: venv
	$(PY) -m tests.demo_footage $(if $(CLIP),--clip $(CLIP))

lint: venv
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint $(VENV)/ready-world .venv-5.2/ready
	$(PY) -m pytest

# The program uv is needed for this alone.
$(VENV)/bin/uv: $(VENV)/ready
	$(PY) -m pip install --quiet uv

pin: $(VENV)/bin/uv
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m tests.pin

bench: venv
	$(PY) -m backend bench --out out/bench.json $(if $(wildcard out/window/ticks.json),--merge out/window/ticks.json)

bench-live: venv
	$(PY) -m tests.bench_live --out out/bench_live.json

evaluate: venv
	$(PY) -m tests.scenes.evaluation --out out/scenes
	$(PY) -m backend evaluate --scenes out/scenes --out out/evaluation

clean:
	rm -rf out dist

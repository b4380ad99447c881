# make demo    the whole pipeline on a sample blog, in a throw-away folder (ARGS=--once: without waiting)
# make test    every test            make lint         style, types and who may import whom
# make crash   kill the real commands at random, 500 rounds of 500 recipients (about an hour; CRASH_ROUNDS=20)
# make malformed  20,000 feed documents damaged by chance, and traps of 200 KB each (about half an hour)
# make bench   how fast mail leaves, beside Postfix's own generator: a table, and bench.json (about an hour;
#              ARGS="--rounds 3 --only smtp-sink sqlite" for a part of it)
# make clean   remove what was made  make screenshots  the pictures in docs/
# make contact-sheet    every sample email in every theme, phone and desktop, light and dark, on one page
# Needs Python 3.11 or later; everything else is installed into .venv. GNU make 3.81 is enough.

ARGS =
PYTHON = .venv/bin/python
NEEDS = pyproject.toml constraints.txt .ci/environment

# Tests start commands by the hundred: without compiled modules on disk each takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test crash bench malformed lint screenshots contact-sheet clean

help:
	@sed -n 's/^# //p' Makefile

demo: .venv/.installed-base
	@.venv/bin/newsletter demo $(ARGS)

test: .venv/.installed-dev
	CHROMIUM="$$(sh .ci/chromium)" $(PYTHON) -m pytest -q \
	  -n "$$($(PYTHON) -c 'import os; print(max(2, min(4, os.cpu_count() or 2)))')" $(ARGS)

crash: .venv/.installed-dev
	CRASH_ROUNDS="$${CRASH_ROUNDS:-500}" CRASH_RECIPIENTS="$${CRASH_RECIPIENTS:-500}" \
	  CRASH_RESUME_S="$${CRASH_RESUME_S:-30}" $(PYTHON) -m pytest -s -o faulthandler_timeout=0 tests/crash $(ARGS)

malformed: .venv/.installed-dev
	MALFORMED="$${MALFORMED:-20000}" TRAPS="$${TRAPS:-200000}" $(PYTHON) -m pytest tests/intake/test_malformed.py $(ARGS)

bench: .venv/.installed-dev
	$(PYTHON) -m tests.bench.sending --folder . --json bench.json $(ARGS)

lint: .venv/.installed-dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict newsletter subscribers tests
	.venv/bin/lint-imports --no-logo

screenshots: .venv/.installed-dev
	CHROMIUM="$$(sh .ci/chromium)"; export CHROMIUM; \
	  for script in docs/screenshots/*.py; do $(PYTHON) $$script || exit 1; done

contact-sheet: .venv/.installed-dev
	CHROMIUM="$$(sh .ci/chromium)" $(PYTHON) docs/screenshots/email_pictures.py --all

clean:
	rm -rf .venv build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.installed-base: $(NEEDS)
	@sh .ci/environment base

.venv/.installed-dev: $(NEEDS)
	@sh .ci/environment dev

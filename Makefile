# make demo: environment, the nightly job on the bundled store, its numbers beside the truth, a month to look at
# make test: environment, then the whole test suite
PYTHON ?= python3
BIN := .venv/bin
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export ORT_DISABLE_TELEMETRY := 1

.PHONY: demo test check system clean-demo

demo: .venv/installed
	$(BIN)/aisleflow demo --lake demo-data/lake

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: requirements.lock pyproject.toml
	@$(MAKE) --no-print-directory system
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %s; try: make PYTHON=python3.11" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(BIN)/opt_in_out --opt_out >/dev/null 2>&1 || true  # OpenVINO's telemetry
	@touch $@

# libgl1 and libegl1 are what OpenCV and the renderer load; chromium is for the tests that open pages.
system:
	@missing=; \
	ldconfig -p 2>/dev/null | grep -q libGL.so.1 || missing="$$missing libgl1"; \
	ldconfig -p 2>/dev/null | grep -q libEGL.so.1 || missing="$$missing libegl1"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	[ -z "$$missing" ] || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; }; } || \
	  echo "note: could not install$$missing; OpenCV needs libgl1, the browser tests chromium (they are skipped without)"

clean-demo:
	rm -rf demo-data

# `make help` lists what there is.
#
#   VENV     where the environment is made                                  make book VENV=/somewhere/else
#   PYTHON   the Python that makes it, 3.11 or newer                        make book PYTHON=python3.12
#   INSTALL  what installs packages into it; for the smaller CPU build of torch, with uv:
#              make book INSTALL="uv pip install --python .venv --torch-backend=cpu"
#   CHAPTERS the notebooks of `make execute`                                make execute CHAPTERS=chapters/attention/self-attention.ipynb
#   PORT     the port of `make serve`
#   JOBS     tests at a time; NOTEBOOKS how many notebooks are tested at a time

VENV      ?= .venv
PYTHON    ?= python3
BIN       := $(VENV)/bin
INSTALL   ?= $(BIN)/python -m pip install
CHAPTERS  ?=
PORT      ?= 8000
JOBS      ?= 2
NOTEBOOKS ?= 2

BOOK_READY := $(VENV)/.book-ready
TEST_READY := $(VENV)/.test-ready
SHELL      := bash

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book test test-library test-notebooks test-book execute serve screenshots clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(BOOK_READY) ## build the whole book into _build/html (sets up .venv the first time)
	@$(BIN)/jupyter-book build . -W -n --keep-going --all || { \
	  echo; echo "The book was not built. Each line above with WARNING or ERROR names a page and a line:"; \
	  echo "mend these, then run 'make book' again."; exit 1; }
	@echo; echo "The book is built. Open  file://$(CURDIR)/_build/html/index.html"
	@echo "or run 'make serve'."

test: test-library test-book test-notebooks ## run every test: the library, the book, the notebooks
	@echo; echo "All tests passed."

test-library: $(TEST_READY) ## test the library
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --ignore=tests/book -n $(JOBS) -q || { \
	  echo; echo "The library's tests failed. Run one alone:  $(BIN)/python -m pytest tests/FILE.py -k NAME"; exit 1; }

test-book: $(TEST_READY) book ## build the book and test its pages, sources and exercises
	@$(BIN)/python -m pytest tests/book -n $(JOBS) -q || { \
	  echo; echo "The book's tests failed. Each failure above says what is wrong where; CONTRIBUTING.md has the rules."; exit 1; }

test-notebooks: $(TEST_READY) ## run every notebook and compare its outputs with those that are stored
	@$(BIN)/python -m pytest --nbval --nbval-current-env --nbval-cell-timeout=600 chapters \
	    -n $(NOTEBOOKS) --dist loadfile -q || { \
	  echo; echo "A notebook's outputs are no longer what is stored in it. If the new ones are right, store them:"; \
	  echo "make execute CHAPTERS=chapters/PART/NAME.ipynb"; exit 1; }

execute: $(BOOK_READY) ## run the notebooks afresh, store their outputs, minutes and memory (CHAPTERS=… for some)
	@$(BIN)/python book/execute.py $(CHAPTERS)

serve: $(BOOK_READY) ## show the built book on this machine
	@test -f _build/html/index.html || $(MAKE) book
	@echo "The book is at  http://localhost:$(PORT)/  (stop with Ctrl-C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html 2>/dev/null || { \
	  echo "The server ended. If the port is taken, choose another:  make serve PORT=8001"; exit 1; }

screenshots: $(TEST_READY) ## picture every page of the built book into _build/screenshots
	@$(BIN)/python book/screenshot.py

clean: ## remove what was built (the environment stays: remove .venv by hand to start over)
	rm -rf _build .pytest_cache .jupyter_cache

$(BOOK_READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "The book needs Python 3.11 or newer as '$(PYTHON)'. Install it, or name it:  make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python could not make $(VENV). On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Installing what the book needs into $(VENV): about 2 GB, some minutes the first time."
	@{ $(INSTALL) -r requirements.txt && $(INSTALL) --no-deps -e .; } || { \
	  echo; echo "Installing failed. Check the network and the disk (5 GB free), then run make again;"; \
	  echo "'make help' and the head of the Makefile say how to use another installer."; exit 1; }
	@touch $@

$(TEST_READY): $(BOOK_READY) requirements-test.txt
	@$(INSTALL) -r requirements-test.txt || { \
	  echo; echo "Installing what the tests need failed. Check the network, then run make again."; exit 1; }
	@touch $@

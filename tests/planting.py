"""Bugs planted in the library: while its source is another one, a named test must fail.

A bug replaces a piece of one module's source. A piece that the source doesn't hold exactly once is
an error, so that the lists of bugs follow the code.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

import pytest
import transformer_essentials

LIBRARY = Path(transformer_essentials.__file__).parent
TESTS = Path(__file__).parent
PACKAGE = "transformer_essentials"
QUICK = (  # the named test alone, without plugins, as quickly as pytest goes
    "-qx --tb=no --import-mode=importlib --assert=plain --disable-plugin-autoload "
    "-p no:cacheprovider -p no:unraisableexception -p no:threadexception -p no:faulthandler"
).split()


class Patched(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module of the library from another source than its file's."""

    def __init__(self, module: str, source: str):
        super().__init__(f"{PACKAGE}.{module}", str(LIBRARY / f"{module}.py"))
        self.source, self.used = source, False

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def get_code(self, name):
        self.used = True
        return compile(self.source, self.path, "exec")


def forget() -> dict:
    """Take the library and its tests out of the loaded modules; return what was loaded."""
    before, tests = dict(sys.modules), {test.stem for test in TESTS.glob("*.py")}
    parity = {test.stem for test in (TESTS / "parity").glob("*.py")}
    for name in before:
        first, last = name.split(".")[0], name.split(".")[-1]
        if first in (PACKAGE, "parity") or last in tests or name in parity:
            del sys.modules[name]
    return before


@pytest.fixture
def planted():
    """Calling it swaps the library's source; afterwards all modules are as they were."""
    before, path, finders = forget(), list(sys.path), list(sys.meta_path)

    def swap(module: str, source: str) -> Patched:
        finder = Patched(module, source)
        sys.meta_path.insert(0, finder)
        sys.path.insert(0, str(TESTS))
        return finder

    yield swap
    forget()
    sys.modules.update(before)
    sys.path[:], sys.meta_path[:] = path, finders


class Failures:
    """When tests failed: not in their fixtures, not while they were collected."""

    def __init__(self):
        self.when = []

    def pytest_runtest_logreport(self, report):
        self.when += [report.when] if report.failed else []


def must_be_noticed(planted, what: str, module: str, right: str, wrong: str, test: str) -> None:
    """Run the test (file::name, from ``tests/``) with the bug in the module; it must fail."""
    source = (LIBRARY / f"{module}.py").read_text("utf-8")
    assert source.count(right) == 1, f"{module}.py has this {source.count(right)} times: {right}"
    finder, failures = planted(module, source.replace(right, wrong)), Failures()
    pytest.main([*QUICK, "-c", os.devnull, str(TESTS / test)], plugins=[failures])
    assert finder.used
    assert failures.when == ["call"], f"{test} does not notice: {what}"

"""What the repository holds, and what it must not hold."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from execute import ROOT

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def files():
    """Every file under version control, or about to be, with its text ("" if it is binary)."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("this folder is no git checkout, so there is no list of its files")
    found = {}
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file():
            try:
                found[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                found[name] = ""
    return found


def places(files, pattern):
    return [f"{name}: {m[0]}" for name, text in files.items() if (m := re.search(pattern, text))]


def test_the_public_address_stands_in_one_place(files):
    address = CONFIG["repository"]["url"]
    assert [name for name, text in files.items() if address in text] == ["_config.yml"]


def test_no_path_of_a_machine(files):
    assert not places(files, r"(?<![\w.~/-])/(?:work|root|home|tmp|Users|opt|srv)/[\w.-]+")
    assert not places(files, r"(?:site|dist)-packages/|ipykernel_\d+")


def test_no_host_of_a_registry(files):
    hosts = "|".join(
        ["py" + r"pi\.org", "python" + "hosted", "download." + "pytorch", "npm" + r"js\.org"]
    )
    assert not places(files, hosts)
    assert not places(files, r"https?://[^\s\"'<>]+/simple\b|^--(?:extra-)?index-url")


def test_sizes():
    sizes = {
        path.name: path.stat().st_size
        for path in (ROOT / "code/transformer_essentials/weights").glob("*")
    }
    assert all(size <= 4_000_000 for size in sizes.values()), sizes
    assert sum(sizes.values()) <= 30_000_000


def test_every_requirement_is_pinned_once():
    pinned = []
    for name in ("requirements.txt", "requirements-test.txt", "constraints.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-c ", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), f"{name}: {line}"
                pinned.append(re.sub(r"[-_.]+", "-", line.split("==")[0].lower()))
    assert len(pinned) == len(set(pinned)), sorted(p for p in set(pinned) if pinned.count(p) > 1)


def test_scripts_can_be_run():
    for name in (".ci/run", "binder/postBuild", "binder/start"):
        assert os.access(ROOT / name, os.X_OK), name


def test_binder_installs_the_cpu_build(tmp_path):
    build = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")
    assert "--torch-backend=cpu" in build and "-r requirements.txt" in build and "-e ." in build
    tool = Path(sys.executable).with_name("jupyter-repo2docker")
    if not tool.exists():
        pytest.skip("jupyter-repo2docker is not installed: it is in requirements-test.txt")
    result = subprocess.run(
        [tool, "--no-build", "--debug", "."], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    printed = result.stdout + result.stderr
    assert result.returncode == 0, printed
    assert "conda environment for python=3.11" in printed
    assert "RUN ./binder/postBuild" in printed and "binder/start" in printed


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lists_its_targets():
    told = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for target in ("book", "test", "execute", "serve", "clean"):
        assert re.search(rf"^  make {target} +\w", told, re.M), told
    result = subprocess.run(["make", "-n", "-j4", "test"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

"""A run tells what it could not run, and in CI fails for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.not_run import COMPARISON

SUITE = """
import pytest

def test_that_runs():
    pass

@pytest.mark.parametrize("turn", [1, 2])
def test_that_needs_something(turn):
    pytest.skip("no steam engine was found")

@pytest.mark.xfail(reason="known")
def test_that_is_expected_to_fail():
    assert False
"""


def run(folder: Path, *, ci: str, workers: int, suite: str = SUITE) -> tuple[int, str]:
    (folder / "test_suite.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "tests.support.session", "-p", "tests.support.not_run"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-n", str(workers), "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "CI": ci, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_what_could_not_run_is_listed_with_its_reason(tmp_path: Path, workers: int) -> None:
    code, output = run(tmp_path, ci="", workers=workers)
    assert code == 0
    assert "2 tests: no steam engine was found" in output
    assert "this run fails" not in output


@pytest.mark.parametrize("workers", [0, 2])
def test_in_ci_what_could_not_run_fails_the_run(tmp_path: Path, workers: int) -> None:
    code, output = run(tmp_path, ci="true", workers=workers)
    assert code == 1
    assert "everything must run, so this run fails" in output


def test_a_comparison_with_somebody_elses_program_is_listed_and_breaks_no_run(tmp_path: Path) -> None:
    compared = SUITE.replace("no steam engine was found", f"{COMPARISON}no steam engine was found")
    code, output = run(tmp_path, ci="true", workers=0, suite=compared)
    assert code == 0
    assert f"2 tests: {COMPARISON}no steam engine was found" in output

"""What is installed works without the checkout: the wheel in an empty environment, elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.slow


def run(*words: str | Path, cwd: Path) -> str:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NEWSLETTER_", "PYTHON")) and name != "VIRTUAL_ENV"
    }
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=clean, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_runs_the_demo_in_an_empty_environment(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, cwd=ROOT)
    [wheel] = tmp_path.glob("newsletter_pipeline-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "newsletter/_templates/email/letter/layout.mjml.j2" in names
    assert not any(name.startswith(("tests/", "templates/")) for name in names)

    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "uv", cwd=tmp_path)
    run(python, "-m", "uv", "pip", "install", "-q", "--python", python, "-c", ROOT / "constraints.txt", wheel,
        cwd=tmp_path)  # fmt: skip

    where = run(python, "-c", "import newsletter; print(newsletter.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
    told = run(tmp_path / "empty" / "bin" / "newsletter", "demo", "--once", "--folder", "demo", cwd=tmp_path)
    assert "3 recipients = 3 accepted" in told
    folder = re.search(r"lies in (\S+), one", told)
    assert folder is not None
    assert len(list(Path(folder[1]).glob("*.eml"))) == 4, "three subscribers, and the author's notice"

"""The documentation is the code's own: what it does not say fails here."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "problems.md"])
def test_every_setting_command_and_problem_is_documented_as_it_is(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == reference().REFERENCE[name](), "run: python docs/make_reference.py"


def test_no_setting_command_or_problem_goes_without_a_description() -> None:
    module = reference()
    for line in (module.settings() + module.problems()).splitlines():
        if line.startswith("| `"):
            assert line.rstrip(" |").split("|")[-1].strip(), line
    for section in module.commands().split("## ")[1:]:
        assert section.splitlines()[2].strip(), section
        for line in section.splitlines():
            if line.startswith("- `"):
                assert line.rpartition("`")[2].strip(), f"{section.splitlines()[0]}: {line}"


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda page: str(page.name))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_is_short_and_its_commands_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.sub(r"[`#|\[\]()*!-]", " ", text).split()) <= 450
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?m)^make (\w+)", text):
        assert re.search(rf"(?m)^{target}:", makefile), target
    commands = (DOCS / "commands.md").read_text(encoding="utf-8")
    for command in re.findall(r"`(newsletter [a-z]+)", text):
        assert f"`{command}" in commands

"""The files of the page: nothing from outside, nothing inline, no way for texts to become HTML, nothing forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gateway.page.stand_in import PAGE

FILES = sorted(path for path in PAGE.iterdir() if path.is_file())
MODULES = [path for path in FILES if path.suffix == ".js"]
INDEX = (PAGE / "index.html").read_text()

FORBIDDEN = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage")


def imports_of(module: Path) -> set[str]:
    return set(re.findall(r'^(?:import|\} from)\b.*?"\./(\w+\.js)";', module.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_an_outside_address(path: Path) -> None:
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", path.read_text())
    assert [address for address in addresses if not address.startswith("http://www.w3.org/")] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_module_can_turn_text_into_html(path: Path) -> None:
    assert [word for word in FORBIDDEN if word in path.read_text()] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_every_module_says_what_it_owns(path: Path) -> None:
    assert path.read_text().startswith("/**")


def test_nothing_is_inline() -> None:
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", INDEX) == []


def test_every_file_is_used() -> None:
    reached, new = {"index.html"}, set(re.findall(r'(?:src|stylesheet" href|icon" href)="page/([\w.]+)"', INDEX))
    while new:
        reached |= new
        new = {found for name in new if name.endswith(".js") for found in imports_of(PAGE / name)} - reached
    assert {path.name for path in FILES} - reached == {"types.js"}


def test_every_module_is_fetched_at_once() -> None:
    named = re.findall(r'<link rel="modulepreload" href="page/(\w+\.js)">', INDEX)
    assert sorted(named) == sorted({path.name for path in MODULES} - {"main.js", "types.js"})


def test_no_modules_import_each_other_in_a_circle() -> None:
    rest = {path.name: imports_of(path) for path in MODULES}
    while free := {name for name, needed in rest.items() if not needed & set(rest)}:
        rest = {name: needed for name, needed in rest.items() if name not in free}
    assert rest == {}


def test_every_symbol_that_is_used_is_there() -> None:
    drawn = set(re.findall(r'<symbol id="icon-(\w+)"', INDEX))
    used = set(re.findall(r'href="#icon-(\w+)"', INDEX))
    for module in MODULES:
        used |= set(re.findall(r'icon\("(\w+)"\)', module.read_text()))
    assert used | {"warning", "note"} == drawn

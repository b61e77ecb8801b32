"""The package stands alone: what it imports, what importing it costs, and what its README says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import fishgate_client
import pytest
from fishgate_client import errors
from fishgate_client.command.arguments import build_parser
from fishgate_client.command.rows import COLUMNS, Row

from tests.client.conftest import CLIENT

FILES = sorted((CLIENT / "fishgate_client").rglob("*.py"))
README = (CLIENT / "README.md").read_text("utf-8")
LIBRARIES = {"requests", "urllib3", "rich", "aiohttp", "pyarrow", "jinja2", "PIL"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CLIENT)))
def test_it_knows_only_the_contract(path: Path) -> None:
    foreign = imported(path) - set(sys.stdlib_module_names) - {"fishgate_client"}
    assert foreign <= LIBRARIES


def test_the_library_does_not_know_the_command() -> None:
    for path in (CLIENT / "fishgate_client").glob("*.py"):
        if path.name != "__main__.py":
            assert "fishgate_client.command" not in path.read_text("utf-8"), path.name


def test_importing_it_is_light() -> None:
    check = f"import sys, fishgate_client; print(sorted({LIBRARIES!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], env={"PYTHONPATH": str(CLIENT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in fishgate_client.__all__:
        assert getattr(fishgate_client, name)
    with pytest.raises(AttributeError, match="no attribute 'Salmon'"):
        fishgate_client.Salmon  # noqa: B018


def test_every_error_has_a_code_of_its_own_and_stands_in_the_tree() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FishgateError)
    ]
    leaves = [kind for kind in kinds if not kind.__subclasses__()]
    assert len({kind.default_code for kind in leaves}) == len(leaves)
    for kind in kinds:
        assert kind.__name__ in str(errors.__doc__)
        assert kind.__name__ in README
    for kind in leaves:
        assert errors.class_for(kind.default_code, 418) is kind


def test_rows_have_the_columns_that_are_told() -> None:
    told = re.findall(r"^\| `(\w+)` \| (.*) \|$", README, flags=re.MULTILINE)
    assert told == [(name, meaning) for name, (_, meaning) in COLUMNS.items()]
    assert list(Row.__annotations__) == list(COLUMNS)


def test_options_of_the_readme_exist() -> None:
    known = set(build_parser()._option_string_actions)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known

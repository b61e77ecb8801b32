"""A new zero-shot's text embeddings lie beside those of the old one, and afterwards only one model's are left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.configuration import Settings
from server.deploy import embeddings
from server.deploy.embeddings import drop_new_embeddings, drop_old_embeddings, lay_embeddings_beside, scratch_folder
from server.deploy.errors import DeployError
from server.deploy.leftovers import clear_leftovers
from tests.server.deploy_bench import Bench
from tests.server.deploy_bench import bench as bench

CSV = b"label\nPike\n"


def lay(folder: Path, *models: str, csv: bytes = CSV) -> None:
    """What ``packs.prepare_lists`` makes of one list for these models."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lake.csv").write_bytes(csv)
    for model in models:
        (folder / f"lake.{model}.json").write_text(model)
        (folder / f"lake.{model}.safetensors").write_text(model)


def names(settings: Settings) -> set[str]:
    return {path.name for path in settings.lists.iterdir()}


BEFORE = {"lake.csv", "lake.old.json", "lake.old.safetensors"}
AFTER = {"lake.csv", "lake.new.json", "lake.new.safetensors"}


@pytest.fixture
def no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embeddings of a pack need no network here."""
    monkeypatch.setattr(embeddings, "prepare_lists", lambda wanted, say: lay(wanted.lists, wanted.pack))


@pytest.fixture
def settings(tmp_path: Path, no_networks: None) -> Settings:
    """A server with one list, whose pack is called `old`."""
    settings = Settings(home=tmp_path / "home", pack="old")
    lay(settings.lists, "old")
    return settings


def test_both_versions_find_theirs_while_both_run(settings: Settings) -> None:
    lay_embeddings_beside(settings, "new", print)
    assert names(settings) == BEFORE | AFTER


def test_afterwards_the_old_ones_are_gone(settings: Settings) -> None:
    lay_embeddings_beside(settings, "new", print)
    drop_old_embeddings(settings)
    assert names(settings) == AFTER


def test_rolled_back_the_new_ones_are_gone(settings: Settings) -> None:
    lay_embeddings_beside(settings, "new", print)
    drop_new_embeddings(settings)
    assert names(settings) == BEFORE


def test_rolled_back_before_all_were_copied(settings: Settings) -> None:
    lay_embeddings_beside(settings, "new", print)
    (settings.lists / "lake.new.json").unlink()
    drop_new_embeddings(settings)
    assert names(settings) == BEFORE


def test_embeddings_that_both_share_stay_when_it_is_rolled_back(settings: Settings) -> None:
    lay_embeddings_beside(settings, "old", print)
    drop_new_embeddings(settings)
    assert names(settings) == BEFORE


@pytest.mark.parametrize("drop", [drop_old_embeddings, drop_new_embeddings])
def test_where_nothing_was_laid_nothing_is_dropped(settings: Settings, drop: Callable[[Settings], None]) -> None:
    drop(settings)
    assert names(settings) == BEFORE


def test_other_lists_than_the_servers_are_refused(settings: Settings) -> None:
    lay(settings.lists, "old", csv=b"label\nZander\n")
    with pytest.raises(DeployError, match=r"the pack 'new' are not those that the server has.*scripts/serve"):
        lay_embeddings_beside(settings, "new", print)
    assert names(settings) == BEFORE


def test_a_server_without_lists_needs_no_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "prepare_lists", lambda wanted, say: None)
    settings = Settings(home=tmp_path)
    lay_embeddings_beside(settings, "new", print)
    drop_old_embeddings(settings)
    assert not settings.lists.exists()
    assert scratch_folder(settings.home).is_dir()


@pytest.mark.parametrize("is_started_anew", [True, False])
def test_what_another_change_laid_stays_when_the_expert_is_rolled_back(
    no_networks: None, bench: Bench, is_started_anew: bool
) -> None:
    lay(bench.settings.lists, "old")
    lay_embeddings_beside(bench.settings, "new", print)
    if is_started_anew:
        clear_leftovers(bench.settings)
        assert not scratch_folder(bench.settings.home).exists()
    bench.server.failing = ["POST /predictions"]
    with pytest.raises(DeployError):
        bench.deploy()
    assert names(bench.settings) == BEFORE | AFTER

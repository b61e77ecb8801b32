"""A worker's settings are read strictly."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fishgate.errors import SettingError
from handlers.adaptors.settings import ModelSettings, RouterSettings, WorkerSettings, read_settings
from tests.conftest import ROOT

MODEL_CONFIGS = sorted((ROOT / "models").glob("*/model-config.*.yaml"))

NOTHING_SAID: list[dict[str, Any] | None] = [None, {}, {"minWorkers": 1}, {"fishgate": None}, {"fishgate": {}}]

WRONG: dict[str, tuple[Any, str]] = {
    "unknown": ({"share_cores": 2}, "unknown key 'share_cores'; allowed keys: least_ms, share_cores_with$"),
    "the router's": ({"zero_shot_limit_s": 2}, "unknown key 'zero_shot_limit_s'; allowed keys"),
    "none to share with": ({"share_cores_with": 0}, "share_cores_with: .*greater than or equal to 1, got '0'"),
    "negative time": ({"least_ms": -1}, "least_ms: .*greater than or equal to 0"),
    "no number": ({"least_ms": "soon"}, "least_ms: .*valid number.*got 'soon'"),
    "no mapping": (["least_ms"], "the whole record"),
}


@pytest.mark.parametrize("config", NOTHING_SAID, ids=repr)
def test_without_settings_the_defaults_hold(config: dict[str, Any] | None) -> None:
    assert read_settings(config, WorkerSettings) == WorkerSettings(share_cores_with=1, least_ms=5.0)


def test_settings_are_read() -> None:
    config = {"fishgate": {"share_cores_with": 3, "zero_shot_limit_s": 1.5, "zero_shot_in_flight": 7}}
    settings = read_settings(config, RouterSettings)
    assert (settings.share_cores_with, settings.zero_shot_limit_s, settings.zero_shot_in_flight) == (3, 1.5, 7)


@pytest.mark.parametrize(("own", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_refused_with_the_allowed_keys(own: Any, message: str) -> None:
    with pytest.raises(SettingError, match=r"model-config\.yaml, fishgate: .*; allowed keys: least_ms") as caught:
        read_settings({"fishgate": own}, WorkerSettings)
    assert caught.match(message)


@pytest.mark.parametrize("pictures", [0, 65, "many"])
def test_the_pictures_of_a_pass_are_bounded(pictures: object) -> None:
    assert read_settings(None, ModelSettings).pictures_at_once == 8
    with pytest.raises(SettingError, match=r"pictures_at_once: .*; allowed keys: least_ms, pictures_at_once, share"):
        read_settings({"fishgate": {"pictures_at_once": pictures}}, ModelSettings)


@pytest.mark.parametrize("path", MODEL_CONFIGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_settings_of_the_repository_are_accepted(path: Any) -> None:
    kind = RouterSettings if path.parent.name == "router" else ModelSettings
    read_settings(yaml.safe_load(path.read_text()), kind)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_routers_batch_has_room_beside_the_deferred_pictures(device: str) -> None:
    workflow = yaml.safe_load((ROOT / "handlers" / f"fish.{device}.yaml").read_text())
    config = yaml.safe_load((ROOT / "models" / "router" / f"model-config.{device}.yaml").read_text())
    assert workflow["models"]["router"]["batch-size"] > read_settings(config, RouterSettings).zero_shot_in_flight


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_node_waits_longer_than_zero_shot_may_take(device: str) -> None:
    workflow = yaml.safe_load((ROOT / "handlers" / f"fish.{device}.yaml").read_text())
    config = yaml.safe_load((ROOT / "models" / "router" / f"model-config.{device}.yaml").read_text())
    limit_ms = 1000 * read_settings(config, RouterSettings).zero_shot_limit_s
    assert workflow["models"]["router"]["timeout-ms"] > limit_ms
    assert 1000 * config["responseTimeout"] > limit_ms

"""Settings come from the environment, and what is wrong stops the start with a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import SettingError
from gateway.settings import Settings, settings_from_environment


def read(**variables: str) -> Settings:
    return settings_from_environment({f"FISHGATE_GATEWAY_{name}": value for name, value in variables.items()})


def test_without_variables_the_defaults_hold() -> None:
    assert settings_from_environment({"PATH": "/bin", "FISHGATE_KEY_FILE": "a worker's"}) == Settings()


def test_variables_are_read_by_the_settings_names() -> None:
    told = read(PORT="9000", HOME="/srv/fish", DEADLINE_S="12.5", CORS_ORIGINS="https://a.test, https://b.test")
    assert (told.port, told.home, told.deadline_s) == (9000, Path("/srv/fish"), 12.5)
    assert told.cors_origins == ("https://a.test", "https://b.test")
    assert told.key_store == Path("/srv/fish/api_keys.json")


def test_several_hosts_are_told_in_one_variable() -> None:
    several, name = "http://fish-1:8080,http://fish-2:8080", "dns+http://zero-shot:8080"
    told = read(TORCHSERVE_URL=several, ZERO_SHOT_URL=name, TORCHSERVE_RESOLVE_S="5")
    assert (told.torchserve_url, told.zero_shot_url, told.torchserve_resolve_s) == (several, name, 5.0)


def test_an_empty_variable_leaves_the_default_but_silences_the_access_log() -> None:
    told = read(PORT="", ACCESS_LOG="")
    assert (told.port, told.access_log) == (8000, "")


def test_traces_go_where_opentelemetry_says() -> None:
    told = settings_from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert told.traces_endpoint == "http://127.0.0.1:4318"


WRONG = {
    "unknown name": ({"PROT": "80"}, "unknown key 'prot'"),
    "no number": ({"PORT": "eighty"}, "port: .*'eighty'"),
    "out of range": ({"PORT": "70000"}, "port: .*70000"),
    "below zero": ({"DEADLINE_S": "-1"}, "deadline_s"),
    "larger than TorchServe takes": ({"MAX_PICTURE_BYTES": "99000000"}, "max_picture_bytes"),
    "no address": ({"TORCHSERVE_URL": "fish:8080"}, "torchserve_url: .*'fish:8080' is no address; allowed are http"),
    "no address of zero-shot": ({"ZERO_SHOT_URL": "dns+fish"}, "zero_shot_url: .*'dns\\+fish' is no address"),
    "public without keys": ({"HOST": "0.0.0.0", "KEYS_REQUIRED": "false"}, "without API keys .* 0.0.0.0"),
    "public by name without keys": ({"HOST": "fish.example", "KEYS_REQUIRED": "no"}, "without API keys"),
}


@pytest.mark.parametrize(("variables", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read(**variables)


NEEDS = {
    "loopback": ({}, False),
    "loopback by name": ({"HOST": "localhost"}, False),
    "another loopback address": ({"HOST": "127.0.0.9"}, False),
    "loopback of IPv6": ({"HOST": "::1"}, False),
    "loopback, asked for": ({"KEYS_REQUIRED": "true"}, True),
    "all addresses": ({"HOST": "0.0.0.0"}, True),
    "all addresses of IPv6": ({"HOST": "::"}, True),
    "a private address": ({"HOST": "192.168.1.2"}, True),
    "a name": ({"HOST": "fish.example"}, True),
}


@pytest.mark.parametrize(("variables", "needs_keys"), NEEDS.values(), ids=NEEDS)
def test_keys_are_needed_wherever_others_can_come(variables: dict[str, str], needs_keys: bool) -> None:
    assert read(**variables).needs_keys is needs_keys


def test_a_list_of_labels_in_escapes_fits_into_an_option() -> None:
    labels = "[" + ",".join('"' + "\\ud83d\\udc1f" * 100 + '"' for _ in range(100)) + "]"
    assert len(labels) < Settings().field_bytes

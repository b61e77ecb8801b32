"""What the processes that are started know of the shell that started them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server import gateway_process, instance
from server.configuration import Settings
from server.inheriting import inherited

SECRETS = {
    "FISHGATE_KEY": "fg_of_a_client",
    "HF_TOKEN": "hf_1",
    "HUGGING_FACE_HUB_TOKEN": "hf_2",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "s3",
    "AWS_SESSION_TOKEN": "s4",
    "AZURE_CLIENT_SECRET": "s5",
    "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/account.json",
    "WANDB_API_KEY": "s6",
    "openaiapikey": "s7",
    "Restic_Password": "s8",
    "MYSQL_PWD_PASSWD": "s9",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=secret",
    "HTTPS_PROXY": "http://me:hidden@proxy:3128",
    "DATABASE_URL": "postgres://me:hidden@database/fish",
}

OTHERS = {
    "PATH": "/usr/bin",
    "PWD": "/srv",
    "HOME": "/home/me",
    "HTTP_PROXY": "http://proxy:3128",
    "CUDA_VISIBLE_DEVICES": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "KEYBOARD": "de",
    "MONKEY": "business",
    "FISHGATE_PUBLIC_KEY": "/etc/owner.pub",
    "FISHGATE_KEY_FILE": "/srv/key_file.json",
    "FISHGATE_HEALTHCHECK_KEY_FILE": "/run/secrets/healthcheck_key",
    "FISHGATE_GATEWAY_KEY_FILES": "/run/secrets/metrics_key",
    "FISHGATE_GATEWAY_KEYS_REQUIRED": "true",
}


def test_secrets_are_not_passed_on_and_all_others_are() -> None:
    assert inherited({**SECRETS, **OTHERS, "PYTHONDONTWRITEBYTECODE": "1"}) == OTHERS


def test_a_process_with_torchserves_environment_does_not_see_the_keys_of_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**SECRETS, "CUDA_VISIBLE_DEVICES": "0"}.items():
        monkeypatch.setenv(name, value)
    told = instance.environment(Settings(home=tmp_path))
    code = "import os; print('\\n'.join(os.environ))"
    done = subprocess.run([sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True)
    seen = set(done.stdout.split())
    assert seen & set(SECRETS) == set()
    assert {"FISHGATE_KEY_FILE", "FISHGATE_INFERENCE_URL", "JAVA_HOME", "CUDA_VISIBLE_DEVICES"} <= seen
    assert os.environ["HF_TOKEN"] == "hf_1"  # taken from no other process


def test_the_gateway_sees_what_is_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    of_gateway = gateway_process.environment(Settings(home=tmp_path))
    assert "FISHGATE_KEY" not in of_gateway
    assert of_gateway["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=secret"

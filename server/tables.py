"""What the scripts show to people.

Owns tables and sentences; it asks no server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from server.configuration import LOOPBACK, Settings


def show_answers(answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Print a table of answers and errors, each with the name of its picture."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("picture", "label", "scientific name", "rank", "confidence", "answered by", "note"):
        table.add_column(heading, justify="right" if heading == "confidence" else "left", overflow="fold")
    for name, answer in answers:
        table.add_row(name, *_columns(answer))
    _console().print(table)


def show_workers(model: str, description: dict[str, Any]) -> None:
    """Print a model's workers as TorchServe describes them."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("model", "worker", "status", "process", "memory"):
        table.add_column(heading)
    for worker in description["workers"]:
        table.add_row(model, worker["id"], worker["status"], str(worker["pid"]), _memory(worker["pid"]))
    _console().print(table)


def show_addresses(settings: Settings) -> None:
    """Print where the server listens and how to use it."""
    ports, gateway = settings.ports, settings.gateway_url
    door = [
        f"page        {gateway}   (your pictures, in a browser)",
        f"API         {gateway}/v1/identify   (gRPC on port {ports.gateway_grpc}; more at {gateway}/docs)",
    ]
    lines = [
        *(door if settings.has_gateway else []),
        f"inference   {settings.url}/wfpredict/fish   (gRPC on port {ports.grpc_inference})",
        f"management  {settings.management_url}   (gRPC on port {ports.grpc_management})",
        f"metrics     {settings.metrics_url}",
        f"tokens      {settings.key_file if settings.has_tokens else 'none are asked for'}",
        *(["keys        scripts/keys add NAME"] if settings.has_gateway and settings.host != LOOPBACK else []),
        f"try         scripts/identify {'' if settings.has_gateway else '--torchserve '}PICTURE…",
    ]
    for line in lines:
        print(line)


def _columns(answer: dict[str, Any]) -> tuple[str, ...]:
    if "error" in answer:
        return "-", "-", "-", "-", "-", f"{answer['error']['code']}: {answer['error']['message']}"
    taxon = (answer[key] or "-" for key in ("label", "scientific_name", "rank"))
    return (*taxon, f"{answer['confidence']:.1%}", str(answer["source"]), _note(answer))


def _note(answer: dict[str, Any]) -> str:
    if answer["degraded"]:
        return "unsure: zero_shot could not be asked"
    if answer["label"] is None:
        return f"unsure: perhaps {answer['candidates'][0]['label']}"
    if answer["low_confidence"]:
        return "unsure: do not trust this answer"
    return ""


def _memory(pid: int) -> str:
    # TorchServe tells a worker's memory only while its system metrics are on.
    try:
        return f"{psutil.Process(pid).memory_info().rss / 1e6:.0f} MB"
    except psutil.Error:
        return "-"


def _console() -> Console:
    # Into a pipe rich would fold to 80 columns; a table that is read by a program must not fold.
    console = Console()
    return console if console.is_terminal else Console(width=200)

"""What ``scripts/identify`` does: pictures from disk to the running server, answers to the screen."""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from server.configuration import DEFAULT_HOME, recall
from server.management import ManagementError, TorchServe
from server.tables import show_answers

AT_ONCE = 8


def identify(options: argparse.Namespace) -> int:
    """Identify the pictures, print answers in the order given, and return the exit status."""
    server = TorchServe(recall((options.home or DEFAULT_HOME).resolve()))
    form = form_from(options)
    answers = []
    try:
        with ThreadPoolExecutor(AT_ONCE) as executor:
            for answer in executor.map(lambda path: _identified(server, path, form), options.pictures):
                answers.append(answer)
                if options.json:
                    print(json.dumps(answer, ensure_ascii=False), flush=True)
    except ManagementError as error:
        print(f"fishgate: {error}; start the server with scripts/serve", file=sys.stderr)
        return 2
    if not options.json:
        show_answers([(path.name, answer) for path, answer in zip(options.pictures, answers, strict=True)])
    return 1 if any("error" in answer for answer in answers) else 0


def form_from(options: argparse.Namespace) -> dict[str, str]:
    """Return the form fields of the options that were given."""
    given = {
        "top_k": options.top_k,
        "threshold": options.threshold,
        "species_list": options.species_list,
        "labels": json.dumps(options.labels) if options.labels else None,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _identified(server: TorchServe, path: Path, form: dict[str, str]) -> dict[str, Any]:
    try:
        picture = path.read_bytes()
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror}"
        return {"error": {"status": 400, "code": "unreadable_file", "message": message}}
    return server.identify(picture, form)

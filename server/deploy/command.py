"""What ``scripts/deploy_model`` does: one change at a time, told in sentences.

Owns the command's words, its exit status, and that two of them never run at once.
"""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from server import gateway_process
from server.archives import BuildError, model_sources
from server.configuration import DEFAULT_HOME, Settings, recall
from server.deploy.deploying import MODELS, Deployer
from server.deploy.errors import DeployError
from server.deploy.journal import Phase, read_journal
from server.management import MODEL_NAMES, ManagementError, TorchServe
from server.manifests import ManifestError

_LOCK = "deployment.lock"
_SHARES = "{change.path} gets {share:.0%} of the packets; its figures bear its version on the gateway's /metrics"
_ENDS = "end it with scripts/deploy_model --promote or scripts/deploy_model --roll-back"


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    settings = recall((options.home or DEFAULT_HOME).resolve())
    signal.signal(signal.SIGTERM, _leave)
    try:
        with _alone(settings.home):
            _act(settings, options)
    except (DeployError, BuildError, ManagementError, ManifestError) as error:
        say(str(error))
        _say_what_is_left(settings)
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        _say_what_is_left(settings)
        return 130
    return 0


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"fishgate: {text}", file=sys.stderr, flush=True)


def _act(settings: Settings, options: argparse.Namespace) -> None:
    deployer = Deployer(settings, has_gateway=lambda: gateway_process.running(settings) is not None, say=say)
    if options.status:
        _show_state(settings)
    elif options.promote:
        deployer.promote()
    elif options.roll_back:
        say("what was under way is undone" if deployer.roll_back() else "no canary is under way")
    elif options.pack is None:
        deployer.share(options.canary)
        _show_state(settings)
    else:
        _deploy(deployer, settings, options)


def _deploy(deployer: Deployer, settings: Settings, options: argparse.Namespace) -> None:
    wanted = [options.only] if options.only else MODELS
    sources = [one for one in model_sources(options.pack, settings.device) if one.name in wanted]
    is_changed = deployer.deploy(options.pack, sources, golden=options.golden, share=options.canary)
    if is_changed and options.only and options.pack != settings.pack:
        say(f"scripts/serve --packs {settings.pack} would bring back the {options.only} of that pack")
    _show_state(settings)


def _show_state(settings: Settings) -> None:
    """Print which versions are served, and what is under way."""
    found, server = read_journal(settings.home), TorchServe(settings)
    for model in MODELS:
        name = MODEL_NAMES[model]
        default = server.describe(model)["modelVersion"]
        beside = sorted(set(server.versions(name)) - {default})
        print(f"{model}: {name}/{default}{', beside it ' + ', '.join(beside) if beside else ''}")
    if found is not None and found.phase is Phase.CANARY:
        for change in found.changes:
            print(_SHARES.format(change=change, share=found.share))
        print(_ENDS)


def _say_what_is_left(settings: Settings) -> None:
    try:
        found = read_journal(settings.home)
    except DeployError:
        return
    if found is not None and found.phase is Phase.CANARY:
        say(f"a canary is under way; {_ENDS}")
    elif found is not None:
        say(f"a change is half done ({found.phase.value}); any call of scripts/deploy_model brings it to an end")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the lock of this home; raise DeployError if somebody else does. It ends with the process."""
    if not home.is_dir():
        raise DeployError(f"there is no server in {home}; start one with scripts/serve")
    with (home / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DeployError("another scripts/deploy_model is at work on this server; wait until it is done") from None
        yield


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does: what was begun is undone on the way."""
    raise KeyboardInterrupt

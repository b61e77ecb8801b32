"""What ``scripts/deploy_model`` does: one change at a time, told in sentences.

Owns the command's words and its exit status.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn

from server import gateway_process
from server.archives import BuildError, model_sources
from server.configuration import DEFAULT_HOME, Settings, recall
from server.deploy.alone import alone
from server.deploy.deploying import Deployer
from server.deploy.errors import DeployError
from server.deploy.journal import WHAT_ENDS_IT, Deployment, Phase, read_journal
from server.deploy.traffic import set_aside
from server.management import MODEL_NAMES, ManagementError, TorchServe
from server.manifests import ManifestError
from server.saying import say

_SHARES = "{change.path} gets {share:.0%} of the packets; its figures bear its version on the gateway's /metrics"
_ASIDE = "{path} gets no packets any more: the gateway set it aside, as it failed or could not be read; see {log}"


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    settings = recall((options.home or DEFAULT_HOME).resolve())
    signal.signal(signal.SIGTERM, _leave)
    try:
        _demand_a_server(settings.home)
        if options.status:
            _show_state(settings)
            return 0
        with alone(settings.home, "scripts/deploy_model"):
            return _changed(settings, options)
    except (DeployError, ManagementError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _changed(settings: Settings, options: argparse.Namespace) -> int:
    """Do what is asked for; return the exit status, and say what is left of a change that did not come to its end."""
    try:
        _act(settings, options)
    except (DeployError, BuildError, ManagementError, ManifestError) as error:
        say(str(error))
        status = 1
    except KeyboardInterrupt:
        say("interrupted")
        status = 130
    else:
        return 0
    _say_what_is_left(settings.home)
    return status


def _act(settings: Settings, options: argparse.Namespace) -> None:
    deployer = Deployer(settings, has_gateway=lambda: gateway_process.running(settings) is not None, say=say)
    if options.promote:
        deployer.promote()
    elif options.roll_back:
        say("what was under way is undone" if deployer.roll_back() else "nothing is under way that could be undone")
    elif options.pack is None:
        deployer.share(options.canary)
        _show_state(settings)
    else:
        _deploy(deployer, settings, options)


def _deploy(deployer: Deployer, settings: Settings, options: argparse.Namespace) -> None:
    if options.only and options.only not in settings.served_models:
        served = " and ".join(settings.served_models)
        raise DeployError(f"{options.only} is not served here, only {served}: deploy it on the machine that serves it")
    wanted = [options.only] if options.only else settings.served_models
    sources = [one for one in model_sources(options.pack, settings.device) if one.name in wanted]
    is_changed = deployer.deploy(options.pack, sources, golden=options.golden, share=options.canary)
    if is_changed and len(wanted) < len(settings.served_models) and options.pack != settings.pack:
        say(f"the next start by scripts/serve brings back the {options.only} of the pack {settings.pack}")
    _show_state(settings)


def _show_state(settings: Settings) -> None:
    """Print which versions are served, and what is under way."""
    found, server = read_journal(settings.home), TorchServe(settings)
    for model in settings.served_models:
        name = MODEL_NAMES[model]
        default = server.describe(model)["modelVersion"]
        beside = sorted(set(server.versions(name)) - {default})
        print(f"{model}: {name}/{default}{', beside it ' + ', '.join(beside) if beside else ''}")
    if found is not None:
        _show_change(settings, found)


def _show_change(settings: Settings, found: Deployment) -> None:
    refused = set_aside(settings.home)
    for change in found.changes:
        if change.path in refused:
            print(_ASIDE.format(path=change.path, log=settings.gateway_log))
        elif found.phase is Phase.CANARY:
            print(_SHARES.format(change=change, share=found.share))
    if found.phase is Phase.CANARY:
        print(WHAT_ENDS_IT[Phase.CANARY])
    else:
        print(f"a change is {found.phase.value}; unless scripts/deploy_model is at work, {WHAT_ENDS_IT[found.phase]}")


def _say_what_is_left(home: Path) -> None:
    try:
        found = read_journal(home)
    except DeployError:
        return  # it was said already
    if found is not None and found.phase is Phase.CANARY:
        say(f"a canary is under way; {WHAT_ENDS_IT[Phase.CANARY]}")
    elif found is not None:
        say(f"a change is half done ({found.phase.value}); {WHAT_ENDS_IT[found.phase]}")


def _demand_a_server(home: Path) -> None:
    if not home.is_dir():
        raise DeployError(f"there is no server in {home}; start one with scripts/serve")


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does: what was begun is undone on the way."""
    raise KeyboardInterrupt

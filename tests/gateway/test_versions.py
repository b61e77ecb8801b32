"""Packets go where the traffic file says, and what is under way to a version is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fishgate.errors import FishgateError, SettingError
from fishgate.options import Options
from fishgate.packet import read_description, write_describe, write_packet
from gateway.backend import WorkerLost
from gateway.identifier import EngineSettings, Identifier
from gateway.traffic import SEEN_FILE, TRAFFIC_FILE, read_traffic
from gateway.trials import TrialRule, Trials
from gateway.version_figures import PrometheusVersionFigures
from gateway.versioned import VersionedBackend
from gateway.versions import Versions
from tests.gateway.engine_parts import BRIGHT, in_s, packed, until
from tests.gateway.torchserve_stand_in import EXPERT, ZERO_SHOT, StandIn, running

TWO = write_packet([packed("a"), packed("b", b"no picture")])
OTHER = {"name": ZERO_SHOT, "version": None}
"""The stand-in has two models and no versions: the other model does for another version of the expert."""


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / TRAFFIC_FILE


def route(main: dict[str, Any], canary: dict[str, Any] | None = None, share: float = 0.0, mark: str = "m") -> str:
    return json.dumps({"mark": mark, "expert": {"main": main, "canary": canary, "share": share}})


MAIN = {"name": EXPERT, "version": None}
DIVIDED = route(MAIN, OTHER, 0.25)


def posted(server: StandIn, versions: Versions, *bodies: bytes) -> tuple[list[Any], dict[str, float]]:
    """What became of the packets to the expert, one after the other, and the figures by version and outcome."""
    registry = CollectorRegistry()

    async def story() -> list[Any]:
        backend = VersionedBackend(server.url, None, versions, PrometheusVersionFigures(registry))
        results: list[Any] = []
        for body in bodies:
            try:
                results.append(await backend.post("expert", body))
            except FishgateError as error:
                results.append(error)
        await backend.close()
        return results

    results = asyncio.run(story())
    samples = [sample for family in registry.collect() for sample in family.samples if sample.name.endswith("_total")]
    return results, {f"{one.labels['version']} {one.labels['outcome']}": one.value for one in samples}


def test_without_a_file_everything_goes_where_it_always_went(server: StandIn, file: Path) -> None:
    versions = Versions(file)
    versions.look()
    _, figures = posted(server, versions, TWO)
    assert (server.expert.sizes, server.zero_shot.sizes) == ([2], [])
    assert figures == {"default answered": 1, "default refused": 1}
    assert not file.with_name(SEEN_FILE).exists()


def test_everything_goes_to_the_version_of_the_file(server: StandIn, file: Path) -> None:
    file.write_text(route(OTHER))
    versions = Versions(file)
    versions.look()
    posted(server, versions, TWO, write_describe())
    assert (server.expert.sizes, server.zero_shot.sizes) == ([], [2])
    assert server.zero_shot.descriptions == 1


def test_a_version_is_part_of_the_address(server: StandIn, file: Path) -> None:
    file.write_text(route({"name": EXPERT, "version": "demo-4"}))
    versions = Versions(file)
    versions.look()
    (error,), figures = posted(server, versions, TWO)  # the stand-in has no such address
    assert "fish__expert/demo-4" in str(error)
    assert figures == {"demo-4 failed": 2}


def test_a_canary_gets_its_share(server: StandIn, file: Path) -> None:
    file.write_text(DIVIDED)
    drawn = iter([0.24, 0.25, 0.0, 0.99])
    versions = Versions(file, draw=lambda: next(drawn))
    versions.look()
    posted(server, versions, TWO, TWO, TWO, TWO)
    assert (server.expert.sizes, server.zero_shot.sizes) == ([2, 2], [2, 2])


def test_a_wish_for_a_description_goes_to_the_main_version(server: StandIn, file: Path) -> None:
    file.write_text(DIVIDED)
    versions = Versions(file, draw=lambda: 0.0)
    versions.look()
    (reply,), figures = posted(server, versions, write_describe())
    assert read_description(reply).card.kind.value == "expert"
    assert figures == {}


def test_what_a_canary_fails_at_the_main_version_answers(server: StandIn, file: Path) -> None:
    file.write_text(route(MAIN, {"name": ZERO_SHOT, "version": "gone"}, 1.0))
    versions = Versions(file)
    versions.look()
    (reply,), figures = posted(server, versions, TWO)
    assert isinstance(reply, bytes)
    assert server.expert.sizes == [2]
    assert figures == {"gone failed": 2, "default answered": 1, "default refused": 1}


def test_a_canary_that_gets_everything_describes_itself(server: StandIn, file: Path) -> None:
    file.write_text(route(MAIN, OTHER, 1.0))
    versions = Versions(file)
    versions.look()
    (reply,), _ = posted(server, versions, write_describe())
    assert read_description(reply).card.kind.value == "zero_shot"


def hanging(server: StandIn, file: Path, trials: Trials) -> Versions:
    """Everything goes to a canary that does not answer."""
    file.write_text(route(MAIN, OTHER, 1.0))
    versions = Versions(file)
    versions.trials = trials
    versions.look()
    server.zero_shot.hold.clear()
    return versions


def test_a_canary_that_hangs_holds_nobody_up_and_is_set_aside(server: StandIn, file: Path) -> None:
    versions = hanging(server, file, Trials(TrialRule(failures=2, first_s=0.02, least_s=0.02, times=0.0)))
    replies, figures = posted(server, versions, TWO, TWO, TWO)
    assert all(isinstance(reply, bytes) for reply in replies)
    assert (server.expert.sizes, server.zero_shot.sizes) == ([2, 2, 2], [2, 2])
    assert figures == {"default failed": 4, "default answered": 3, "default refused": 3}
    assert versions.busy[ZERO_SHOT] == 0


def test_who_was_set_aside_is_told_and_gets_another_chance_with_the_next_file(server: StandIn, file: Path) -> None:
    versions = hanging(server, file, Trials(TrialRule(failures=1, first_s=0.02)))
    posted(server, versions, TWO)
    versions.look()
    assert json.loads(file.with_name(SEEN_FILE).read_text())["set_aside"] == [ZERO_SHOT]
    server.zero_shot.hold.set()
    file.write_text(route(MAIN, OTHER, 1.0, mark="again"))
    versions.look()
    posted(server, versions, TWO)
    assert server.zero_shot.sizes == [2, 2]
    assert json.loads(file.with_name(SEEN_FILE).read_text()) == {"mark": "again", "busy": {}, "set_aside": []}


UNREADABLE = {"no reply at all": b"fish", "one too few": b"[]"}


@pytest.mark.parametrize("reply", UNREADABLE.values(), ids=UNREADABLE)
def test_a_canary_that_cannot_be_read_is_set_aside_at_once(server: StandIn, file: Path, reply: bytes) -> None:
    file.write_text(route(MAIN, OTHER, 1.0))
    versions = Versions(file)
    versions.look()
    server.zero_shot.raw_reply = reply
    (answered,), _ = posted(server, versions, TWO)
    assert isinstance(answered, bytes)
    assert answered != reply
    assert versions.trials.set_aside == {ZERO_SHOT}


def test_a_canary_that_describes_itself_unreadably_is_found_without_a_picture(server: StandIn, file: Path) -> None:
    file.write_text(route(MAIN, OTHER, 1.0))
    versions = Versions(file)
    versions.look()
    server.zero_shot.raw_description = b'{"card": "another form"}'
    (answered,), _ = posted(server, versions, write_describe())
    assert read_description(answered).card.kind.value == "expert"
    assert versions.trials.set_aside == {ZERO_SHOT}


def test_a_failure_now_and_then_sets_nobody_aside() -> None:
    trials = Trials(TrialRule(failures=2))
    for _ in range(5):
        trials.failed("a", "its worker ended")
        trials.went_well("a")
    assert trials.set_aside == set()
    trials.failed("a", "its worker ended")
    trials.failed("b", "its worker ended")
    assert trials.set_aside == set()
    trials.failed("a", "its worker ended")
    assert trials.set_aside == {"a"}


def test_a_canary_is_waited_for_a_few_times_as_long_as_the_main_version() -> None:
    trials = Trials(TrialRule(times=4.0, least_s=2.0, first_s=10.0))
    assert trials.limit_s("expert") == 10.0
    trials.main_took("expert", 3.0)
    assert (trials.limit_s("expert"), trials.limit_s("zero_shot")) == (12.0, 10.0)
    for _ in range(200):
        trials.main_took("expert", 0.01)
    assert trials.limit_s("expert") == 2.0


def test_the_main_version_is_measured_before_there_is_a_canary(server: StandIn, file: Path) -> None:
    server.expert.seconds = 0.6
    versions = Versions(file)
    posted(server, versions, TWO)
    assert 2.0 < versions.trials.limit_s("expert") < TrialRule().first_s


def test_what_both_fail_at_is_lost(server: StandIn, file: Path) -> None:
    file.write_text(DIVIDED)
    versions = Versions(file, draw=lambda: 0.0)
    versions.look()
    server.expert.fail_next = server.zero_shot.fail_next = 1
    (error,), _ = posted(server, versions, TWO)
    assert isinstance(error, WorkerLost)


def test_the_file_is_followed_and_it_is_told_what_is_still_under_way(server: StandIn, file: Path) -> None:
    changes: list[str] = []
    versions = Versions(file, on_change=lambda: changes.append(versions.mark), look_every_s=0.005)
    seen = file.with_name(SEEN_FILE)

    def told() -> Any:
        return json.loads(seen.read_text()) if seen.exists() else None

    async def story() -> None:
        versions.start()
        backend = VersionedBackend(server.url, None, versions)
        server.expert.hold.clear()
        under_way = asyncio.create_task(backend.post("expert", TWO))
        await until(lambda: server.expert.packets != [])
        file.write_text(route(OTHER, mark="first"))
        await until(lambda: told() == {"mark": "first", "busy": {EXPERT: 1}, "set_aside": []})
        server.expert.hold.set()
        await under_way
        await until(lambda: told() == {"mark": "first", "busy": {}, "set_aside": []})
        file.unlink()
        await until(lambda: told() == {"mark": "", "busy": {}, "set_aside": []})
        await versions.close()
        await backend.close()

    asyncio.run(story())
    assert changes == ["first", ""]


WRONG = {
    "no JSON": ("{", "Invalid JSON"),
    "an unknown key": ('{"share": 1}', "unknown key 'share'"),
    "a name that leads elsewhere": (route({"name": "../models", "version": None}), r"expert\.main\.name"),
    "a share above 1": (route(MAIN, OTHER, 2.0), r"expert\.share"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_changes_nothing(file: Path, text: str, message: str, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(route(OTHER))
    versions = Versions(file)
    versions.look()
    file.write_text(text)
    with pytest.raises(SettingError, match=message):
        read_traffic(file)
    versions.look()
    versions.look()
    assert versions.routes["expert"].main.path == ZERO_SHOT
    assert caplog.text.count("everything stays with the versions") == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / TRAFFIC_FILE
    file.write_text(route(OTHER))
    (tmp_path / SEEN_FILE).mkdir()
    versions = Versions(file)
    versions.look()
    versions.look()
    assert versions.routes["expert"].main.path == ZERO_SHOT
    assert caplog.text.count("no model can be changed") == 1


def test_no_answer_of_another_version_is_remembered(server: StandIn, file: Path) -> None:
    async def story() -> list[str | None]:
        engine = Identifier(EngineSettings(server.url, traffic_file=file))
        await engine.start()

        async def model() -> str | None:
            answer = await engine.identify(BRIGHT, Options(), deadline_s=in_s(30), request_id="r")
            return answer.models.expert

        async def follows(mark: str) -> None:
            await until(lambda: engine._versions.mark == mark)

        seen = [await model(), await model()]
        file.write_text(route(MAIN, OTHER, 0.0, mark="divided"))
        await follows("divided")
        asked = len(server.expert.packets)
        seen += [await model(), await model()]
        assert len(server.expert.packets) == asked + 2  # while two versions answer, nothing is remembered
        server.expert.version = "2"
        file.write_text(route(MAIN, mark="changed"))
        await follows("changed")
        seen.append(await model())
        await engine.close()
        return seen

    assert asyncio.run(story()) == ["1", "1", "1", "1", "2"]
    assert len(server.expert.packets) == 4

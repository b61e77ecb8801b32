"""Where the hosts are: as the settings say, and as names lead."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.resolving import Directory, key_file_of, look_up, read_addresses

READ = {
    "one": ("http://127.0.0.1:8080", ["http://127.0.0.1:8080"]),
    "a slash behind it": ("http://fish-1:8080/", ["http://fish-1:8080"]),
    "several, one of them twice": (" http://a:1, http://b:2 ,,http://a:1 ", ["http://a:1", "http://b:2"]),
    "IPv6": ("http://[::1]:8080", ["http://[::1]:8080"]),
    "without a port": ("http://fish-1,https://fish-2", ["http://fish-1:80", "https://fish-2:443"]),
}


@pytest.mark.parametrize(("text", "urls"), READ.values(), ids=READ)
def test_addresses_are_read(text: str, urls: list[str]) -> None:
    assert [one.url for one in read_addresses(text)] == urls


WRONG = {
    "nothing": " , ",
    "no scheme": "fish-1:8080",
    "another scheme": "ftp://fish-1:8080",
    "no host": "http://:8080",
    "no number": "http://fish-1:eighty",
    "a path": "http://fish-1:8080/predictions",
    "a name and a password": "http://me:secret@fish-1:8080",
    "a certificate for addresses": "dns+https://fish:8080",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed are http://host:port and dns\+http://name:port"):
        read_addresses(text)


def test_each_address_of_a_name_is_a_host() -> None:
    async def lookup(name: str, port: int) -> list[str]:
        assert (name, port) == ("fish", 8080)
        return ["10.0.0.2", "::2", "10.0.0.1", "10.0.0.2"]

    directory = Directory({"expert": read_addresses("dns+http://fish:8080,http://other:80")}, lookup=lookup)
    assert directory.has_names
    assert set(directory.hosts()) == {"http://other:80"}
    hosts = asyncio.run(directory.look())
    assert set(hosts) == {"http://10.0.0.1:8080", "http://10.0.0.2:8080", "http://[::2]:8080", "http://other:80"}


def test_a_name_that_is_lost_keeps_its_hosts(caplog: pytest.LogCaptureFixture) -> None:
    known = [["10.0.0.1"], [], [], ["10.0.0.2"]]

    async def lookup(_name: str, _port: int) -> list[str]:
        addresses = known.pop(0)
        if not addresses:
            raise OSError("Name or service not known")
        return addresses

    async def story() -> None:
        directory = Directory({"expert": read_addresses("dns+http://fish:80")}, lookup=lookup)
        for _ in range(3):
            assert await directory.look() == {"http://10.0.0.1:80": frozenset({"expert"})}
        assert await directory.look() == {"http://10.0.0.2:80": frozenset({"expert"})}

    asyncio.run(story())
    assert caplog.text.count("fish cannot be resolved, its hosts stay as they were") == 1


def test_models_share_the_hosts_that_both_have() -> None:
    addresses = {"expert": read_addresses("http://a:1,http://b:1"), "zero_shot": read_addresses("http://b:1")}
    assert Directory(addresses).hosts() == {
        "http://a:1": frozenset({"expert"}),
        "http://b:1": frozenset({"expert", "zero_shot"}),
    }


def test_the_systems_resolver_knows_this_machine() -> None:
    assert {"127.0.0.1", "::1"} & set(asyncio.run(look_up("localhost", 80)))


def test_each_host_may_have_a_key_file_of_its_own() -> None:
    assert key_file_of("http://fish-1:8080", Path("/keys/{host}-{port}.json")) == Path("/keys/fish-1-8080.json")
    assert key_file_of("http://fish-1:8080", Path("/keys/all.json")) == Path("/keys/all.json")
    assert key_file_of("http://fish-1:8080", None) is None

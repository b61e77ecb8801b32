"""The page's files: served with their types and a strict policy, and nothing else of the disk."""

from __future__ import annotations

import re

import pytest

from gateway.http.page import FOLDER, TYPES
from tests.gateway.http_door import Door
from tests.gateway.sockets import connected, head, reply_of


def test_the_page_is_at_the_root(door: Door) -> None:
    reply = door.get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.content == (FOLDER / "index.html").read_bytes()


def test_every_file_of_the_page_is_served_with_its_type(door: Door) -> None:
    files = [path for path in FOLDER.rglob("*") if path.suffix in TYPES]
    assert len(files) > 3
    for path in files:
        reply = door.get(f"/page/{path.relative_to(FOLDER)}")
        assert (reply.status_code, reply.headers["content-type"]) == (200, TYPES[path.suffix])
        assert reply.content == path.read_bytes()


def test_scripts_are_called_scripts_whatever_this_system_calls_them() -> None:
    assert TYPES[".js"].startswith("text/javascript")


def test_nothing_runs_or_loads_that_is_not_ours(door: Door) -> None:
    policy = door.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_itself_keeps_to_the_policy() -> None:
    for path in FOLDER.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text), path.name
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path.name


def test_a_browser_that_has_a_file_is_not_sent_it_again(door: Door) -> None:
    first = door.get("/page/icon.svg")
    again = door.get("/page/icon.svg", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert "content-security-policy" in again.headers


OUTSIDE = (
    "/page/../app.py",
    "/page/..%2fapp.py",
    "/page/%2e%2e/app.py",
    "/page/%2e%2e%2f%2e%2e%2fREADME.md",
    "/page//etc/passwd",
    "/page/%2fetc%2fpasswd",
    "/page/..%5capp.py",
    "/page/icon.svg%00.html",
    "/page/" + "a" * 5_000,
    "/page/",
    "/page",
    "/page/../page",
)


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:30])
def test_no_path_leads_out_of_the_folder(door: Door, path: str) -> None:
    with connected(door) as one:  # a client library would straighten the path before it sends it
        one.sendall(head(path, method="GET"))
        status, headers, body = reply_of(one)
    assert (status, headers["content-type"]) == (404, "application/json")
    assert b"not_found" in body


def test_only_kinds_of_files_that_belong_to_a_page_are_served(door: Door) -> None:
    stray = FOLDER / "stray.py"
    stray.write_text("SECRET = 1\n")
    try:
        assert door.get("/page/stray.py").status_code == 404
    finally:
        stray.unlink()


def test_pages_answer_to_head_and_refuse_the_rest(door: Door) -> None:
    import requests

    reply = requests.head(f"{door.url}/", timeout=30)
    assert (reply.status_code, reply.content) == (200, b"")
    for path in ("/", "/page/icon.svg"):
        reply = requests.post(f"{door.url}{path}", timeout=30)
        assert (reply.status_code, reply.json()["error"]["code"]) == (405, "method_not_allowed")
        assert "GET" in reply.headers["allow"]

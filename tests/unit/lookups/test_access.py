"""Who may look up: the rules of host, token and URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams import app
from streams.errors import USAGE, Stop
from streams.lookups import access
from streams.settings import Settings, SettingsError, environment, load, shown

TOKEN = "sixteen-or-more-characters"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_a_port_that_others_reach_needs_a_token(host: str, local: bool) -> None:
    assert access.is_loopback(host) == local
    open_ = Settings(lookup_port=0, lookup_host=host)
    access.check(Settings(lookup_host=host))
    access.check(open_.model_copy(update={"lookup_token": Settings(lookup_token=TOKEN).lookup_token}))  # type: ignore[arg-type]
    if local:
        access.check(open_)
        return
    with pytest.raises(Stop, match="would tell the state of every device") as caught:
        access.check(open_)
    assert caught.value.exit_code == USAGE


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:9470", True),
        ("http://localhost:{port}/base", True),
        ("http://[::1]:{port}", True),
        ("https://lookups.example", False),
        ("http://10.0.0.1:{port}", False),
        ("http://127.0.0.1.example:9470", False),
        ("http://[::1", False),
    ],
)
def test_a_proxy_that_others_reach_needs_a_token(url: str, local: bool) -> None:
    behind = Settings(lookup_port=0, lookup_url=url)
    access.check(Settings(lookup_url=url))
    access.check(Settings(lookup_port=0, lookup_url=url, lookup_token=TOKEN))  # type: ignore[arg-type]
    if local:
        access.check(behind)
        return
    with pytest.raises(Stop, match="would tell the state of every device") as caught:
        access.check(behind)
    assert caught.value.exit_code == USAGE
    assert "RINGBACK_LOOKUP_URL" in caught.value.remedy


def test_a_worker_refuses_to_be_built_without_it(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="whoever asks"):
        app.build(Settings(state_dir=tmp_path, lookup_port=0, lookup_host="0.0.0.0"))


def test_the_port_is_off_by_default(tmp_path: Path) -> None:
    assert app.build(Settings(state_dir=tmp_path)).engine.lookups is None
    assert app.build(Settings(state_dir=tmp_path, lookup_port=0)).engine.lookups is not None


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", None),
        ("", 401),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer ", 403),
        (f"Bearer {TOKEN}x", 403),
        (f"Bearer {TOKEN[:-1]}", 403),
        (f"Bearer {TOKEN.upper()}", 403),
        ("Bearer \udcff", 403),
    ],
)
def test_the_token_must_be_shown_whole(authorization: str, status: int | None) -> None:
    found = access.refused({"Authorization": authorization, "Host": "anything"}, TOKEN)
    assert (found and found.status) == status


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("127.0.0.1:9470", True),
        ("localhost:9470", True),
        ("[::1]:9470", True),
        ("127.0.0.1", True),
        ("worker.test:9470", False),
        ("attacker.example:9470", False),
        ("worker.test", False),
        ("", False),
    ],
)
def test_without_a_token_a_page_in_a_browser_cannot_ask_under_its_own_name(host: str, may: bool) -> None:
    found = access.refused({"Host": host}, "")
    assert (found is None) == may


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "http://127.0.0.1:9470"),
        ({"lookup_host": "::1"}, "http://[::1]:9470"),
        ({"lookup_host": "0.0.0.0"}, "http://machine:9470"),
        ({"lookup_host": "::"}, "http://machine:9470"),
        ({"lookup_url": "https://worker-0.test/lookups/"}, "https://worker-0.test/lookups"),
        ({"lookup_url": "http://10.0.0.1:{port}"}, "http://10.0.0.1:9470"),
    ],
)
def test_what_others_reach_it_under(more: dict[str, str], url: str) -> None:
    settings = Settings(**more)  # type: ignore[arg-type]
    assert access.own_url(settings, 9470, "machine") == url


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, ""),
        ({"lookup_port": 0}, ""),
        ({"lookup_port": 9470}, "http://127.0.0.1:9470"),
        ({"lookup_url": "http://worker:1"}, "http://worker:1"),
        ({"lookup_url": "http://worker:{port}"}, ""),
        ({"lookup_url": "http://worker:{port}", "lookup_port": 9470}, "http://worker:9470"),
    ],
)
def test_what_a_command_asks(more: dict[str, object], url: str) -> None:
    assert access.asked_url(Settings(**more), "machine") == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    ["worker:1", "ftp://worker", "http://", "http://user:secret@worker", "http://a?b", "http://a b", "http://a#b"],
)
def test_what_is_no_url_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_LOOKUP_URL", url)
    with pytest.raises(SettingsError, match="RINGBACK_LOOKUP_URL"):
        load()


def test_the_token_is_shown_to_nobody_but_children(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(lookup_token=TOKEN)  # type: ignore[arg-type]
    assert shown(settings, "lookup_token") == "***"
    assert shown(Settings(), "lookup_token") == ""
    assert TOKEN not in f"{settings!r} {settings}"
    assert environment(settings)["RINGBACK_LOOKUP_TOKEN"] == TOKEN
    for wrong in ("short-token", "a token with spaces in it", "sixteen-or-more-\N{SNOWMAN}"):
        monkeypatch.setenv("RINGBACK_LOOKUP_TOKEN", wrong)
        with pytest.raises(SettingsError) as caught:
            load()
        assert "16 to 500" in str(caught.value)
        assert wrong not in str(caught.value)

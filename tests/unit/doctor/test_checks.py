"""The table of checks: complete rows, and every one is made, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.doctor import checks, packages, setup
from streams.doctor.checks import CHECKS, Check, examine
from streams.doctor.findings import Finding, Unknown, ok, wrong
from streams.doctor.site import Site
from streams.errors import Stop


def raising(error: Exception) -> Check:
    def look(site: Site) -> Iterator[Finding]:
        yield ok("first")
        raise error

    return Check("odd", "something", look, "the remedy")


def test_every_row_is_complete_and_named_once() -> None:
    assert [check.name for check in CHECKS if not all(check)] == []
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (Unknown("no broker"), ("warning", "not looked at: no broker", "")),
        (Stop("it is closed", "open it"), ("wrong", "it is closed", "open it")),
        (TimeoutError(), ("wrong", "Kafka did not answer in time", "try again with a longer --timeout")),
        (KafkaException(KafkaError(29, "not allowed")), ("wrong", "Kafka refuses: not allowed", "the remedy")),
        (
            ZeroDivisionError("bug"),
            ("wrong", "the check itself failed: ZeroDivisionError: bug", "report it with this line"),
        ),
    ],
)
def test_a_check_that_fails_says_why_and_the_next_one_is_made(error: Exception, finding: tuple[str, ...]) -> None:
    after = Check("after", "x", lambda site: [wrong("bad"), ok("good")], "the remedy")
    failed, made = examine(Site(1.0), [raising(error), after])
    assert failed.findings == (ok("first"), finding)
    assert made.findings == (wrong("bad", "the remedy"), ok("good"))
    assert made.verdict == "wrong"


def test_all_problems_of_the_settings_are_told_and_what_needs_them_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RINGBACK_GRACE", "soon")
    monkeypatch.setenv("RINGBACK_PARTITIONS", "0")
    looked = {one.check.name: one for one in examine(Site(1.0))}
    assert [one.verdict for one in looked["settings"].findings] == ["wrong", "wrong"]
    assert any("RINGBACK_GRACE" in one.found for one in looked["settings"].findings)
    assert looked["broker"].findings == (("warning", "not looked at: the settings cannot be read", ""),)
    assert looked["disk"].findings == looked["broker"].findings
    assert looked["versions"].verdict == "ok"


def test_options_that_one_client_cannot_follow_are_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_KAFKA_OPTIONS", '{"sasl.mechanism": "OAUTHBEARER"}')
    (found,) = setup.settings(Site(1.0))
    assert found.verdict == "wrong"
    assert "OAUTHBEARER" in found.found


def test_a_package_of_our_name_elsewhere_on_the_path_is_a_warning(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schemas.py").write_text("")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    found = next(one for one in packages.intruders(Site(1.0)) if str(tmp_path) in one.found)
    assert (found.verdict, "schemas" in found.found) == ("warning", True)


def test_a_second_driver_of_rocksdb_is_wrong(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rocksdb.py").write_text("")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [one.verdict for one in packages.intruders(Site(1.0)) if "second RocksDB driver" in one.found] == ["wrong"]


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_version", lambda name: None if name == "aiokafka" else "9999")
    looked = list(examine(Site(1.0), [check for check in checks.CHECKS if check.name == "versions"]))
    assert ("wrong", "aiokafka is not installed, expected ==0.14.0", "pip install 'aiokafka==0.14.0'") in looked[
        0
    ].findings

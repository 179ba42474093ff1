"""One structured line per event, whoever logs it."""

from __future__ import annotations

import io
import json
import logging

from streams import logs


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_off_a_terminal_it_is_json() -> None:
    out = io.StringIO()
    logs.setup(process="worker", stream=out)
    logs.get("streams.x").info("batch committed", partition=3)
    (line,) = lines(out)
    assert line["event"] == "batch committed"
    assert (line["partition"], line["process"], line["level"], line["logger"]) == (3, "worker", "info", "streams.x")


def test_libraries_log_the_same_way_and_only_what_matters() -> None:
    out = io.StringIO()
    logs.setup(stream=out)
    logging.getLogger("faust.worker").info("chatter")
    logging.getLogger("aiokafka").warning("a broker is %s", "gone")
    assert [line["event"] for line in lines(out)] == ["a broker is gone"]


def test_an_exception_is_in_its_line() -> None:
    out = io.StringIO()
    logs.setup(stream=out)
    try:
        raise ValueError("why")
    except ValueError:
        logs.get("x").exception("failed")
    (line,) = lines(out)
    assert "ValueError: why" in str(line["exception"])


def test_text_is_text() -> None:
    out = io.StringIO()
    logs.setup(form="text", stream=out)
    logs.get("x").warning("careful")
    assert "careful" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_what_the_kafka_client_repeats_is_logged_once() -> None:
    out = io.StringIO()
    logs.setup(stream=out)
    for milliseconds in range(50):
        logging.getLogger("kafka").error(
            "FAIL [c#1] [thrd:x]: x: Connection refused (after %dms in state)", milliseconds
        )
    logging.getLogger("kafka").error("FAIL [c#1] [thrd:x]: y: Connection refused (after 3ms in state)")
    assert len(lines(out)) == 2


def test_no_value_keeps_a_line_away() -> None:
    out = io.StringIO()
    logs.setup(stream=out)
    logs.get("x").info("odd", number=2**70, half="\ud800", thing=object)
    (line,) = lines(out)
    assert (line["event"], line["number"]) == ("odd", 2**70)


def test_a_traceback_shows_no_local_variables() -> None:
    out = io.StringIO()
    logs.setup(form="text", stream=out)
    secret = "hush" + "-hush"
    try:
        raise RuntimeError(f"{len(secret)} letters")
    except RuntimeError:
        logs.get("x").exception("it failed")
    assert "9 letters" in out.getvalue()
    assert secret not in out.getvalue()

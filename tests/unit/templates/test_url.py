from __future__ import annotations

import pytest

from tests.unit.templates.rendering import HOST, error, errors, finished, in_path, in_query, refusal


def test_a_value_in_the_query_is_percent_encoded_but_for_unreserved_characters() -> None:
    assert in_query("{click_id}", {"click_id": "aZ09-._~ /?#&=+%'é"}) == "aZ09-._~%20%2F%3F%23%26%3D%2B%25%27%C3%A9"


def test_a_slash_of_a_value_in_the_path_makes_no_segment() -> None:
    assert in_path("a/{click_id}/b", {"click_id": "x/y?z#"}) == "a/x%2Fy%3Fz%23/b"


@pytest.mark.parametrize("value", ["\r\nHost: evil", "\x00", "\x7f", "\u2028", "\\", '"', "<>"])
def test_no_value_breaks_a_url(value: str) -> None:
    url = finished({"click_id": value}, url=f"{HOST}/{{click_id}}?x={{click_id}}").url
    assert url.isascii()
    assert url.isprintable()
    assert not set(url) & set(' "\\<>')


def test_literal_text_is_kept_as_it_is_written() -> None:
    url = f"{HOST}:8443/a;b=1/%2C,%2c/?x=%7e~&y=a+b&z='(!*)'@:/?"
    assert finished(url=url).url == url


def test_a_question_mark_in_the_query_is_just_a_character() -> None:
    assert in_query("a?b={click_id|raw}", {"click_id": "c/d?e"}) == "a?b=c/d?e"


@pytest.mark.parametrize("value", [".", ".."])
def test_a_value_cannot_be_a_dot_segment_of_the_path(value: str) -> None:
    refused = refusal({"click_id": value}, url=f"{HOST}/a/{{click_id}}/b")
    assert (refused.reason, "'.' or '..'" in refused.detail) == ("unrenderable", True)


def test_values_together_cannot_be_a_dot_segment() -> None:
    url = f"{HOST}/.{{click_id}}{{user_id}}"
    assert refusal({"click_id": "", "user_id": "."}, url=url).reason == "unrenderable"
    assert refusal({}, url=url).reason == "unrenderable"


@pytest.mark.parametrize("value", ["...", "..a", ".a", "a.."])
def test_dots_beside_other_characters_are_harmless(value: str) -> None:
    assert in_path("{click_id}/x", {"click_id": value}) == f"{value}/x"


@pytest.mark.parametrize("value", ["a/../b", "..", "%2e%2E", ".%2e/x", "..;x/y"])
def test_a_raw_value_cannot_bring_a_dot_segment(value: str) -> None:
    assert refusal({"click_id": value}, url=f"{HOST}/a/{{click_id|raw}}").reason == "unrenderable"


def test_a_raw_value_cannot_bring_one_behind_literal_text_either() -> None:
    assert refusal({"click_id": "x/../y"}, url=f"{HOST}/v{{click_id|raw}}").reason == "unrenderable"


def test_dots_in_the_query_are_just_dots() -> None:
    assert in_query("/../{click_id}", {"click_id": ".."}) == "/../.."


def test_a_raw_value_keeps_what_is_legal_where_it_stands() -> None:
    value = "a/b?c=d&e=%2Ff;g,h+i:@!$'()*"
    assert in_query("{click_id|raw}", {"click_id": value}) == value
    assert in_path("{click_id|raw}", {"click_id": value}) == value.replace("?", "%3F")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", "a%20b"),
        ("\r\n", "%0D%0A"),
        ("#x", "%23x"),
        ("é", "%C3%A9"),
        ("%", "%25"),
        ("%4", "%254"),
        ("%zz", "%25zz"),
        ("%é1", "%25%C3%A91"),
        ("%%41", "%25%41"),
        ('"[]{}|\\^`<>', "%22%5B%5D%7B%7D%7C%5C%5E%60%3C%3E"),
        (5.0, "5"),
    ],
)
def test_a_raw_value_is_encoded_where_it_is_not_legal(value: object, written: str) -> None:
    assert in_query("{params.x|raw}", {"params": {"x": value}}) == written
    assert in_path("{params.x|raw}", {"params": {"x": value}}) == written


def test_a_raw_value_can_neither_change_the_host() -> None:
    assert finished({"click_id": "/evil.example/@x"}, url=f"{HOST}/{{click_id|raw}}").url == f"{HOST}//evil.example/@x"


@pytest.mark.parametrize(
    ("url", "column"),
    [
        ("{click_id}", 2),
        ("{partner.url}", 2),
        ("https://{click_id}/", 10),
        ("https://postback.{publisher_name}.example/", 19),
        ("https://acme.example{click_id}", 22),
        ("https://acme.example:{user_id}/", 23),
        ("https://${env:HOST}/", 9),
    ],
)
def test_a_macro_in_the_scheme_host_or_port_is_an_error(url: str, column: int) -> None:
    mistake = error({"url": "https://x"}, url=url)
    assert mistake.message == "a macro cannot stand in the scheme, the host or the port"
    assert mistake.column == column


@pytest.mark.parametrize(
    "url", ["https://acme.example", "http://acme.example?x=1", "HTTPS://Acme.Example:1/", "https://[::1]:8/x"]
)
def test_a_url_may_have_any_host_and_port_and_no_path(url: str) -> None:
    assert finished(url=url).url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "there is no URL"),
        ("/relative", "begins with http:// or https://"),
        ("ftp://acme.example/", "not 'ftp'"),
        ("javascript:alert(1)", "begins with http:// or https://"),
        ("https:///x", "the host is missing"),
        ("https://:80/", "the host is missing"),
        ("https://user:pass@acme.example/", "user or password"),
        ("https://acme..example/", "not a host"),
        ("https://-acme.example/", "not a host"),
        ("https://acme example/", "not a host"),
        ("https://acme.example\\@evil.example/", "user or password"),
        ("https://bücher.example/", "not a host"),
        ("https://%61cme.example/", "not a host"),
        ("https://[::1/", "not a host"),
        ("https://[::1%25eth0]/", "not a host"),
        ("https://[zz]/", "not a host"),
        ("https://[::1]x/", "not a host"),
        (f"https://{'a' * 64}.example/", "not a host"),
        (f"https://{'a.' * 130}example/", "not a host"),
        ("https://acme.example:/", "'' is not a port"),
        ("https://acme.example:0/", "'0' is not a port"),
        ("https://acme.example:65536/", "'65536' is not a port"),
        ("https://acme.example:8x/", "'8x' is not a port"),
        ("https://acme.example/a b", "' ' is not legal"),
        ("https://acme.example/a\r\nb", "is not legal"),
        ("https://acme.example/é", "'é' is not legal"),
        ("https://acme.example/#top", "fragment"),
        ("https://acme.example/%", "without two hexadecimal digits"),
        ("https://acme.example/%4{click_id}", "without two hexadecimal digits"),
        ("https://acme.example/{{x", "'{' is not legal"),
        ("https://acme.example/a/../b", "cannot be segments"),
        ("https://acme.example/%2E%2e/b", "cannot be segments"),
        ("https://acme.example/.", "cannot be segments"),
    ],
)
def test_a_url_that_is_not_legal_is_an_error(url: str, message: str) -> None:
    assert any(message in mistake.message for mistake in errors(url=url))


def test_the_column_of_an_illegal_character_is_told_with_the_way_to_write_it() -> None:
    mistake = error(url="https://acme.example/x?a={click_id}&b=é")
    assert (mistake.column, mistake.hint) == (39, "write %C3%A9")

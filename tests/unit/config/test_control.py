"""The records of pauses and holds."""

from __future__ import annotations

import pytest

from schemas.control import Control, Target, Unreadable, decode, encode


@pytest.mark.parametrize("control", [Control(paused=True, reason="410"), Control(hold_until=5), Control(), None])
def test_what_is_encoded_is_read_again(control: Control | None) -> None:
    target = Target("postback", "a/b ü")
    assert decode(*encode(target, control)) == (target, control)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"), (b"", b"{}"), (b"partner", b"{}"), (b"partner/", b"{}"), (b"app/x", b"{}"), (b"\xff/x", b"{}"),
        (b"partner/x", b""), (b"partner/x", b"[]"), (b"partner/x", b'{"paused": 1}'), (b"partner/x", b"\xff"),
        (b"partner/x", b'{"hold_until": "soon"}'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(key: bytes | None, value: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(key, value)

"""The text that a commit carries with its offset: which offsets above it are finished. Pure.

`1` (the version), then alternating lengths of unfinished and finished runs, from the committed offset upwards, each
length as little-endian groups of 5 bits in the base64 alphabet; the highest bit of a character says that another one
follows.

Where many short runs follow each other, six offsets in a character are less. A text that has such places begins with
`2`: `.` and lengths as before, and `!`, how many bits at the end are too many, and a bit for each offset (1: finished),
take turns as it comes out shorter.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter

#: Kafka's default limit for the metadata of an offset is 4,096; the commit that is over it fails, for ever.
METADATA_LIMIT = 4_095
#: A text of lengths that is no longer is good enough.
SHORT = 256

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_BITS = 6
#: Whole characters, and whole bytes.
_WHOLE = 24
#: What a segment takes at most beside its lengths, and its bits.
_LENGTHS_BEGIN, _BITS_BEGIN = 1, 6
_SEGMENT = re.compile(r"([.!])([A-Za-z0-9_-]*)")


def encode_runs(lengths: Sequence[int]) -> str:
    """Run lengths as metadata text; no runs give no text."""
    if not lengths:
        return ""
    numbers = [_NUMBERS[length] if length < len(_NUMBERS) else _number(length) for length in lengths]
    text = "1" + "".join(numbers)
    if len(text) <= SHORT:
        return text
    mixed = "2" + _mixed(lengths, numbers)
    return mixed if len(mixed) < len(text) else text


def _number(length: int) -> str:
    text = ""
    while length >= 32:
        text += _ALPHABET[32 | (length & 31)]
        length >>= 5
    return text + _ALPHABET[length]


_NUMBERS = [_number(length) for length in range(1_024)]


def _mixed(lengths: Sequence[int], numbers: Sequence[str]) -> str:
    """Segments: of lengths, and of bits where those are shorter."""
    pairs = [
        (unfinished, finished, first + second)
        for unfinished, finished, first, second in zip(
            lengths[::2], lengths[1::2], numbers[::2], numbers[1::2], strict=False
        )
        if unfinished or finished
    ]
    parts: list[str] = []
    for as_bits, group in groupby(zip(_cheapest(pairs), pairs, strict=True), key=itemgetter(0)):
        if as_bits:
            parts.append(_bitmap("".join("0" * unfinished + "1" * finished for _, (unfinished, finished, _) in group)))
        else:
            parts.append("." + "".join(text for _, (_, _, text) in group))
    if len(lengths) % 2:
        parts.append(numbers[-1] if parts and parts[-1][0] == "." else "." + numbers[-1])
    return "".join(parts)


def _cheapest(pairs: Sequence[tuple[int, int, str]]) -> list[bool]:
    """For each pair whether it is written as bits in the shortest of all texts, but for what bits are filled up with.
    Each has two ways to be written, and for each the cheaper one of how the pair before is: that is all there is to
    know.
    """
    plain, mapped = 0.0, float(_BITS_BEGIN)
    before: list[tuple[bool, bool]] = []
    for unfinished, finished, text in pairs:
        ends, goes_on = mapped + _LENGTHS_BEGIN < plain, mapped < plain + _BITS_BEGIN
        before.append((ends, goes_on))
        # Not `min`: this is done for thousands of pairs at each commit.
        as_plain = (mapped + _LENGTHS_BEGIN if ends else plain) + len(text)
        mapped = (mapped if goes_on else plain + _BITS_BEGIN) + (unfinished + finished) / _BITS
        plain = as_plain
    as_bits = mapped < plain
    chosen: list[bool] = []
    for way in reversed(before):
        chosen.append(as_bits)
        as_bits = way[as_bits]
    return chosen[::-1]


def _bitmap(bits: str) -> str:
    pad = -len(bits) % _WHOLE
    packed = int(bits + "0" * pad, 2).to_bytes((len(bits) + pad) // 8, "big")
    return "!" + _ALPHABET[pad] + urlsafe_b64encode(packed).decode()


def fitting(metadata: str) -> str:
    """As much of a metadata text as may be committed. What is left out is only sent again after a restart; a commit
    that is refused would be refused for ever.
    """
    if len(metadata) <= METADATA_LIMIT:
        return metadata
    cut = metadata[:METADATA_LIMIT]
    # Half a number would be another one; half of a bitmap says less, and nothing that is wrong.
    return cut if cut.rfind("!") > cut.rfind(".") else cut.rstrip(_ALPHABET[32:])


def decode_runs(metadata: str | None) -> list[int]:
    """Run lengths of a metadata text; a text that is not ours gives none, which is safe: the jobs are only sent
    again.
    """
    text = metadata or ""
    if text[:1] == "1":
        return _lengths(text[1:]) or []
    if text[:1] != "2":
        return []
    found = list(_SEGMENT.finditer(text, 1))
    ends = [1, *(one.end() for one in found)]
    if ends[-1] != len(text) or any(one.start() != end for one, end in zip(found, ends, strict=False)):
        return []
    runs: list[int] = []
    for kind, written in (one.groups() for one in found):
        lengths = _lengths(written) if kind == "." else _unmapped(written)
        if lengths is None or len(runs) % 2:
            return []
        runs += lengths
    return runs


def _lengths(text: str) -> list[int] | None:
    """None: these are not whole lengths in our alphabet."""
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = _VALUE.get(character)
        if bits is None:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits < 32:
            lengths.append(value)
            value = shift = 0
    return lengths if shift == 0 else None


def _unmapped(text: str) -> list[int]:
    """Lengths of whole pairs, from unfinished to finished."""
    bits = "".join(format(_VALUE[character], "06b") for character in text[1:])
    bits = bits[: len(bits) - _VALUE[text[0]]] if bits else ""
    lengths = [len(list(group)) for _, group in groupby(bits)]
    if bits[:1] == "1":
        lengths.insert(0, 0)
    return [*lengths, 0] if len(lengths) % 2 else lengths


def ranges(start: int, lengths: Iterable[int]) -> list[tuple[int, int]]:
    """Half-open ranges of finished offsets from alternating run lengths (unfinished first)."""
    found = []
    at = start
    for index, length in enumerate(lengths):
        if index % 2 and length:
            found.append((at, at + length))
        at += length
    return found

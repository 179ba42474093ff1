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
from collections.abc import Iterable, Sequence
from itertools import groupby

#: Kafka's default limit for the metadata of an offset is 4,096; the commit that is over it fails, for ever.
METADATA_LIMIT = 4_095
#: A text of lengths that is no longer is good enough.
SHORT = 256

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_BITS = 6
_SEGMENT = re.compile(r"([.!])([A-Za-z0-9_-]*)")


def encode_runs(lengths: Sequence[int]) -> str:
    """Run lengths as metadata text; no runs give no text."""
    if not lengths:
        return ""
    numbers = [_number(length) for length in lengths]
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


def _mixed(lengths: Sequence[int], numbers: Sequence[str]) -> str:
    """Segments: of lengths, and of bits where those are shorter."""
    places = range(0, len(lengths), 2)

    def is_dense(place: int) -> bool:
        span, text = sum(lengths[place : place + 2]), sum(map(len, numbers[place : place + 2]))
        return place + 1 < len(lengths) and span < _BITS * text

    parts: list[str] = []
    for dense, group in groupby(places, is_dense):
        where = list(group)
        begin, end = where[0], where[-1] + 2
        plain = "".join(numbers[begin:end])
        bits = _bitmap(lengths[begin:end]) if dense else ""
        if dense and len(bits) + 1 < len(plain):
            parts.append(bits)
        elif parts and parts[-1][0] == ".":
            parts[-1] += plain
        else:
            parts.append("." + plain)
    return "".join(parts)


def _bitmap(lengths: Sequence[int]) -> str:
    bits = "".join(("1" if index % 2 else "0") * length for index, length in enumerate(lengths))
    pad = -len(bits) % _BITS
    bits += "0" * pad
    whole = (_ALPHABET[int(bits[at : at + _BITS], 2)] for at in range(0, len(bits), _BITS))
    return "!" + _ALPHABET[pad] + "".join(whole)


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

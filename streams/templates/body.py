"""Bodies of requests: text, JSON and forms.

Text is sent as it is written. Where the Content-Type declares JSON or a form, a value in it is escaped or
percent-encoded accordingly. A mapping (list, scalar) is JSON: a string that is exactly one macro keeps the type of
its value (missing: null), in any other string values are text. Keys are literal. With the Content-Type of a form, a
mapping is a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from streams.templates import headers, parse, values
from streams.templates.errors import Complaints, Unrenderable
from streams.templates.insertion import Scope, Spot
from streams.templates.parse import Literal, MacroCall, Token
from streams.templates.places import percent
from streams.templates.text import Text, TextBuilder, inserted

FORM = "application/x-www-form-urlencoded"
_TEXT = "text/plain; charset=utf-8"


def compile_body(body: Any, declared: Mapping[str, str], scope: Scope, complaints: Complaints) -> tuple[Text, str]:
    """The body, and the Content-Type for it when the endpoint's headers declare none."""
    media = headers.media_type(declared)
    builder = TextBuilder()
    if isinstance(body, str):
        _add_text(builder, body, media, scope, complaints)
        return builder.build(), _TEXT
    if media == FORM and isinstance(body, Mapping):
        _add_form(builder, body, scope, complaints)
    else:
        _add_json(builder, body, scope, complaints)
    return builder.build(), "application/json"


def _add_text(builder: TextBuilder, body: str, media: str | None, scope: Scope, complaints: Complaints) -> None:
    for token in parse.parse(body, complaints):
        if isinstance(token, Literal):
            builder.add_literal(values.clean(token.text))
        else:
            builder.add_insertion(inserted(token, _spot_in_text(token, media), scope, complaints))


def _spot_in_text(token: Token, media: str | None) -> Spot:
    """In JSON that is written as text, a value is escaped for the inside of a string; what `json` made is JSON
    already and stays.
    """
    if media == FORM:
        return Spot("form")
    made_json = isinstance(token, MacroCall) and [call.name for call in token.modifiers if call.name != "raw"][-1:] == [
        "json"
    ]
    return Spot("json" if headers.is_json(media) and not made_json else "text")


def _add_form(builder: TextBuilder, body: Mapping[Any, Any], scope: Scope, complaints: Complaints) -> None:
    """`name=value` for each scalar; a list repeats its name."""
    fields = [(str(key), value) for key, value in body.items()]
    rows = [(key, one) for key, value in fields for one in (value if isinstance(value, list | tuple) else (value,))]
    for index, (key, value) in enumerate(rows):
        builder.add_literal(f"{'&' if index else ''}{percent(key)}=")
        _add_form_value(builder, value, scope, complaints.at(key))


def _add_form_value(builder: TextBuilder, value: Any, scope: Scope, complaints: Complaints) -> None:
    if isinstance(value, str):
        builder.add_tokens(parse.parse(value, complaints), Spot("form"), scope, complaints)
    elif isinstance(value, bool | int | float):
        builder.add_literal(percent(_json_scalar(value, complaints)))
    elif value is not None:
        complaints.add(None, "a form has no place for an object", "write it as text")


def _add_json(builder: TextBuilder, node: Any, scope: Scope, complaints: Complaints) -> None:
    if isinstance(node, str):
        _add_json_string(builder, node, scope, complaints)
    elif isinstance(node, Mapping):
        separator = "{"
        for key, value in node.items():
            here = complaints.at(key if isinstance(key, str | int) else str(key))
            if not isinstance(key, str):
                here.add(None, f"the key {key!r} is not text", "put it in quotes")
            builder.add_literal(f"{separator}{values.json_string(str(key))}:")
            _add_json(builder, value, scope, here)
            separator = ","
        builder.add_literal("}" if node else "{}")
    elif isinstance(node, list | tuple):
        builder.add_literal("[")
        for index, value in enumerate(node):
            builder.add_literal("," if index else "")
            _add_json(builder, value, scope, complaints.at(index))
        builder.add_literal("]")
    else:
        builder.add_literal(_json_scalar(node, complaints))


def _json_scalar(node: Any, complaints: Complaints) -> str:
    if node is None:
        return "null"
    if isinstance(node, bool | int | float):
        with suppress(Unrenderable):
            return values.json_text(node)
    complaints.add(None, f"{node!r} cannot be written as JSON", "write it as text")
    return "null"


def _add_json_string(builder: TextBuilder, text: str, scope: Scope, complaints: Complaints) -> None:
    tokens = parse.parse(text, complaints)
    if len(tokens) == 1 and isinstance(tokens[0], MacroCall):
        builder.add_tokens(tokens, Spot("text", whole=True), scope, complaints)
        return
    builder.add_literal('"')
    builder.add_tokens(tokens, Spot("json"), scope, complaints)
    builder.add_literal('"')

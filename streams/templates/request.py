"""Compiling an endpoint to a request, and rendering it for a record: the first of the two steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.config import Endpoint, Method, Parameter
from schemas.job import Part, Place, Request
from streams.templates import headers, parse, places, url
from streams.templates.body import compile_body
from streams.templates.errors import Complaints, Refusal, Refused, TemplateError, TemplateErrors
from streams.templates.insertion import Find, Render, Scope, Spot, Values, by_name
from streams.templates.text import Text, TextBuilder

__all__ = ["CompiledRequest", "Refusal", "TemplateError", "TemplateErrors", "compile_request"]

#: The headers for a record's values.
Headers = Callable[[Values], tuple[tuple[str, tuple[Part, ...]], ...]]

_WITHOUT_BODY = ("GET", "HEAD")
_DOTS = Refusal("unrenderable", "url: a value would make '.' or '..' a segment of the path")


@dataclass(frozen=True, slots=True)
class CompiledRequest:
    """An endpoint, checked and ready to render. It keeps nothing between records and can be shared.

    `macros` names those that need a value: not `partner.<field>`, whose values are known, nor the deferred ones.
    """

    macros: frozenset[str]
    _method: Method
    _url: Text
    _headers: Headers
    _body: Text | None
    _may_make_dots: bool

    def render(self, values: Values) -> Request | Refusal:
        """The request for a record's values, or why there is none. Never raises on a value.

        `values` is what the readers of the compilation read from. By default it is a mapping by macro name, of text,
        numbers, booleans, objects and times (integers of milliseconds); no key, or None, is a missing value.
        `params.<name>` is looked up in the mapping under `params`.
        """
        try:
            address = self._url(values)
            if self._may_make_dots and len(address) == 1 and url.has_dot_segment(str(address[0])):
                return _DOTS  # With deferred parts the sender looks at it, once it is whole.
            body = self._body(values) if self._body is not None else None
            return Request(self._method, address, self._headers(values), body)
        except Refused as refused:
            return refused.refusal


def compile_request(endpoint: Endpoint, fields: Mapping[str, str], find: Find = by_name) -> CompiledRequest:
    """The endpoint with its partner's fields, ready to render. Raises `TemplateErrors` with all mistakes at once.

    `find` knows where the value of each macro is read; without it, `render` takes a mapping by macro name.
    """
    complaints = Complaints()
    scope = Scope(fields, find)
    address, may_make_dots = _compile_url(endpoint, scope, complaints)
    content_type = None
    body = None
    if endpoint.body is not None:
        here = complaints.at("body")
        if endpoint.method in _WITHOUT_BODY:
            here.add(None, f"a {endpoint.method} request has no body", "set method: POST")
        body, content_type = compile_body(endpoint.body, endpoint.headers, scope, here)
    written = _compile_headers(endpoint.headers, content_type, scope, complaints.at("headers"))
    if complaints.errors:
        raise TemplateErrors(complaints.errors)
    return CompiledRequest(frozenset(scope.needed), endpoint.method, address, written, body, may_make_dots)


def _compile_url(endpoint: Endpoint, scope: Scope, complaints: Complaints) -> tuple[Text, bool]:
    here = complaints.at("url")
    builder = TextBuilder()
    mistakes = Complaints(here.path)
    placed = url.places_of(parse.parse(endpoint.url, mistakes), mistakes)
    here.errors.extend(mistakes.errors)
    for token, place in placed:
        if isinstance(token, parse.Literal):
            builder.add_literal(token.text)
        else:
            builder.add_tokens([token], Spot(place), scope, here)
    parameters = [
        _compile_parameter(parameter, scope, complaints.at("parameters", index))
        for index, parameter in enumerate(endpoint.parameters)
    ]
    _add_parameters(builder, _separator(placed), parameters)
    return builder.build(), url.may_make_dots(placed)


def _separator(placed: Sequence[tuple[parse.Token, Place]]) -> str:
    """What comes between the URL and its first parameter."""
    literals = [token.text for token, _ in placed if isinstance(token, parse.Literal)]
    if not any("?" in text for text in literals):
        return "?"
    last = placed[-1][0]
    return "" if isinstance(last, parse.Literal) and last.text.endswith(("?", "&")) else "&"


def _compile_parameter(parameter: Parameter, scope: Scope, complaints: Complaints) -> tuple[TextBuilder, bool]:
    """The parameter as `name=value`, and whether it can be dropped."""
    builder = TextBuilder()
    named = complaints.at("name")
    if not parameter.name:
        named.add(None, "a parameter needs a name")
    for token in parse.parse(parameter.name, named):
        if isinstance(token, parse.Literal):
            builder.add_literal(places.percent(token.text))
        else:
            named.add(token.column, "the name of a parameter is literal text", "a macro can stand in its value")
    builder.add_literal("=")
    here = complaints.at("value")
    spot = Spot("query", demanding=parameter.when_missing == "skip_postback")
    builder.add_tokens(parse.parse(parameter.value, here), spot, scope, here)
    return builder, parameter.when_missing == "drop" and bool(builder.lacking)


def _add_parameters(builder: TextBuilder, separator: str, parameters: Sequence[tuple[TextBuilder, bool]]) -> None:
    if any(can_be_dropped for _, can_be_dropped in parameters):
        texts = [
            _droppable(parameter) if can_be_dropped else parameter.build() for parameter, can_be_dropped in parameters
        ]
        builder.add_render(_query(texts, separator), defers=True)
        return
    for parameter, _ in parameters:
        builder.add_literal(separator)
        builder.add_all(parameter)
        separator = "&"


def _droppable(parameter: TextBuilder) -> Text:
    """Nothing at all when any of the values is missing with nothing to stand in for it."""
    text, lacking = parameter.build(), tuple(parameter.lacking)
    return lambda values: () if any(read(values) is None for read in lacking) else text(values)


def _query(texts: Sequence[Text], separator: str) -> Render:
    """Parameters of which some may be dropped, so that only the record shows which one is the first."""

    def render(values: Values) -> tuple[Part, ...]:
        parts: list[Part] = []
        for text in texts:
            if written := text(values):
                parts += ("&" if parts else separator, *written)
        return tuple(parts)

    return render


def _compile_headers(
    declared: Mapping[str, str], content_type: str | None, scope: Scope, complaints: Complaints
) -> Headers:
    headers.check_names(declared, complaints)
    builders: dict[str, TextBuilder] = {}
    for name, value in declared.items():
        here = complaints.at(name)
        builders[name] = TextBuilder()
        builders[name].add_tokens(parse.parse(value, here), Spot("header"), scope, here)
    if content_type is not None and headers.media_type(declared) is None:
        builders["Content-Type"] = TextBuilder([content_type])
    texts = [(name, builder.build()) for name, builder in builders.items()]
    if all(builder.is_constant() for builder in builders.values()):
        constant = tuple((name, text({})) for name, text in texts)
        return lambda _values: constant
    return lambda values: tuple([(name, text(values)) for name, text in texts])

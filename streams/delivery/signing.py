"""Signatures after Standard Webhooks (standardwebhooks.com): by them a partner knows that a request is from here, and
whole. Pure.

What is signed is `<job id>.<unix seconds of sending>.<body>`, with the very bytes of the body that go out; a request
without one is signed with nothing behind the last dot. The URL is not signed: that is the standard. With two secrets
there are two signatures, and the partner takes the request if one of them is right, so a secret is changed without a
moment at which requests are refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence

from streams.templates import headers, references
from streams.templates.finish import Finished

#: What a secret begins with whose rest is base64; any other is taken as it stands.
PREFIX = "whsec_"


class Unusable(Exception):
    """The value of `reference` is no key. The fault is ours: the job waits and no attempt is charged."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"the value of {reference} begins with {PREFIX} and is not base64 behind that")
        self.reference = reference


def signed(request: Finished, job_id: str, now: int, secrets: Sequence[str], secret: Callable[[str], str]) -> Finished:
    """The request with its signatures, one for each of `secrets` (`${env:NAME}`). `now`: the moment of sending in
    milliseconds; `secret` gives the value of a reference such as `env:NAME`.

    Nothing that is signed may be changed after this. Headers of these names that the request has already are left out.
    Raises `Unusable`; what `secret` raises is passed on.
    """
    at = now // 1000
    content = b"%b.%d.%b" % (job_id.encode(), at, request.body or b"")
    keys = [key(text, secret) for text in secrets]
    signatures = [base64.b64encode(hmac.digest(one, content, "sha256")).decode() for one in keys]
    return _with(request, job_id, at, [f"v1,{one}" for one in signatures])


def masked(request: Finished, job_id: str, now: int, secrets: Sequence[str]) -> Finished:
    """The same for people: in place of each signature stands the secret's reference, `v1,{hmac_sha256:${env:NAME}}`.
    Needs no secret.
    """
    return _with(request, job_id, now // 1000, [f"v1,{{hmac_sha256:{text}}}" for text in secrets])


def key(text: str, secret: Callable[[str], str]) -> bytes:
    """The key that a reference (`${env:NAME}`) leads to. Raises `Unusable`."""
    value = references.resolve(text, secret)
    if not value.startswith(PREFIX):
        return value.encode()
    encoded = value[len(PREFIX) :].rstrip("=")
    try:
        found = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise Unusable(", ".join(references.references(text)))
    return found


def _with(request: Finished, job_id: str, at: int, signatures: Sequence[str]) -> Finished:
    kept = [(name, value) for name, value in request.headers if name.lower() not in headers.SIGNATURE]
    added = zip(headers.SIGNATURE, (job_id, str(at), " ".join(signatures)), strict=True)
    return Finished(request.method, request.url, [*kept, *added], request.body)

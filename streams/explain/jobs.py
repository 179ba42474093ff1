"""What became of a job, in words: its end, its attempts, or what it waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt
from streams.delivery.course import End, Paused, Rules, Wait, begun, course
from streams.templates.masking import mask

from .found import Material, SeenJob
from .sentences import ENDS, FAILURES, SUPPRESSED, WAITS, sentence
from .told import Attempt, JobStory
from .words import count, exact, listed, moment, span


def job_story(material: Material, job_id: str) -> JobStory:
    """A job that some topic tells of."""
    recorded = material.recorded
    seen = recorded.jobs.get(job_id)
    receipts = [one for one in recorded.receipts if one.job_id == job_id]
    letter = next((one for one in reversed(recorded.letters) if one.job_id == job_id), None)
    attempts = [_attempt(one) for one in receipts if one.kind == "attempt"]
    ended = next((one for one in reversed(receipts) if one.kind == "terminal"), None)
    if ended is not None and (seen is None or seen.job.replayed_at <= ended.at):
        outcome, text = str(ended.outcome), _end(material, ended, seen, letter, attempts)
    else:
        outcome, text = "waiting", _waiting(material, seen, attempts)
    job = None if seen is None else seen.job
    generation = job.generation if job else receipts[-1].generation if receipts else None
    return JobStory(
        job_id=job_id,
        outcome=outcome,
        text=text,
        decided_at=job.decided_at if job else None,
        generation=generation,
        attempts=attempts,
    )


def _attempt(receipt: Receipt) -> Attempt:
    said = _said(receipt.status, receipt.error)
    took = "" if receipt.duration_ms is None else f" in {_quick(receipt.duration_ms)}"
    address = f" ({receipt.address})" if receipt.address else ""
    later = "" if receipt.next_at is None else f"; next at {moment(receipt.next_at)}"
    replay = ", a replay" if receipt.replay else ""
    return Attempt(
        number=receipt.attempt,
        at=receipt.at,
        outcome=receipt.outcome,
        status=receipt.status,
        error=receipt.error,
        duration_ms=receipt.duration_ms,
        address=receipt.address,
        next_at=receipt.next_at,
        replay=receipt.replay,
        text=f"attempt {receipt.attempt}{replay} at {moment(receipt.at)}: {said}{took}{address}{later}",
    )


def _quick(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 1_000 else span(round(milliseconds))


def _said(status: int | None, error: str | None) -> str:
    """What the partner answered, or why it did not."""
    if status is not None:
        return f"status {status}" + (f", {error}" if error and not error.startswith("status") else "")
    return error or "no answer"


def _end(
    material: Material,
    ended: Receipt,
    seen: SeenJob | None,
    letter: DeadLetter | None,
    attempts: Sequence[Attempt],
) -> str:
    error = ended.error or ""
    word, _, detail = error.partition(":")
    reason = letter.reason if letter is not None else word if word in FAILURES else "attempts_used_up"
    last = _said(attempts[-1].status, attempts[-1].error) if attempts else detail.strip() or error or "no answer"
    since = None if seen is None else span(ended.at - seen.job.decided_at)
    values = {
        "attempt": str(ended.attempt),
        "attempts": count(ended.attempt, "attempt") if ended.attempt else "no attempt",
        "ended": moment(ended.at),
        "after_decision": "" if since is None else f", {since} after the decision",
        "status": "" if ended.status is None else f", status {ended.status}",
        "partner": ended.partner,
        "error": error or "no reason is told",
        "said": f" ({detail.strip()})" if detail.strip() else "",
        "last": last,
        "max_age": exact(seen.job.max_age) if seen is not None else "as it was then",
        "retries": f"`retry_attempts` {seen.job.retry_attempts}" if seen is not None else "`retry_attempts`",
    }
    values["failure"] = sentence(FAILURES, reason).format_map(values)
    values["suppressed"] = sentence(SUPPRESSED, word).format_map(values)
    text = ENDS[ended.outcome].format_map(values)
    return f"{text} (a replay)" if ended.replay else text


def _waiting(material: Material, seen: SeenJob | None, attempts: Sequence[Attempt]) -> str:
    if seen is None:
        due = attempts[-1].next_at if attempts else None
        return "has not ended" + ("" if due is None else f"; its next attempt was due {moment(due)}")
    job, now, live = seen.job, material.now, material.live
    rules = Rules().with_configuration(live)
    for target, control in material.controls.items():
        rules = rules.with_control(target.kind, target.id, control)
    # It was decided with the delay of its generation, which may be another one by now.
    both = (*live.postbacks, *material.configuration.postbacks)
    delays = {one.delivery_delay for one in both if one.id == job.postback_id} or {0}
    word, hold, why = _wait(job, rules, delays, now)
    if word in ("overdue", "limit", "redelivery") and _is_ours(job, attempts, delays):
        word = "ours"
    values: Mapping[str, str] = {
        "partner": job.partner,
        "due": moment(job.due_at),
        "to_due": f"in {span(job.due_at - now)}" if job.due_at > now else f"{span(now - job.due_at)} ago",
        "ours": _ours(job, rules),
        "overdue": span(now - job.due_at),
        "next_attempt": str(job.attempts + 1),
        "most": str(job.retry_attempts + 1),
        "delay": span(job.due_at - job.decided_at),
        "hold_until": moment(hold or 0),
        "why": f" ({why})" if why else "",
        "age": exact(now - begun(job), job.max_age),
        "max_age": exact(job.max_age),
        "sender": material.sender,
    }
    return WAITS[word].format_map(values)


def _is_ours(job: Job, attempts: Sequence[Attempt], delays: set[int]) -> bool:
    """Whether a sender has put it off without an attempt, and not for a slot of its partner."""
    if job.reserved or job.replay:
        return False
    if job.attempts:
        told = [one.next_at for one in attempts if one.next_at is not None]
        return bool(told) and job.due_at not in told
    return job.due_at - job.decided_at not in delays


def _ours(job: Job, rules: Rules) -> str:
    partner = rules.partners.get(job.partner)
    hidden = tuple(dict.fromkeys((*mask(job.request).hidden, *(partner.signing_secrets if partner else ()))))
    if not hidden:
        return (
            "what kept it was on the sender's side (a name that could not be looked up, a connection or file too "
            "many), or a pause or hold that is over; the sender's log says so"
        )
    return (
        f"its request needs {listed(hidden)}, and most likely a secret has no value where the sender runs: its log "
        "and, on that machine, `ringback doctor` say so. If not, a name could not be looked up, or a pause or hold "
        "is just over"
    )


def _wait(job: Job, rules: Rules, delays: set[int], now: int) -> tuple[str, int | None, str]:
    """Why a job waits: a key of `WAITS`, until when it is held, and what an operator said."""
    of_postback = rules.postback_controls.get(job.postback_id)
    of_partner = rules.partner_controls.get(job.partner)
    # What keeps a job that is due keeps one that is not due yet: somebody who asks wants to hear of it before.
    due = msgspec.structs.replace(job, due_at=min(job.due_at, now))
    match course(due, rules, now):
        case End(outcome, error):
            ends = {"shadow": "to_shadow", "partner_removed": "to_removed", "purged": "to_purged"}
            return ("too_old" if outcome == "expired" else ends[error]), None, ""
        case Paused():
            if of_partner and of_partner.paused:
                return "partner_paused", None, of_partner.reason
            if of_postback and of_postback.paused:
                return "postback_paused", None, of_postback.reason
            return "configured_paused", None, ""
        case Wait(at):
            return "postback_held", at, of_postback.reason if of_postback else ""
    if of_partner and of_partner.hold_until and of_partner.hold_until > now:
        return "partner_held", of_partner.hold_until, of_partner.reason
    if job.due_at <= now:
        return "overdue", None, ""
    if not job.attempts and not job.reserved and job.due_at - job.decided_at in delays:
        return "delay", None, ""
    return ("redelivery" if job.attempts and not job.reserved else "limit"), None, ""

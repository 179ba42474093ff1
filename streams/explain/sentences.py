"""The sentences, by the word that the topics have for what happened: a new reason is a new row. Pure.

What stands in braces is a clue (`clues.CLUES`).
"""

from __future__ import annotations

from collections.abc import Mapping

#: What became of a record (`schemas.decision.RESULTS`), and two more that no topic tells.
RESULTS: Mapping[str, str] = {
    "processed": "It was processed: {how_processed}.",
    "held": "It is held: {why_held}. It is released when every source of partition {partition} has been read past, or "
    "found at its end after, the append time {due} ({held_since} + `install_grace` {grace}), or by an install.",
    "duplicate": "It changed nothing: {kind_word} with the id {id} was read before on this device, {the_other}. The "
    "same id again, of the same kind, is a duplicate.",
    "too_late": "It changed nothing: its own time {at} lies {behind_newest} before the newest of its device, {newest}; "
    "the app's `dedup_window` is {dedup}, so everything before {oldest} is too late.",
    "reinstall": "It changed nothing: an install {since_clock} after the last activity or install at {clock}, which is "
    "inside the inactivity window of {inactivity}. {no_claim}",
    "unknown_app": "It was ignored: no app {app_id} is configured (generation {live_generation}). `ringback apply` "
    "adds one; records that were read before are not read again.",
    "unread": "Nothing has been decided: the worker has not read it yet. It comes after {unread} of its topic's "
    "partition; look at `ringback_lag_records`, and whether a worker of the group {worker} runs.",
}

#: Why it is a dead letter (`schemas.dead_letter.REASONS`, those of input records).
DEAD: Mapping[str, str] = {
    "undecodable": "it cannot be read: {detail}",
    "null": "it has no value (a tombstone): {detail}",
    "invalid": "a field is missing or wrong: {detail}",
    "no_identifier": "it has no identifier of the app's `device_key` order: {detail}",
    "time": "its own time cannot be: {detail}",
    "too_large": "it is too large: {detail}",
    "internal": "a rule raised an error, which is a fault of Ringback: {detail}",
}

#: How a held record came to be processed.
RELEASES: Mapping[str, str] = {
    "install": "it was held, since {why_held}. Its install came, record {by}, appended {by_appended}, and went first; "
    "then the held records, in the order of their own times",
    "grace": "it was held, since {why_held}. No install came before {due} (append time); when every source had been "
    "read past that, the held records were released, in the order of their own times",
    "full": "it was held, since {why_held}, and released when the device held as many records as it may, in the order "
    "of their own times",
    "size": "it was held, since {why_held}, and released at once: the device could not hold any more",
}

#: Why a candidate postback has no job (`schemas.decision.NOES`); with an event behind a slash, for that one only.
NOES: Mapping[str, str] = {
    "other_source": "{goes_by}; this postback is for {wanted_source}",
    "other_source/session": "no attribution that had begun by then is that of {wanted_source}",
    "other_campaign": "{goes_by}, of the campaign {campaign}; this postback is for the campaign {wanted_campaign} only",
    "paused": "the postback is paused: `status: paused` in generation {generation}. What happens meanwhile is not sent "
    "later",
    "no_consent": "the partner {partner} requires consent, and the record {consent}",
    "before_live": "the record's own time {at} lies before the app's `live_from`, {live_from}: it builds state and "
    "gives no job",
    "missing_required": "a value that the request needs is missing: {detail}",
    "claimed_before": "the postback takes every source (`delivery_method: all`) and has had its job for this install "
    "before it was claimed{the_first_install}; the claim is for `network` and `network_and_agency`",
    "unrenderable": "a value cannot stand where the template puts it: {detail}",
    "too_large": "its job would be larger than the limit: {detail}; it is in the dead letters",
    "not_first": "not the first `{name}` of the {owner}: {the_first}",
    "not_first/install": "not the first appearance of the device: {the_first_install_was}",
    "not_first/new_user": "not a new user: {user_since}",
    "not_first_since": "not the first `{name}` since attribution {period} began at {period_start}: {the_first_since}",
    "inside_window": "the {owner}'s last activity or start was at {clock}, {since_clock} before; that is not more than "
    "the inactivity window of {inactivity}",
    "inside_window/re_install": "{no_re_install}",
    "inside_window/re_engagement_user": "{user_window}",
    "same_period": "{session_period}",
    "late": "the record is late, own time {at} lies {behind_newest} before {newest}, the newest of its {owner} by "
    "then: a late record opens no attribution and moves no window",
    "late/session": "the launch is late: its own time {at} lies before all attributions of the device, and no 24-hour "
    "period counts from before the first",
    "late/re_engagement_user": "the record is late for its user: {user_newer} had been processed before it. A late "
    "record moves no window",
}

#: Why a postback that fires on some such records has no say in this one: what the topics have no word for.
SILENT: Mapping[str, str] = {
    "no_user": "`{event}` needs the user (scope user), and the record carries no `user_id`",
    "first_activity": "the record is the first activity of the device: nothing lies before it that it could come back "
    "from",
    "first_activity/user": "the record is the first of the user: nothing lies before it that the user could come back "
    "from",
    "first_activity/forgotten": "what the device did before lies {gone}",
}

#: Why a job was suppressed, by the first word of its receipt's `error`.
SUPPRESSED: Mapping[str, str] = {
    "shadow": "the postback is in `shadow`: decided and reported, never sent",
    "partner_removed": "the partner {partner} is not in the configuration any more",
    "blocked": "the partner's address is not public and not in `RINGBACK_EGRESS_ALLOW`{said}",
    "purged": "an operator purged it{said}",
    "erased": "the user was erased",
    "": "it was not to be sent: {error}",
}

#: How a job ended (terminal receipts).
ENDS: Mapping[str, str] = {
    "delivered": "delivered at {ended}, by attempt {attempt}{after_decision}{status}",
    "failed": "failed at {ended} after {attempts}: {failure}. It lies whole in the dead letters",
    "suppressed": "suppressed at {ended}: {suppressed}",
    "expired": "expired at {ended} after {attempts}: it was older than the partner's `max_age`, {max_age}, when it was "
    "its turn",
}

#: Why a job failed, by the reason of its dead letter (`schemas.dead_letter.JOB_REASONS`).
FAILURES: Mapping[str, str] = {
    "attempts_used_up": "attempts are used up ({retries}); the last one: {last}",
    "no_retry_status": "the partner answered {last}, which is one of its `no_retry_statuses`",
    "unsendable": "the request cannot be sent: {last}",
    "poison": "its record in the delivery topic is no usable job: {last}",
    "": "{last}",
}

#: Why a job has not ended.
WAITS: Mapping[str, str] = {
    "partner_paused": "waits: the partner {partner} is paused{why}",
    "postback_paused": "waits: the postback is paused{why}",
    "configured_paused": "waits: the postback is paused by now (`status: paused` in the live configuration)",
    "postback_held": "waits: the postback is held until {hold_until}{why}",
    "partner_held": "waits: the partner {partner} is held until {hold_until}{why}",
    "redelivery": "waits for its redelivery, attempt {next_attempt} of at most {most}, due {due} ({to_due})",
    "delay": "waits: `delivery_delay` {delay}, due {due} ({to_due})",
    "ours": "waits, and no attempt is charged: {ours}. It is tried again {due} ({to_due})",
    "limit": "waits for a slot of its partner {partner} (its limits, a hold or its breaker), due {due} ({to_due})",
    "overdue": "was due {due}, {overdue} ago, and has no receipt since: does a sender of the group {sender} run, and "
    "is it behind? Look at `ringback_lag_records`",
    "too_old": "is {age} old, more than the partner's `max_age` {max_age}, and has no receipt: it will be `expired` "
    "when a sender reads it",
    "to_shadow": "is not sent: the postback is in `shadow` by now, so a sender will end it as `suppressed`",
    "to_purged": "is not sent: an operator has purged what waited for its partner or postback, so a sender will end it "
    "as `suppressed`",
    "to_removed": "is not sent: the partner {partner} is gone from the configuration, so a sender will end it as "
    "`suppressed`",
}

#: Where what was recorded is not what the rules come to now.
DIFFERENCES: Mapping[str, str] = {
    "decided": "by the rules and topics as they are now there would be no job ({replayed}); what was decided then "
    "counts",
    "refused": "by the rules and topics as they are now {replayed}; what was decided then counts",
    "missing": "a job, {job_id}, by the rules and topics as they are now; but no topic holds one",
    "untold": "whether it was due can only be told by what the user did before, and that lies {gone}: the users topic "
    "keeps what it is told for a day",
    "undecided": "not decided yet: the user stage has not seen the user",
    "too_old": "a job, {job_id}, by the rules; it would be older than what the topics hold (jobs are kept for {kept})",
}


def sentence(table: Mapping[str, str], word: str, event: str = "") -> str:
    """The row of a word, for this event if it has its own; the row of the empty word for one that has none."""
    for key in (f"{word}/{event}", word, ""):
        if key in table:
            return table[key]
    return word

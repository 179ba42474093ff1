"""What keeps a partner's limits over all senders (D14), and what is signed as it is sent (D21)."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

AGREEMENT = "streams/delivery/agreement.py"
CONSUMER = "streams/delivery/consumer.py"
COURSE = "streams/delivery/course.py"
LANES = "streams/delivery/lanes.py"
SENDER = "streams/delivery/sender.py"
SHARES = "streams/delivery/shares.py"
SIGNING = "streams/delivery/signing.py"

AT_SHARES = "tests/unit/delivery/test_shares.py"
AT_LANES = "tests/unit/delivery/test_lanes.py"
AT_SENDER = "tests/unit/delivery/test_sender.py"
AT_SIGNING = "tests/unit/delivery/test_signing.py"
TOGETHER = f"{AT_SHARES}::test_together_they_never_use_more_than_the_limit"
UNKNOWN = f"{AT_SHARES}::test_what_was_said_before_a_claim_counts_also_when_it_was_not_known_yet"
REJOINING = "tests/integration/test_sender_rejoining.py"
TWO_PROCESSES = "tests/integration/test_sender_shares.py::test_a_rate_holds_over_two_processes_and_when_one_is_killed"

SAID = "min(left, *(_part(one, partner) for one in said))"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "D14",
        "what the others take counted before more is taken",
        SHARES,
        "_Agreed(self._said.popleft(), self._others(now, LATE), ",
        "_Agreed(self._said.popleft(), {}, ",
        (f"{AT_SHARES}::test_no_more_is_used_than_others_had_left_when_the_claim_was_made",),
    ),
    Mutation(
        "D14",
        "what is said used only when it has been read back",
        SHARES,
        SAID,
        "min(left, _part(said[-1], partner))",
        (UNKNOWN,),
    ),
    Mutation(
        "D14",
        "what is given up given up before it is said",
        SHARES,
        SAID,
        "min(left, _part(said[0], partner))",
        (TOGETHER,),
    ),
    Mutation(
        "D14",
        "nothing used by one that others do not hear any more, or that stood still",
        SHARES,
        "self._agreed is not None and all(one.holds(now) for one in (self._agreed.said, *self._said))",
        "self._agreed is not None",
        (
            f"{AT_SHARES}::test_one_that_hears_and_is_not_heard_stops_before_the_others_have_its_part",
            f"{AT_SHARES}::test_one_that_stood_still_uses_nothing_until_it_has_heard_itself",
            f"{AT_SHARES}::test_an_agreement_that_comes_too_late_is_none",
        ),
    ),
    Mutation(
        "D14",
        "time for a lease to end before a process counts as gone",
        SHARES,
        "LATE = 250",
        "LATE = -500",
        (TOGETHER,),
    ),
    Mutation(
        "D14",
        "the shortest of what the others may have heard kept to",
        SHARES,
        "(self._agreed.said, *self._said)",
        "(self._agreed.said,)",
        (f"{AT_SHARES}::test_who_speaks_more_often_again_stops_by_the_shorter_lease",),
    ),
    Mutation(
        "D14",
        "a longer lease where Kafka is slow",
        SHARES,
        "min(LONGEST, interval + max(ROUND_TRIP, int(2 * round_trip)))",
        "interval + ROUND_TRIP",
        (f"{AT_SHARES}::test_one_that_hears_late_has_its_part_and_the_others_wait_for_longer_when_it_is_gone",),
    ),
    Mutation(
        "D14",
        "the lease of an older version waited for",
        SHARES,
        "return now - self.heard > self.presence.lease + late",
        "return now - self.heard > 800 + late",
        (f"{AT_SHARES}::test_one_of_an_older_version_has_its_part_for_as_long_as_it_uses_it",),
    ),
    Mutation(
        "D14",
        "a slot kept for one whose request may outlast its lease",
        SHARES,
        "LASTS = 1_400",
        "LASTS = 250",
        (f"{AT_SHARES}::test_the_slot_of_one_that_is_gone_is_free_when_its_last_request_may_be_over",),
    ),
    Mutation(
        "D14",
        "the group heard while there is no partition, and so no memory",
        CONSUMER,
        "if room <= 0 and self._trackers:",
        "if room <= 0:",
        (f"{REJOINING}::test_a_member_without_partitions_has_its_next_ones_at_once",),
    ),
    Mutation(
        "D14",
        "enough jobs kept until those of one that is gone come",
        LANES,
        "AHEAD_OF_RATE = 3",
        "AHEAD_OF_RATE = 2",
        ("tests/unit/delivery/test_backlogs.py::test_a_lane_that_may_suddenly_send_more_has_jobs_for_it",),
    ),
    Mutation(
        "D14",
        "a repetition that comes late known by its number",
        SHARES,
        "if known is None or presence.number > known.presence.number:",
        "if True:",
        (f"{AT_SHARES}::test_a_message_that_comes_a_second_time_changes_nothing",),
    ),
    Mutation(
        "D14",
        "a slot that cannot be divided kept while its request is under way",
        SHARES,
        "return int((ours and max(held, free) > 0) or work.in_flight > 0)",
        "return int(ours and max(held, free) > 0)",
        (f"{AT_SHARES}::test_one_slot_is_had_by_one_and_each_in_turn",),
    ),
    Mutation(
        "D14",
        "the next slot moved with the rate",
        LANES,
        "self._next_slot += self._gap - before",
        "pass",
        (f"{AT_LANES}::test_a_part_that_changes_changes_the_rate_from_then_on",),
    ),
    Mutation(
        "D14",
        "times reserved for what is to be expected, not for a part that is small for now",
        LANES,
        "SECOND / (rate * max(part.rate, share))",
        "self._gap",
        (f"{AT_LANES}::test_without_a_slot_nothing_starts_and_what_comes_is_reserved_as_for_the_usual_share",),
    ),
    Mutation(
        "D14",
        "the parts kept in a new generation",
        SENDER,
        "lane.configure(partner, self._share, self._part(partner, self._share))",
        "lane.configure(partner, self._share)",
        (f"{AT_SENDER}::test_the_parts_that_are_given_hold_for_lanes_old_and_new",),
    ),
    Mutation(
        "D14",
        "reserved jobs sent earlier when their lane has become faster",
        COURSE,
        " and not job.reserved",
        "",
        (f"{AT_SENDER}::test_a_reserved_job_is_sent_as_soon_as_its_lane_has_a_slot_and_keeps_its_time_otherwise",),
    ),
    Mutation(
        "D14",
        "what was agreed on used",
        AGREEMENT,
        "            shares.changed = False\n            self._sender.shared(shares.part)",
        "            shares.changed = False\n            self._sender.shared("
        "lambda partner, share: shares.part(partner, share)._replace(rate=1.0, slots=9))",
        (TWO_PROCESSES,),
    ),
    Mutation(
        "D21",
        "both secrets sign while one is changed",
        SIGNING,
        "for text in secrets]\n    signatures",
        "for text in secrets[:1]]\n    signatures",
        (f"{AT_SIGNING}::test_the_standards_library_takes_what_either_secret_signed",),
    ),
    Mutation(
        "D21",
        "the very bytes of the body signed",
        SIGNING,
        'at, request.body or b"")',
        'at, (request.body or b"").strip())',
        (f"{AT_SIGNING}::test_the_standards_library_takes_what_either_secret_signed",),
    ),
    Mutation(
        "D21",
        "nothing sent that is signed with what is no key",
        SIGNING,
        "    if not found:\n        raise Unusable",
        "    if False:\n        raise Unusable",
        (f"{AT_SENDER}::test_without_a_secret_to_sign_with_a_job_waits_uncharged",),
    ),
)

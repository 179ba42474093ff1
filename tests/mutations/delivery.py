"""What becomes of jobs when senders die, partners misbehave and time passes (D1 to D9, D13, D14, D22, D23, D25)."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

APP = "streams/delivery/app.py"
CONSUMER = "streams/delivery/consumer.py"
ATTEMPTS = "streams/delivery/attempts.py"
COURSE = "streams/delivery/course.py"
JOBS = "streams/delivery/jobs.py"
LANES = "streams/delivery/lanes.py"
OFFSETS = "streams/delivery/offsets.py"
OUTCOMES = "streams/delivery/outcomes.py"
ENDING = "streams/delivery/ending.py"
UNENDED = "streams/delivery/unended.py"
RETRY = "streams/delivery/retry.py"
SENDER = "streams/delivery/sender.py"

AT_STEPS = "tests/integration/test_sender_steps.py::test_killed_at_each_step_nothing_is_lost_and_no_chain_forks"
AT_CRASH = "tests/integration/test_sender_crash.py"
AT_DELIVERY = "tests/integration/test_sender_delivery.py"
AT_PARTNERS = "tests/integration/test_sender_partners.py"
AT_UNENDED = "tests/integration/test_sender_unended.py"
AT_TIME = "tests/integration/test_sender_time.py"
ALL_HANG = f"{AT_PARTNERS}::test_when_all_partners_hang_the_member_stays_and_memory_is_bounded"
QUEUED = f"{AT_PARTNERS}::test_queued_jobs_stop_with_their_partner_and_go_on_at_its_limit"
STUCK = f"{AT_PARTNERS}::test_a_backlog_for_a_stuck_partner_leaves_memory_and_the_way_free"
HELD = f"{AT_TIME}::test_a_partner_is_held_as_it_asks_up_to_the_cap_and_garbage_is_ignored"
SIGTERM = f"{AT_CRASH}::test_sigterm_finishes_what_is_in_flight_and_exits_0"

POSITIONED = "            self._call(self._producer.send_offsets_to_transaction, offsets, group, CALL_SECONDS)\n"
COMMITTED = "            self._call(self._producer.commit_transaction, CALL_SECONDS)\n"
APART = (
    f'{COMMITTED}            self._faults.reached(COMMIT, "committed")\n'
    f"            self._call(self._producer.begin_transaction)\n{POSITIONED}"
)

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "D1",
        "nothing committed past a job that has not ended",
        OFFSETS,
        "        return self._with(self._unfinished[0])",
        '        return Position(self._next or 0, "")',
        (AT_STEPS,),
    ),
    Mutation(
        "D1",
        "what has ended above it known to the next sender",
        OFFSETS,
        "return Position(start, fitting(encode_runs(runs)))",
        'return Position(start, "" if runs else "")',
        (f"{AT_DELIVERY}::test_what_was_finished_is_not_sent_again_after_a_restart",),
    ),
    Mutation("D2", "positions in the transaction of the receipts", OUTCOMES, POSITIONED, APART, (AT_STEPS,)),
    Mutation(
        "D3",
        "requests under way waited for",
        APP,
        "finish_in_flight(deadline - time.monotonic())",
        "finish_in_flight(0)",
        (SIGTERM,),
    ),
    Mutation(
        "D3",
        "nothing begun any more that would be torn off",
        APP,
        "        if self.closed:\n",
        "        if self.closed and not records:\n",
        ("tests/unit/delivery/test_sender.py::test_what_is_read_when_the_end_has_begun_is_not_sent",),
    ),
    Mutation(
        "D3",
        "the last outcomes committed",
        APP,
        "await asyncio.wait_for(self._outbox.flush(), max(1.0",
        "await asyncio.wait_for(asyncio.sleep(0), max(1.0",
        (SIGTERM,),
    ),
    Mutation(
        "D3",
        "a status that says when they are not",
        APP,
        "        return self.status",
        "        return 0",
        ("tests/integration/test_sender_outage.py::test_a_sender_goes_on_after_the_broker_was_away",),
    ),
    Mutation(
        "D4",
        "requests under way waited for before the partitions go",
        SENDER,
        "        await self._attempts.ended(going, seconds)",
        "        pass",
        (f"{AT_CRASH}::test_a_second_sender_joins_and_leaves_with_jobs_in_flight",),
    ),
    Mutation(
        "D4",
        "what an assignment has settled committed in its own name",
        OUTCOMES,
        "self._group(min(tracker.epoch for",
        "self._group(max(tracker.epoch for",
        (f"{AT_CRASH}::test_what_an_assignment_has_settled_is_not_committed_in_the_name_of_the_next",),
    ),
    Mutation(
        "D4",
        "a session that ends when what went could not be committed",
        APP,
        "            self._loop.call_soon_threadsafe(self._fail, error)\n\n    def lost",
        "            pass\n\n    def lost",
        ("tests/unit/delivery/test_sender.py::test_a_revoke_whose_outcomes_cannot_be_committed_ends_the_session",),
    ),
    Mutation(
        "D4",
        "late results of an assignment that is over ignored",
        OFFSETS,
        "        if not self.open:\n            return False\n",
        "",
        ("tests/unit/delivery/test_offsets.py::test_late_results_of_an_assignment_that_is_over_are_ignored",),
    ),
    Mutation(
        "D5",
        "what a broker has left open ended by the next session",
        OUTCOMES,
        "        if self._unended:\n            log.info",
        "        if not self._unended:\n            log.info",
        (
            "tests/integration/test_sender_hanging.py::test_what_hangs_is_aborted_by_the_next_producer_of_the_same_id",
            f"{AT_UNENDED}::test_what_hangs_of_an_acknowledged_commit_is_committed_by_the_next_session",
        ),
    ),
    Mutation(
        "D5",
        "an acknowledged commit committed where it hangs",
        UNENDED,
        "self._ends.update(dict.fromkeys(self._places, end))",
        'self._ends.update(dict.fromkeys(self._places, "aborted"))',
        (
            f"{AT_UNENDED}::test_what_hangs_of_an_acknowledged_commit_is_committed_by_the_next_session",
            "tests/unit/delivery/test_unended.py::test_everything_ends_as_its_transaction_did_when_losses_are_noticed",
        ),
    ),
    Mutation(
        "D5",
        "what was aborted aborted where it hangs",
        UNENDED,
        "self._ends.update(dict.fromkeys(self._places, end))",
        'self._ends.update(dict.fromkeys(self._places, "committed"))',
        (
            f"{AT_UNENDED}::test_what_hangs_of_an_aborted_transaction_is_aborted_by_the_next_session",
            "tests/unit/delivery/test_unended.py::test_everything_ends_as_its_transaction_did_when_losses_are_noticed",
        ),
    ),
    Mutation(
        "D5",
        "the coordinator asked how a transaction ended, before it forgets",
        ENDING,
        "self._ask(partial(coordinator.newest, self._settings, self._id, unended.wanted))",
        'Newest("aborted")',
        (
            f"{AT_UNENDED}::test_of_a_commit_that_was_not_acknowledged_the_coordinator_tells_the_end",
            f"{AT_UNENDED}::test_a_process_ends_what_one_of_its_name_has_left_as_the_newest_transaction_of_that",
            f"{AT_UNENDED}::test_a_job_whose_retry_record_hung_behind_its_committed_position_is_delivered",
        ),
    ),
    Mutation(
        "D5",
        "what an aborted transaction never reached left as it was",
        UNENDED,
        "            found &= newest.places\n",
        "            pass\n",
        (f"{AT_UNENDED}::test_it_is_committed_where_a_transaction_that_never_got_there_was_to_write",),
    ),
    Mutation(
        "D5",
        "what is cut off in being committed committed by the next",
        ENDING,
        "            self._unended.wanted = end\n",
        "",
        (f"{AT_UNENDED}::test_what_is_cut_off_while_it_is_being_committed_is_committed_by_the_next_session",),
    ),
    Mutation(
        "D5",
        "what hangs ended before another transaction writes behind it",
        OUTCOMES,
        "        self._mend()\n",
        "",
        (f"{AT_UNENDED}::test_between_transactions_it_is_committed_before_another_one_is_aborted",),
    ),
    Mutation(
        "D5",
        "broken connections heard of",
        OUTCOMES,
        "                error_cb=self._trouble,\n",
        "",
        ("tests/unit/delivery/test_outcomes.py::test_after_a_connection_broke_what_may_hang_is_ended_first",),
    ),
    Mutation(
        "D5",
        "a coordinator that is away waited for",
        OUTCOMES,
        "            except direct.Away as error:\n                self._check_time(str(error))\n",
        "            except direct.Away as error:\n                raise Fatal(str(error)) from None\n",
        (f"{AT_UNENDED}::test_a_coordinator_that_is_away_is_waited_for_which_the_log_tells",),
    ),
    Mutation(
        "D5",
        "what a broker has left open ended by the next process of the same name",
        APP,
        "            if self.settings.instance_id:\n",
        "            if not self.settings.instance_id:\n",
        (
            "tests/integration/test_sender_hanging.py::"
            "test_a_process_with_a_name_ends_what_one_of_its_name_left_hanging_and_goes_on",
        ),
    ),
    Mutation(
        "D6",
        "polling while there is no room",
        CONSUMER,
        "        messages = self.consumer.consume(1, 0.05)\n",
        "        messages = time.sleep(0.05) or []\n",
        (ALL_HANG,),
    ),
    Mutation(
        "D6",
        "memory bounded by the prefetch",
        SENDER,
        "self._outbox.late else self._free()",
        "self._outbox.late else 1_000",
        (ALL_HANG,),
    ),
    Mutation(
        "D7",
        "as many requests at once as a partner has slots",
        LANES,
        "if not (self.queue or self._later) or self.in_flight >= self.slots(now) or",
        "if not (self.queue or self._later) or",
        ("tests/unit/delivery/test_lanes.py::test_no_more_than_the_slots_are_under_way",),
    ),
    Mutation(
        "D8",
        "the due time looked at once more",
        COURSE,
        "    if job.due_at > now and",
        "    if job.due_at > now + 400 and",
        (f"{AT_TIME}::test_near_jobs_overtake_far_ones_of_the_same_partition",),
    ),
    Mutation(
        "D8",
        "a delay topic that does not end after the due time",
        "streams/delivery/tiers.py",
        "return min((wait // self.base).bit_length() - 1, self.count - 1)",
        "return min((wait // self.base).bit_length(), self.count - 1)",
        (f"{AT_TIME}::test_near_jobs_overtake_far_ones_of_the_same_partition",),
    ),
    Mutation(
        "D9",
        "a clock that does not jump with the machine's",
        "streams/clock.py",
        "return int((self._anchor + time.monotonic()) * 1000)",
        "return int(time.time() * 1000)",
        (f"{AT_TIME}::test_a_jump_of_the_machines_clock_changes_nothing",),
    ),
    Mutation("D13", "the hold of the whole partner", ATTEMPTS, "lane.hold(ruling.hold_until, now)", "pass", (HELD,)),
    Mutation(
        "D13",
        "the cap of a hold",
        RETRY,
        "return min(int(text) * SECOND, cap) if len(text) <= 12 else cap",
        "return int(text) * SECOND",
        (HELD,),
    ),
    Mutation(
        "D13",
        "garbage told from a date",
        RETRY,
        "    if len(text) > 64 or not text[:1].isalpha():\n        return None\n",
        "    if len(text) > 64 or not text[:1].isupper():\n        return cap\n",
        (HELD,),
    ),
    Mutation(
        "D14",
        "probes one by one",
        LANES,
        'return min(1, self._slots) if state == "probing" else 0',
        'return self._slots if state == "probing" else 0',
        ("tests/unit/delivery/test_lanes.py::test_an_open_breaker_sends_nothing_and_then_one_at_a_time",),
    ),
    Mutation(
        "D14",
        "the rate kept when the breaker has closed",
        LANES,
        "            if self._next_slot > now:\n",
        "            if self._next_slot > now + 500:\n",
        ("tests/unit/delivery/test_lanes.py::test_a_backlog_is_sent_at_the_very_rate",),
    ),
    Mutation(
        "D22",
        "absurd numbers taken for poison",
        JOBS,
        "    if not 0 <= job.attempts <= MOST_ATTEMPTS:",
        "    if job.attempts > 10**10:",
        (f"{AT_DELIVERY}::test_poison_is_a_dead_letter_and_the_next_job_goes_on",),
    ),
    Mutation(
        "D23",
        "a shadow that begins while jobs are queued",
        COURSE,
        'if job.shadow or status == "shadow":',
        "if job.shadow:",
        (QUEUED,),
    ),
    Mutation(
        "D23",
        "a pause that holds queued jobs",
        COURSE,
        "    for one in (of_partner, of_postback):",
        "    for one in (of_postback,):",
        (QUEUED,),
    ),
    Mutation(
        "D25",
        "jobs out of memory that cannot start soon",
        LANES,
        "        if wait > self.limits.soon:",
        "        if wait > self.limits.soon * 10_000:",
        (STUCK,),
    ),
)

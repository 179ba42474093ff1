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
RETRY = "streams/delivery/retry.py"
SENDER = "streams/delivery/sender.py"

AT_STEPS = "tests/integration/test_sender_steps.py::test_killed_at_each_step_nothing_is_lost_and_no_chain_forks"
AT_CRASH = "tests/integration/test_sender_crash.py"
AT_DELIVERY = "tests/integration/test_sender_delivery.py"
AT_PARTNERS = "tests/integration/test_sender_partners.py"
IN_LANES = "tests/unit/delivery/test_lanes.py"
AT_TIME = "tests/integration/test_sender_time.py"
ALL_HANG = f"{AT_PARTNERS}::test_when_all_partners_hang_the_member_stays_and_memory_is_bounded"
QUEUED = f"{AT_PARTNERS}::test_queued_jobs_stop_with_their_partner_and_go_on_at_its_limit"
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
        "        if self._written:\n",
        "        if not self._written:\n",
        ("tests/integration/test_sender_hanging.py::test_what_hangs_is_aborted_by_the_next_producer_of_the_same_id",),
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
        "D5",
        "a session that ends when a broker was away and a transaction is aborted",
        "streams/delivery/outcomes.py",
        "        if self._trouble.seen:",
        "        if False:",
        ("tests/unit/delivery/test_outcomes.py::test_after_a_broker_was_away_an_abort_ends_the_session",),
    ),
    Mutation(
        "D5",
        "pauses that grow between sessions that fail one after the other",
        APP,
        "WELL_SECONDS else self._fallen + 1",
        "WELL_SECONDS else 1",
        (
            "tests/unit/delivery/test_sender.py::"
            "test_sessions_that_fail_one_after_the_other_are_begun_anew_less_and_less_often",
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
        "return min(1 + sum(began <= self.breaker.opened for began in self._started.values()), self._slots)",
        "return self._slots",
        ("tests/unit/delivery/test_lanes.py::test_an_open_breaker_sends_nothing_and_then_one_at_a_time",),
    ),
    Mutation(
        "D14",
        "requests from before a partner was given up known from probes",
        "streams/delivery/breaker.py",
        "if began <= self.opened:",
        "if began < 0:",
        ("tests/unit/delivery/test_lanes.py::test_a_partner_is_probed_while_requests_from_before_still_hang",),
    ),
    Mutation(
        "D14",
        "what waits not moved by each that comes late",
        LANES,
        "by = until - max(now, done)",
        "by = until - now",
        (
            "tests/unit/delivery/test_lanes.py::"
            "test_those_that_come_much_too_late_move_the_others_by_what_the_queue_lasts_for_and_no_more",
        ),
    ),
    Mutation(
        "D14",
        "what waits moved only when those that came late fill the time, where memory is short",
        LANES,
        "if by > 0 and (wait > soon or self._owed >= by):",
        "if by > 0:",
        (
            "tests/unit/delivery/test_lanes.py::"
            "test_where_memory_is_short_those_that_come_late_move_the_others_when_they_fill_that_time",
        ),
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
        "D7",
        "memory left for others by requests that take long",
        LANES,
        "(free > 1 and (2 * (self.in_flight + 1) <= free or self._is_quick(now)))",
        "free > 1",
        (f"{IN_LANES}::test_partners_that_take_long_leave_memory_to_others_however_many_they_are",),
    ),
    Mutation(
        "D7",
        "memory given back by a lane that has become slow",
        LANES,
        "if free is not None and not self._is_quick(now):",
        "if free is None and self._gap < 0:",
        (f"{IN_LANES}::test_a_lane_that_has_become_slow_gives_back_what_others_lack",),
    ),
    Mutation(
        "D25",
        "memory left for others by a lane whose jobs wait for their turn",
        LANES,
        "may_wait = waiting is None or self._later.memory < 2 * waiting",
        "may_wait = True",
        ("tests/unit/delivery/test_lanes.py::test_a_newcomer_to_a_rate_waits_in_memory_when_its_turn_comes_soon",),
    ),
    Mutation(
        "D25",
        "a bound for what is read of delay topics and not looked at",
        CONSUMER,
        "if self._unopened[place] >= UNOPENED or not self._reader.due(tier, appended):",
        "if not self._reader.due(tier, appended):",
        (f"{AT_PARTNERS}::test_what_comes_due_while_no_sender_runs_is_not_read_all_at_once",),
    ),
    Mutation(
        "D25",
        "room in the metadata for whatever ends first",
        OFFSETS,
        "FOR_EACH, FOR_EACH_RUN = 0.5, 5",
        "FOR_EACH, FOR_EACH_RUN = 0.4, 4",
        ("tests/unit/delivery/test_offsets.py::test_as_many_as_may_wait_are_told_of_whatever_ends_first",),
    ),
    Mutation(
        "D25",
        "a bound for what waits in memory for its time",
        OFFSETS,
        "return min(runs, FOR_EACH_BETWEEN * between + FOR_REST)",
        "return 0.0",
        ("tests/unit/delivery/test_sender.py::test_what_waits_in_memory_is_bounded",),
    ),
    Mutation(
        "D1",
        "what is finished known in whatever order it ends",
        "streams/delivery/runs.py",
        "        chosen.append(as_bits)\n",
        "        chosen.append(False)\n",
        ("tests/unit/delivery/test_runs.py::test_what_ends_in_any_order_needs_a_sixth_of_a_character_for_each_offset",),
    ),
    Mutation(
        "D7",
        "heads of one partition that do not keep those of others waiting",
        "streams/delivery/heads.py",
        "self._queues[tracker] = self._queues.pop(tracker)",
        "pass",
        (
            "tests/unit/delivery/test_heads.py::"
            "test_many_that_come_due_at_once_in_one_partition_do_not_keep_the_others_waiting",
        ),
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
        ("tests/unit/delivery/test_lanes.py::test_a_job_that_cannot_start_soon_reserves_a_time_behind_the_others",),
    ),
)

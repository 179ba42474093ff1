"""What happens when something dies, goes away or comes back: workers, brokers, disks (S1 to S5, S13, S16)."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

CHECKPOINT = "streams/engine/checkpoint.py"
RECOVERY = "streams/engine/recovery.py"
PARTITION = "streams/engine/partition.py"
PRODUCER = "streams/engine/producer.py"
WORKER = "streams/engine/worker.py"
STORE = "streams/engine/store.py"
TRANSPORT = "streams/engine/transport.py"
OWNERS = "streams/engine/owners.py"
HANGING = "streams/engine/hanging.py"
UNTOLD = "streams/engine/untold.py"

AT_UNTOLD = "tests/unit/engine/test_untold.py"
ALL_TOLD = f"{AT_UNTOLD}::test_whatever_happens_when_all_is_told_at_last_and_never_more_than_is_committed"
NOTHING_LEFT = (
    "tests/integration/test_untold.py::"
    "test_a_worker_tells_what_it_has_counted_when_nothing_more_comes_and_when_it_is_ended"
)
AT_CHECKPOINT = "tests/unit/engine/test_checkpoint.py"
AT_CRASH = "tests/integration/test_engine_crash.py::test_killed_at_a_step_of_the_protocol"
AT_RECOVERY = "tests/integration/test_recovery.py"
AT_PRODUCER = "tests/unit/engine/test_producer.py"
AT_ENGINE = "tests/unit/engine/test_engine.py"
AT_PARTITION = "tests/unit/engine/test_partition.py"
AT_REBALANCE = "tests/integration/test_engine_rebalance.py"
AT_WAITS = "tests/unit/engine/test_rebalance_waits.py"
AT_DISK = "tests/integration/test_engine_disk.py"
AT_HANGING = "tests/integration/test_engine_hanging.py"

REPLACED = f"{AT_RECOVERY}::test_a_writer_that_has_been_replaced_adds_nothing_behind_what_is_read"

REFUSED = "write_opt=_unlogged())\n        except Exception"

#: The state is written before the transaction that it comes from.
WRITTEN = "        return await self._writer.write("
STORED_FIRST = f"""        before = self._store.applied() or Applied(0, 0)
        self._store.write(output.puts, before)
{WRITTEN}"""

COMMITTED = 'if verdict == "committed":'

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "S1",
        "the marker of this batch, not of the one before, in its transaction",
        CHECKPOINT,
        "encoded = marker.encode()",
        "encoded = self.marker.encode()",
        (f"{AT_CRASH}[device stage, state kept-committed]",),
    ),
    Mutation(
        "S1",
        "the marker in the transaction at all",
        CHECKPOINT,
        "last = (self._stage.changelog, MARKER_KEY, encoded, None)",
        "last = (self._stage.changelog, b'other', encoded, None)",
        (f"{AT_CHECKPOINT}::test_the_marker_is_the_last_record_of_the_transaction_that_it_speaks_of",),
    ),
    Mutation(
        "S1",
        "the state stored only behind the commit",
        CHECKPOINT,
        WRITTEN,
        STORED_FIRST,
        (f"{AT_CRASH}[device stage, state kept-produced]",),
    ),
    Mutation(
        "S1",
        "the state stored only behind the commit (seen without a broker)",
        CHECKPOINT,
        WRITTEN,
        STORED_FIRST,
        (f"{AT_CHECKPOINT}::test_the_state_is_stored_behind_the_commit_with_how_far_it_reaches",),
    ),
    Mutation(
        "S1",
        "positions of sources that are not in the batch kept in the marker",
        CHECKPOINT,
        "positions = dict(self.marker.positions)",
        "positions: dict[str, int] = {}",
        (f"{AT_CHECKPOINT}::test_the_marker_is_the_last_record_of_the_transaction_that_it_speaks_of",),
    ),
    Mutation(
        "S1",
        "the index of holds read again",
        PARTITION,
        "holds = Holds.load(self._store.rows(HOLD_PREFIX))",
        "holds = Holds()",
        ("tests/integration/test_engine_inputs.py::test_holds_are_released_by_progress_when_nothing_else_comes",),
    ),
    Mutation(
        "S1",
        "what was left untold read again",
        PARTITION,
        "untold.load(self._store.rows(NOTE_PREFIX))",
        "pass",
        (
            "tests/integration/test_untold.py::"
            "test_what_a_killed_worker_left_untold_is_told_by_the_next_and_the_check_waits_for_it",
        ),
    ),
    Mutation(
        "S1",
        "each row that is untold noted, whatever was untold before",
        UNTOLD,
        "            if grown:\n",
        "            if grown and not self.stands:\n",
        (ALL_TOLD,),
    ),
    Mutation(
        "S1",
        "notes deleted by the transaction that tells",
        UNTOLD,
        "output.puts.update((_named(number), None) for number in range(self._notes))",
        "pass",
        (ALL_TOLD,),
    ),
    Mutation(
        "S1",
        "the mark behind the rows that it stands for",
        UNTOLD,
        "        for key in self._rows:\n            value",
        "        output.told[self._mark(0).key()] = None\n        for key in self._rows:\n            value",
        (f"{AT_UNTOLD}::test_what_a_reader_sees_who_has_waited_for_the_mark_is_all_that_was_decided_before",),
    ),
    Mutation(
        "S1",
        "a reader that waits for what is untold",
        "streams/reports/reading.py",
        "awaited = dict(found.marks)",
        "awaited: dict[Place, bytes] = {}",
        ("tests/integration/test_report.py::test_what_is_untold_is_waited_for_and_what_ends_meanwhile_is_not_counted",),
    ),
    Mutation(
        "S1",
        "what is untold told although nothing more comes",
        PARTITION,
        "self.sweep.due or self._checkpoint.untold.overdue(self._shared.clock.monotonic())",
        "self.sweep.due",
        (NOTHING_LEFT,),
    ),
    Mutation(
        "S1",
        "what is untold told by who is ended in order",
        PARTITION,
        "await self._tell_last(checkpoint)",
        "pass",
        (f"{AT_PARTITION}::test_who_lets_go_tells_what_was_counted_when_the_last_batch_is_applied",),
    ),
    Mutation(
        "S1",
        "nothing told by whom others have put out",
        CHECKPOINT,
        "if self.failed or not self.untold.stands:",
        "if not self.untold.stands:",
        (f"{AT_CHECKPOINT}::test_a_checkpoint_that_has_failed_tells_nothing",),
    ),
    Mutation(
        "S1",
        "inputs moved to the marker",
        PARTITION,
        "{(topic, self.number): marker.positions[topic] for topic in self._sources}",
        "{(topic, self.number): 0 for topic in self._sources}",
        (f"{AT_CRASH}[device stage, state kept-acknowledged]",),
    ),
    Mutation(
        "S2",
        "reading back up to the barrier",
        RECOVERY,
        "while remaining.at <= barrier and not reached:",
        "while remaining.at <= barrier // 2:",
        (f"{AT_RECOVERY}::test_the_newest_row_of_each_key_is_there_and_deleted_ones_are_not",),
    ),
    Mutation(
        "S2",
        "reading back at all, of a state that is gone",
        RECOVERY,
        "while remaining.at <= barrier and not reached:",
        "while False:",
        (f"{AT_CRASH}[user stage, state wiped-committed]",),
    ),
    Mutation(
        "S2",
        "rows deleted that the changelog deletes",
        STORE,
        "batch.delete(key)",
        "pass",
        (f"{AT_RECOVERY}::test_the_newest_row_of_each_key_is_there_and_deleted_ones_are_not",),
    ),
    Mutation(
        "S2",
        "a state built anew that may have missed deletions",
        RECOVERY,
        "            self._store.wipe()",
        "            pass",
        (f"{AT_RECOVERY}::test_a_state_that_was_away_for_longer_than_deletions_are_remembered_is_built_anew",),
    ),
    Mutation(
        "S2",
        "a state of another cluster refused",
        RECOVERY,
        "if applied.offset > barrier:",
        "if False:",
        (f"{AT_RECOVERY}::test_a_state_that_is_ahead_of_its_changelog_is_refused_with_the_remedy",),
    ),
    Mutation(
        "S2",
        "a state built anew that has what Kafka rolled back",
        RECOVERY,
        "if first > known and self._undone(known):",
        "if False:",
        ("tests/integration/test_engine_rollback.py::test_a_state_that_is_ahead_is_built_anew",),
    ),
    Mutation(
        "S2",
        "rows that are not logged flushed before one that is",
        STORE,
        "if logged and self._unlogged:",
        "if False:",
        ("tests/unit/engine/test_store.py::test_a_crash_leaves_a_state_that_once_was",),
    ),
    Mutation(
        "S3",
        "waiting for the batch under way before the partition is given away",
        PARTITION,
        "await asyncio.wait([task])",
        "pass",
        (f"{AT_PARTITION}::test_closing_waits_for_the_batch_that_is_being_applied",),
    ),
    Mutation(
        "S3",
        "waiting for who looks at the store before it is closed",
        PARTITION,
        "await asyncio.wait([other])",
        "pass",
        (f"{AT_PARTITION}::test_closing_waits_for_who_looks_at_the_store",),
    ),
    Mutation(
        "S3",
        "a fetch given up that meets a rebalance",
        TRANSPORT,
        "within + FETCH_GRACE_S,",
        "None,",
        (f"{AT_WAITS}::test_a_fetch_that_meets_a_rebalance_is_given_up",),
    ),
    Mutation(
        "S3",
        "a seek given up that meets a rebalance",
        PARTITION,
        "await asyncio.wait_for(seek(positions), SEEK_S)",
        "await seek(positions)",
        (f"{AT_WAITS}::test_a_seek_that_meets_a_rebalance_is_given_up_when_the_partition_is_closed",),
    ),
    Mutation(
        "S3",
        "all partitions opened that a rebalance brings",
        WORKER,
        "        for partition in self.partitions.values():\n            self._start_opening(",
        "        for partition in list(self.partitions.values())[1:]:\n            self._start_opening(",
        (f"{AT_REBALANCE}::test_a_second_worker_joins_dies_and_comes_back_under_load",),
    ),
    Mutation(
        "S3",
        "a stuck partition that ends the process",
        "streams/engine/stillness.py",
        "bool(self._exit) and still[longest] >= self._after + self._exit",
        "False",
        ("tests/unit/engine/test_stillness.py::test_it_is_stuck_first_and_ends_later",),
    ),
    Mutation(
        "S4",
        "a transaction written again that found no broker",
        PRODUCER,
        "if refused >= TRIES:",
        "if refused >= 0:",
        (f"{AT_PRODUCER}::test_brokers_that_are_away_are_waited_for_as_long_as_it_takes",),
    ),
    Mutation(
        "S4",
        "an abort made again",
        PRODUCER,
        "again = error.txn_requires_abort() and not error.fatal() and left",
        "again = False",
        (f"{AT_PRODUCER}::test_an_abort_that_meets_the_failure_it_clears_up_is_made_again",),
    ),
    Mutation(
        "S4",
        "a commit asked for again that was not answered",
        PRODUCER,
        '                self._trouble("commit")\n',
        '                raise\n                self._trouble("commit")\n',
        (f"{AT_PRODUCER}::test_a_commit_that_was_not_answered_is_asked_for_again_and_written_once",),
    ),
    Mutation(
        "S4",
        "waiting for the coordinator",
        PRODUCER,
        "if stopped() or not error.retriable():",
        "if True:",
        (f"{AT_PRODUCER}::test_a_partition_that_is_opened_waits_for_the_coordinator_until_it_is_closed",),
    ),
    Mutation(
        "S4",
        "not ready while the brokers are away",
        "streams/engine/readings.py",
        'self.readiness.set("kafka", ends is not None, "the brokers do not answer")',
        'self.readiness.set("kafka", True)',
        ("tests/unit/engine/test_readiness.py::test_brokers_that_are_away_are_no_reason_for_a_restart",),
    ),
    Mutation(
        "S4",
        "a partition opened anew whose transaction the brokers gave up",
        WORKER,
        "        await self._open(fresh)\n",
        "",
        (
            f"{AT_REBALANCE}::test_partitions_whose_writer_was_fenced_off_while_the_group_counts_on_them_are_opened_anew",
        ),
    ),
    Mutation(
        "S4",
        "what was committed before looked for after an abort, which may have rolled it back",
        PRODUCER,
        'if found <= {"there"} or found == {"there", "open"}:',
        "if True:",
        (f"{AT_PRODUCER}::test_what_was_rolled_back_with_an_abort_ends_the_producer",),
    ),
    Mutation(
        "S4",
        "what was committed before looked for when a broker went away, before the next is committed",
        PRODUCER,
        "        if not self._departures.seen:\n            return\n",
        "        return\n",
        (
            f"{AT_PRODUCER}::test_when_a_broker_went_away_the_transaction_before_must_be_there_before_the_next_is_committed",
        ),
    ),
    Mutation(
        "S4",
        "what was committed before looked for when a broker went away, though nothing more is written",
        PRODUCER,
        "        if self._departures.seen or self._unsure:\n",
        "        if False:\n",
        (f"{AT_PRODUCER}::test_when_nothing_more_is_written_that_is_looked_for_all_the_same",),
    ),
    Mutation(
        "S4",
        "a transaction that one changelog has committed where it hangs",
        HANGING,
        COMMITTED,
        "if False:",
        (
            f"{AT_HANGING}::test_what_one_partitions_changelog_has_is_committed_in_all",
            f"{AT_HANGING}::test_two_that_take_over_at_once_end_it_alike",
        ),
    ),
    Mutation(
        "S4",
        "a transaction that no changelog has rolled back where it hangs",
        HANGING,
        COMMITTED,
        "if True:",
        (f"{AT_HANGING}::test_what_hangs_in_another_topic_only_ends_as_the_changelog_says",),
    ),
    Mutation(
        "S4",
        "a changelog's evidence looked for whatever the clock of the worker said",
        HANGING,
        "[began - SKEW_MS] if in_changelogs else [began - SKEW_MS, 0]",
        "[began - SKEW_MS]",
        (f"{AT_HANGING}::test_the_clock_of_the_worker_that_wrote_it_decides_nothing",),
    ),
    Mutation(
        "S4",
        "what nobody knows of left to somebody who looks",
        HANGING,
        "is_fresh = 0 <= time.time() * 1000 - began < FRESH_MS",
        "is_fresh = True",
        (f"{AT_HANGING}::test_what_changelogs_have_nothing_of_any_more_is_left",),
    ),
    Mutation(
        "S4",
        "all of the last transactions suspected when a broker goes away",
        PRODUCER,
        "self._lately.update(dict.fromkeys(self._touched, time.monotonic()))",
        "self._lately = dict.fromkeys(self._touched, time.monotonic())",
        (f"{AT_PRODUCER}::test_when_a_broker_goes_away_all_is_looked_at_that_was_written_lately",),
    ),
    Mutation(
        "S4",
        "what hangs looked for in every topic that was written",
        OWNERS,
        "str(self._claim.unit), self._reach, others",
        "str(self._claim.unit), list(self._reach)[:1], others",
        (f"{AT_HANGING}::test_what_hangs_in_another_topic_only_ends_as_the_changelog_says",),
    ),
    Mutation(
        "S4",
        "the transactions of processes that nobody fenced off left alone",
        HANGING,
        "elif token.by in ids:",
        "else:",
        (f"{AT_HANGING}::test_what_hangs_of_another_process_is_left_to_whoever_takes_over_from_it",),
    ),
    Mutation(
        "S4",
        "claims kept while something hangs that could not be ended",
        OWNERS,
        "self._done = [] if settled.left else others",
        "self._done = others",
        (f"{AT_HANGING}::test_claims_stand_until_nothing_hangs_any_more",),
    ),
    Mutation(
        "S4",
        "what hangs found again by what its first record says",
        PRODUCER,
        'more = {} if self._touches(write.end) else {"headers": headers}',
        "more: dict[str, Any] = {}",
        (f"{AT_PRODUCER}::test_the_first_record_in_each_partition_says_which_transaction_it_is_of",),
    ),
    Mutation(
        "S4",
        "a transaction given up in time that waits for what became of the one before",
        PRODUCER,
        "lambda: time.monotonic() > until)",
        "never)",
        (f"{AT_PRODUCER}::test_within_a_transaction_it_is_given_up_in_time_to_learn_what_became_of_the_one_before",),
    ),
    Mutation(
        "S5",
        "the drain of batches under way",
        WORKER,
        "await self.ending.finish(self.revoke(), self._committing)",
        "pass",
        (f"{AT_ENGINE}::test_the_end_waits_for_the_batches_under_way",),
    ),
    Mutation(
        "S5",
        "an end within the grace, whatever is under way",
        "streams/engine/ending.py",
        "await asyncio.wait([finishing], timeout=self._grace)",
        "await asyncio.wait([finishing])",
        (f"{AT_ENGINE}::test_the_end_waits_no_longer_than_the_grace",),
    ),
    Mutation(
        "S5",
        "an end whatever hangs when nothing is under way any more",
        "streams/engine/ending.py",
        "        timer.start()",
        "        timer.cancel()",
        ("tests/unit/engine/test_ending.py::test_threads_that_hang_do_not_keep_the_process",),
    ),
    Mutation(
        "S5",
        "an end that does not wait for brokers to hear that this process leaves",
        TRANSPORT,
        "await asyncio.wait([leaving], timeout=LEAVE_S)",
        "await leaving",
        (
            "tests/integration/test_ending.py::"
            "test_with_nothing_under_way_it_leaves_a_broker_alone_that_does_not_answer",
        ),
    ),
    Mutation(
        "S5",
        "an end that does not wait as long as otherwise for its last commit of the group's offsets",
        TRANSPORT,
        "await asyncio.wait([call, self._committed_enough], return_when=asyncio.FIRST_COMPLETED)",
        "await asyncio.wait([call])",
        (
            "tests/integration/test_ending.py::"
            "test_it_does_not_wait_for_its_last_commit_when_the_broker_does_not_answer",
        ),
    ),
    Mutation(
        "S5",
        "the group's offsets committed at the end",
        TRANSPORT,
        "return self._applied.get(tp)",
        "return None",
        (f"{AT_REBALANCE}::test_sigterm_finishes_and_commits_the_batch_and_exits_with_0",),
    ),
    Mutation(
        "S5",
        "an end also while it waits for the brokers",
        "streams/engine/startup.py",
        "    while not stopped():\n        try:\n            admin.list_topics(timeout=ASK_S)",
        "    while True:\n        try:\n            admin.list_topics(timeout=ASK_S)",
        ("tests/unit/engine/test_startup.py::test_waiting_for_the_brokers_ends_when_the_worker_is_to_end",),
    ),
    Mutation(
        "S13",
        "a refusing disk noticed",
        STORE,
        f"{REFUSED} as error:",
        f"{REFUSED}:\n            return\n        except ZeroDivisionError as error:",
        (AT_DISK,),
    ),
    Mutation(
        "S13",
        "the end at once, with the reason, before anything is acknowledged",
        CHECKPOINT,
        'exits.die(exits.DISK, f"{self._unit}: {error}")',
        "return",
        (AT_DISK,),
    ),
    Mutation(
        "S16",
        "those known who claimed a partition before",
        OWNERS,
        "return self._claims.before(claim)",
        "return []",
        (REPLACED,),
    ),
    Mutation(
        "S16",
        "those let alone who claim a partition later, and fence this one off",
        OWNERS,
        "return names[: names.index(claim.name)] if claim.name in names else []",
        "return [name for name in names if name != claim.name]",
        ("tests/unit/engine/test_owners.py::test_who_claims_later_or_has_taken_over_already_is_not_before",),
    ),
    Mutation(
        "S16",
        "those fenced off who claimed a partition before",
        OWNERS,
        "self._start(name, stopped)\n",
        "pass\n",
        (REPLACED,),
    ),
    Mutation(
        "S16",
        "different ids fenced off side by side",
        OWNERS,
        "with self._alone.setdefault(name, threading.Lock()):\n            if",
        "with self._alone.setdefault('', threading.Lock()):\n            if",
        ("tests/unit/engine/test_owners.py::test_different_ids_are_fenced_off_side_by_side_and_each_once",),
    ),
    Mutation(
        "S16",
        "claims that would have no order, or be deleted, refused",
        "streams/engine/startup.py",
        "if found else ():",
        "if False else ():",
        (f"{AT_RECOVERY}::test_claims_that_would_have_no_order_or_be_deleted_are_refused",),
    ),
    Mutation(
        "S16",
        "the claims read anew when their topic was made anew",
        OWNERS,
        "if not self._goes_on(known, first):",
        "if False:",
        (f"{AT_RECOVERY}::test_a_topic_of_claims_that_was_made_anew_is_read_from_its_beginning",),
    ),
    Mutation(
        "S16",
        "those remembered whose claims went with their topic",
        OWNERS,
        "self._next, self._last = 0, None\n        return False",
        "self._next, self._last, self._claims = 0, None, Claims()\n        return False",
        (f"{AT_RECOVERY}::test_a_topic_of_claims_that_was_made_anew_is_read_from_its_beginning",),
    ),
    Mutation(
        "S16",
        "a claim that was compacted away no sign of a topic made anew",
        OWNERS,
        "if (first.offset() or 0) <= known.offset:",
        "if True:",
        (f"{AT_RECOVERY}::test_of_claims_that_were_compacted_away_nobody_is_fenced_off",),
    ),
    Mutation(
        "S2",
        "a barrier that was compacted away taken for reached",
        RECOVERY,
        "reached = bool(messages) and (messages[-1].offset() or 0) > barrier",
        "reached = False",
        (f"{AT_RECOVERY}::test_a_barrier_that_is_not_there_any_more_was_reached_when_something_behind_it_is",),
    ),
    Mutation(
        "S3",
        "a process without partitions kept in the group",
        "streams/engine/transport.py",
        "max_poll_interval_ms=NEVER_MS",
        "max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000)",
        (f"{AT_REBALANCE}::test_a_worker_without_partitions_stays_in_the_group_and_takes_over",),
    ),
    Mutation(
        "S3",
        "a process without partitions kept in the group for more than 24 days",
        TRANSPORT,
        "NEVER_MS = math.inf",
        "NEVER_MS = 2**31 - 1",
        (f"{AT_REBALANCE}::test_a_member_that_has_not_fetched_for_a_month_stays_in_the_group_and_comes_back",),
    ),
    Mutation(
        "S3",
        "a process without partitions told what has ended its membership",
        TRANSPORT,
        "            await thread.check()\n",
        "",
        (f"{AT_REBALANCE}::test_a_worker_without_partitions_that_its_group_refuses_ends",),
    ),
    Mutation(
        "S4",
        "what is known of leaders forgotten",
        "streams/kafka.py",
        "METADATA_AGE_MS = 1_000",
        "METADATA_AGE_MS = 900_000",
        ("tests/integration/test_rekey.py::test_a_rekeyed_source_goes_on_when_its_broker_was_started_anew",),
    ),
    Mutation(
        "S16",
        "a producer flushed for so short that it says itself that it was fenced off",
        PRODUCER,
        "FLUSH_S = 0.1",
        "FLUSH_S = 1.0",
        (f"{AT_RECOVERY}::test_who_is_fenced_off_with_requests_under_way_is_told_so_and_lets_go_of_its_client",),
    ),
    Mutation(
        "S16",
        "the answers waited for before a producer is dropped",
        PRODUCER,
        "if len(producer):",
        "if False:",
        (f"{AT_RECOVERY}::test_who_is_fenced_off_with_requests_under_way_is_told_so_and_lets_go_of_its_client",),
    ),
    Mutation(
        "S16",
        "the fence before the state is read back",
        RECOVERY,
        "self._ownership.take(self._stopped)",
        "pass",
        (REPLACED,),
    ),
    Mutation(
        "S16",
        "the end of a worker that was put out of the group",
        WORKER,
        'if membership == "gone":',
        "if False:",
        (f"{AT_ENGINE}::test_who_was_put_out_of_the_group_and_may_not_write_ends_at_once",),
    ),
    Mutation(
        "S16",
        "a fence taken for final",
        PRODUCER,
        "if error.fatal() or not error.txn_requires_abort():",
        "if False:",
        (f"{AT_PRODUCER}::test_one_that_may_not_write_any_more_is_told_at_once",),
    ),
)

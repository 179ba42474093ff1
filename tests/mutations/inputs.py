"""What comes in, and from where: bad sources, codecs, configuration, counts, the order of the sources (S7, S11, S12,
S14, S17), and what the brokers refuse (S18).
"""

from __future__ import annotations

from tests.mutations.mutation import Mutation

WORKER = "streams/engine/worker.py"
MERGE = "streams/engine/merge.py"
CONFIG_TOPIC = "streams/config/topic.py"

AT_INPUTS = "tests/integration/test_engine_inputs.py"
AT_ENGINE = "tests/unit/engine/test_engine.py"
AT_CONFIG = "tests/unit/config/test_topic.py"
AT_TOPICS = "tests/unit/test_topics.py"
AT_MERGE = "tests/unit/engine/test_merge.py"

PAUSES = f"{AT_INPUTS}::test_a_source_that_is_mostly_bad_pauses_with_an_alert"
CODECS = f"{AT_INPUTS}::test_every_codec_is_read_and_aborted_records_never_are"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "S7",
        "the pause of a source that is mostly bad",
        "streams/engine/pauses.py",
        "            if source.exceeded and topic not in self.paused:",
        "            if False:",
        (PAUSES,),
    ),
    Mutation(
        "S7",
        "no more batches of a source that is paused",
        "streams/engine/intake.py",
        "if self._paused.isdisjoint(partition.named)]",
        "]",
        (PAUSES,),
    ),
    Mutation(
        "S7",
        "the limit",
        "streams/sources/quarantine.py",
        "return bad * 100 > self.window * self.percent",
        "return False",
        ("tests/unit/sources/test_quarantine.py",),
    ),
    Mutation(
        "S7",
        "the window",
        "streams/sources/quarantine.py",
        "            self._bad.popleft()\n",
        "            break\n",
        ("tests/unit/sources/test_quarantine.py",),
    ),
    Mutation(
        "S11",
        "committed records only, of the inputs",
        "streams/engine/transport.py",
        'isolation_level="read_committed",',
        'isolation_level="read_uncommitted",',
        (CODECS,),
    ),
    Mutation(
        "S11",
        "committed records only, of the changelog and the config topic",
        "streams/kafka.py",
        '"isolation_level": "read_committed"',
        '"isolation_level": "read_uncommitted"',
        ("tests/unit/test_kafka.py::test_consumers_see_committed_records_only_and_commit_nothing_by_themselves",),
    ),
    Mutation(
        "S11",
        "ends behind open transactions",
        "streams/engine/progress.py",
        '"isolation_level": "read_uncommitted",',
        '"isolation_level": "read_committed",',
        (f"{AT_INPUTS}::test_an_open_transaction_of_one_source_holds_up_the_other",),
    ),
    Mutation(
        "S11",
        "the library for zstd",
        "streams/engine/transport.py",
        'SCHEME = "ringback"\n',
        'SCHEME = "ringback"\naiokafka.record.default_records.codecs.has_zstd = lambda: False\n',
        (CODECS,),
    ),
    Mutation(
        "S12",
        "the last good configuration, when one stage refuses the new one",
        "streams/engine/stages.py",
        "            if before is not None:",
        "            if False:",
        (f"{AT_ENGINE}::test_a_generation_that_one_stage_refuses_is_taken_by_neither",),
    ),
    Mutation(
        "S12",
        "the last good configuration, when a mapping is wrong",
        "streams/engine/pipeline.py",
        "        setting = Setting(Index(configuration)",
        "        setting = self._setting = Setting(Index(configuration)",
        ("tests/unit/engine/test_pipeline.py::test_a_configuration_that_cannot_be_used_leaves_the_old_one_whole",),
    ),
    Mutation(
        "S12",
        "the error metric",
        WORKER,
        "self.readings.metrics.config_errors_total.inc()",
        "pass",
        (f"{AT_ENGINE}::test_an_unusable_generation_leaves_the_last_good_one",),
    ),
    Mutation(
        "S12",
        "an incomplete generation refused",
        CONFIG_TOPIC,
        "if count != expected:",
        "if False:",
        (f"{AT_CONFIG}::test_an_incomplete_generation_is_refused_whole",),
    ),
    Mutation(
        "S12",
        "a generation refused that cannot be read",
        CONFIG_TOPIC,
        "except (msgspec.MsgspecError, ValueError, RecursionError) as error:",
        "except ZeroDivisionError as error:",
        (f"{AT_CONFIG}::test_a_generation_with_a_bad_record_is_refused_whole",),
    ),
    Mutation(
        "S12",
        "a strange record passed over",
        CONFIG_TOPIC,
        "    except UnicodeDecodeError:\n        return None",
        "    except ZeroDivisionError:\n        return None",
        (f"{AT_CONFIG}::test_a_record_with_a_strange_key_is_refused_alone",),
    ),
    Mutation(
        "S12",
        "old sources until the restart that new ones need",
        WORKER,
        "            self._processors.configure(self._in_force, None)\n",
        "",
        (f"{AT_ENGINE}::test_changed_sources_end_the_worker_for_a_restart",),
    ),
    Mutation(
        "S14",
        "inputs of unequal counts refused",
        "streams/topics.py",
        "    problems += _unequal(counts, inputs)\n",
        "",
        (f"{AT_TOPICS}::test_unequal_input_topics_are_refused_with_the_remedy",),
    ),
    Mutation(
        "S14",
        "a changelog of another count refused",
        "streams/engine/startup.py",
        "if count != partitions:",
        "if False:",
        (f"{AT_INPUTS}::test_a_changelog_of_another_number_of_partitions_stops_the_worker",),
    ),
    Mutation(
        "S14",
        "partitions seen that were added",
        WORKER,
        "if added := stage.added(inputs):",
        "if added := None:",
        (f"{AT_INPUTS}::test_partitions_that_are_added_are_seen_and_refused_with_the_way_out",),
    ),
    Mutation(
        "S14",
        "a record in the wrong partition refused",
        "streams/engine/pipeline.py",
        "if expected == (raw.lies or raw).partition:",
        "if True:",
        ("tests/unit/engine/test_pipeline.py::test_a_record_in_the_wrong_partition_stops_before_anything_is_decided",),
    ),
    Mutation(
        "S14",
        "sources assigned apart refused",
        "streams/engine/stages.py",
        "if not all((topic, number) in inputs for topic in self.topics)",
        "if False",
        ("tests/unit/engine/test_stages.py::test_the_users_topic_is_assigned_by_itself",),
    ),
    Mutation(
        "S17",
        "a record that waits for a source that may have an earlier one",
        MERGE,
        "                last = min(last, other.known_to - 1)\n",
        "                pass\n",
        (f"{AT_MERGE}::test_a_record_waits_for_a_source_that_is_not_known_to_be_at_its_end",),
    ),
    Mutation(
        "S17",
        "the earliest of all sources first",
        MERGE,
        "first is None or one.buffer[0].appended < first.buffer[0].appended",
        "first is None",
        (f"{AT_MERGE}::test_everything_goes_once_all_ends_are_known",),
    ),
    Mutation(
        "S17",
        "installs first of records of the same time",
        MERGE,
        "ordered = sorted(sources, key=lambda source: not source[1])",
        "ordered = list(sources)",
        (f"{AT_MERGE}::test_installs_go_first_on_ties_then_the_order_of_the_sources",),
    ),
    Mutation(
        "S17",
        "holds released between the records of a backlog, where they would have been live",
        "streams/engine/pipeline.py",
        "if not batch.release_before(raw.appended):",
        "if False:",
        ("tests/unit/engine/test_pipeline.py::test_a_record_appended_after_the_grace_releases_what_waited_before_it",),
    ),
    Mutation(
        "S17",
        "an end that counts only when it is reached",
        MERGE,
        "if self.moment > self.known_to and self.position >= self.end:",
        "if self.moment > self.known_to:",
        (f"{AT_MERGE}::test_an_end_that_is_not_reached_yet_counts_from_when_it_is",),
    ),
    Mutation(
        "S17",
        "progress by what has been taken",
        MERGE,
        "return min(one.buffer[0].appended if one.buffer else one.known_to for one in self._inputs)",
        "return min(one.known_to for one in self._inputs)",
        (f"{AT_MERGE}::test_progress_never_passes_a_record_that_was_not_taken",),
    ),
    Mutation(
        "S17",
        "holds released by progress of reading, not by the time of the broker",
        "streams/engine/partition.py",
        "self._checkpoint.apply(records, self.merge.progress(),",
        "self._checkpoint.apply(records, self.broker_clock.now(),",
        (f"{AT_INPUTS}::test_what_is_held_of_a_backlog_waits_for_what_was_appended_before_it_was_due",),
    ),
    Mutation(
        "S18",
        "the end, with the reason, when the brokers refuse a transaction again and again",
        "streams/engine/producer.py",
        "if refused >= TRIES:",
        "if False:",
        ("tests/unit/engine/test_producer.py::test_a_transaction_that_is_refused_again_and_again_ends_it",),
    ),
)

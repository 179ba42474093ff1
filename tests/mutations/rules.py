"""What is decided by pure rules: bad records, duplicates, holds, late records, times, sizes (S6 to S10, S15, S18)."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

DECODE = "streams/sources/decode.py"
IDENTITY = "streams/attribution/identity.py"
FOLD = "streams/attribution/fold.py"
PERIODS = "streams/attribution/periods.py"
LETTERS = "streams/engine/letters.py"
BATCH = "streams/engine/batch.py"
DEVICES = "streams/engine/devices.py"
PIPELINE = "streams/engine/pipeline.py"
TELLING = "streams/engine/telling.py"

AT_PIPELINE = "tests/unit/engine/test_pipeline.py"
AT_DECODE = "tests/unit/sources/test_decode.py"
AT_IDENTITY = "tests/unit/attribution/test_identity.py"
AT_PROPERTIES = "tests/unit/attribution/test_properties.py"
AT_HOLD = "tests/unit/attribution/test_hold.py"
AT_LATE = "tests/unit/attribution/test_late.py"
AT_DUPLICATES = "tests/unit/attribution/test_duplicates.py"

S8 = "test_s8_duplicates_change_nothing_however_many_and_wherever"
BAD_INPUT = f"{AT_PIPELINE}::test_bad_input_is_a_dead_letter_and_the_next_record_is_decided"
TOO_LARGE = f"{AT_PIPELINE}::test_a_record_that_is_too_large_is_a_dead_letter_with_its_raw_bytes"
LATE_PERIOD = f"{AT_LATE}::test_a_late_record_goes_to_the_attribution_period_in_which_its_time_lies"
RAISES = f"{AT_PIPELINE}::test_a_rule_that_raises_is_a_dead_letter_and_changes_nothing"

FOLDED = "            raise\n        working.device = step.device\n        working.done += done"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("S6", "a null value refused", DECODE, "if value is None:", "if False:", (BAD_INPUT,)),
    Mutation("S6", "a record of 1 MB refused", DECODE, "if len(value) > self._max_bytes:", "if False:", (TOO_LARGE,)),
    Mutation(
        "S6",
        "bytes that are no JSON refused",
        DECODE,
        "except msgspec.DecodeError as error:",
        "except ZeroDivisionError as error:",
        (BAD_INPUT,),
    ),
    Mutation(
        "S6",
        "bytes that are no UTF-8 refused",
        DECODE,
        "except UnicodeDecodeError:",
        "except ZeroDivisionError:",
        (AT_DECODE,),
    ),
    Mutation(
        "S6",
        "values nested without end refused",
        DECODE,
        "except RecursionError:",
        "except ZeroDivisionError:",
        (AT_DECODE,),
    ),
    Mutation(
        "S6",
        "wrong types refused",
        DECODE,
        "except msgspec.ValidationError as error:",
        "except ZeroDivisionError as error:",
        (BAD_INPUT,),
    ),
    Mutation("S6", "missing fields refused", DECODE, "if not record.app_id:", "if False:", (AT_DECODE,)),
    Mutation(
        "S6",
        "a missing name refused",
        DECODE,
        "if not record.event_name:\n                r",
        "if False:\n                r",
        (AT_DECODE,),
    ),
    Mutation("S6", "no identifier refused", IDENTITY, "if device_id is None:", "if False:", (BAD_INPUT,)),
    Mutation(
        "S6",
        "names as long as a record refused",
        IDENTITY,
        "> LONGEST_NAME:\n        return",
        "> 1 << 60:\n        return",
        (f"{AT_PIPELINE}::test_names_that_would_blow_up_what_is_written_are_refused",),
    ),
    Mutation("S6", "a time before 2000 refused", IDENTITY, "elif at < EARLIEST:", "elif False:", (BAD_INPUT,)),
    Mutation(
        "S6",
        "a time of the next days refused",
        IDENTITY,
        "if at > appended + DAY:",
        "if False:",
        (f"{AT_IDENTITY}::test_an_own_time_more_than_a_day_after_the_append_time_is_bad_input",),
    ),
    Mutation(
        "S6",
        "an append time that is no millisecond refused",
        IDENTITY,
        "if appended // DAY > LAST_DAY:",
        "if False:",
        (f"{AT_PIPELINE}::test_an_append_time_that_is_no_millisecond_is_a_dead_letter_and_nothing_stops",),
    ),
    Mutation(
        "S6",
        "a time that cannot be read refused",
        IDENTITY,
        "except times.UnreadableTimeError as error:",
        "except ZeroDivisionError as error:",
        (BAD_INPUT,),
    ),
    Mutation(
        "S6",
        "the raw bytes in the dead letter",
        LETTERS,
        "value=None if value is None else value[:RAW_BYTES_KEPT],",
        "value=None,",
        (BAD_INPUT,),
    ),
    Mutation(
        "S6",
        "the offset that moves past a bad record",
        BATCH,
        "        self.output.taken += 1\n",
        "        self.output.taken += isinstance(placed, Entry)\n",
        (BAD_INPUT,),
    ),
    Mutation(
        "S8",
        "ids remembered",
        FOLD,
        "if has_seen(device.seen, record_mark):",
        "if False:",
        (f"{AT_PROPERTIES}::{S8}",),
    ),
    Mutation(
        "S8",
        "ids of held records remembered",
        FOLD,
        "    if see(device.seen,",
        "    if entry.kind == 'install' and see(device.seen,",
        (f"{AT_PROPERTIES}::{S8}",),
    ),
    Mutation(
        "S8",
        "ids remembered for the whole dedup window",
        "streams/attribution/marks.py",
        "if bundle.until * _MINUTE >= oldest]",
        "if bundle.until * _MINUTE >= oldest + window // 2]",
        (f"{AT_DUPLICATES}::test_a_duplicate_may_come_days_later", f"{AT_PROPERTIES}::{S8}"),
    ),
    Mutation(
        "S9",
        "the hold of events of an unknown device",
        FOLD,
        "return not device.attributions or entry.at",
        "return bool(device.attributions) and entry.at",
        (f"{AT_PROPERTIES}::test_s9_any_interleaving_inside_the_grace_gives_the_same_derived_events",),
    ),
    Mutation(
        "S9",
        "the hold of events of a dormant device",
        FOLD,
        "return not device.attributions or entry.at > device.clock + app.inactivity_window",
        "return not device.attributions",
        (f"{AT_PROPERTIES}::test_s9_any_interleaving_inside_the_grace_gives_the_same_derived_events",),
    ),
    Mutation(
        "S9",
        "what a device holds in the order of own times",
        FOLD,
        "held.sort(",
        "held[:0].sort(",
        (f"{AT_HOLD}::test_the_order_of_arrival_of_held_records_does_not_matter",),
    ),
    Mutation(
        "S10",
        "too late refused",
        FOLD,
        "if oldest is not None and entry.at < max(oldest, device.forgotten):",
        "if False:",
        (f"{AT_DUPLICATES}::test_a_record_more_than_the_dedup_window_before_the_newest_is_too_late",),
    ),
    Mutation(
        "S10",
        "late events kept from moving windows",
        PERIODS,
        "elif at < device.newest:",
        "elif False:",
        (f"{AT_PROPERTIES}::test_s10_no_window_moves_backwards",),
    ),
    Mutation(
        "S10",
        "a late event in the attribution of its time",
        PERIODS,
        "        period = _period_at(device, at)\n    else:",
        "        period = device.attributions[-1]\n    else:",
        (LATE_PERIOD,),
    ),
    Mutation(
        "S10",
        "an event before the first attribution at number 1",
        PERIODS,
        "            return period\n    return device.attributions[0]",
        "            return period\n    return device.attributions[-1]",
        (f"{AT_LATE}::test_before_all_it_goes_to_number_1",),
    ),
    Mutation(
        "S10",
        "late installs kept from opening a period",
        PERIODS,
        "elif not late and at - device.clock >= app.inactivity_window:",
        "elif abs(at - device.clock) >= app.inactivity_window:",
        (f"{AT_LATE}::test_a_late_install_is_no_re_install",),
    ),
    Mutation(
        "S15",
        "append times, not the clock, for a record without a time of its own",
        PIPELINE,
        "identity.place(found, raw.source.record, raw.appended, origin, app)",
        "identity.place(found, raw.source.record, now, origin, app)",
        (f"{AT_PIPELINE}::test_the_clock_of_the_machine_changes_no_job_and_no_state",),
    ),
    Mutation(
        "S15",
        "holds by reading, not by the clock",
        PIPELINE,
        "if not batch.release_before(raw.appended):",
        "if not batch.release_before(now):",
        (f"{AT_PIPELINE}::test_the_clock_of_the_machine_changes_no_job_and_no_state",),
    ),
    Mutation(
        "S15",
        "the broker's clock carried on by monotonic time",
        "streams/engine/progress.py",
        "        now = self._clock.monotonic()\n        return int(",
        "        now = self._clock.now() / 1000\n        return int(",
        ("tests/unit/engine/test_broker_clock.py",),
    ),
    Mutation(
        "S15",
        "a clock of ours that is read once",
        "streams/clock.py",
        "return int((self._anchor + time.monotonic()) * 1000)",
        "return int(time.time() * 1000)",
        ("tests/unit/test_clock.py::test_the_wall_clock_may_jump_and_ours_does_not",),
    ),
    Mutation(
        "S18",
        "a state that grows too large refused",
        DEVICES,
        "                raise TooLarge(",
        "                TooLarge(",
        (f"{AT_PIPELINE}::test_a_state_that_would_be_too_large_refuses_the_record_and_keeps_the_rest",),
    ),
    Mutation(
        "S18",
        "a job that is too large refused",
        TELLING,
        "limit = min(setting.limits.record_bytes, setting.limits.job_bytes)",
        "limit = 1 << 60",
        (f"{AT_PIPELINE}::test_a_job_that_is_too_large_is_a_dead_letter",),
    ),
    Mutation(
        "S18",
        "a record for the user stage that is too large refused",
        TELLING,
        "if len(value) > self._setting.limits.job_bytes:",
        "if False:",
        ("tests/unit/engine/test_users.py::test_a_record_that_is_too_large_for_the_user_stage_is_a_dead_letter_too",),
    ),
    Mutation(
        "S18",
        "a rule that raises caught",
        BATCH,
        '            self._telling.refuse(raw, "internal", described(error))\n',
        "            raise error\n",
        (RAISES,),
    ),
    Mutation(
        "S18",
        "the state put back when a rule raises",
        DEVICES,
        f"            self._restore(working)\n{FOLDED}",
        FOLDED,
        (RAISES,),
    ),
    Mutation(
        "S18",
        "a postback that raises caught",
        TELLING,
        'self.dead_letter(self.letters.of_entry(entry, "internal", described(error)))',
        "raise error",
        (f"{AT_PIPELINE}::test_a_postback_that_raises_is_a_dead_letter_and_the_record_counts",),
    ),
    Mutation(
        "S18",
        "a release that raises caught",
        BATCH,
        "            self._unhold(device_key)\n            self._telling.dead_letter(",
        "            raise error\n            self._telling.dead_letter(",
        (f"{AT_PIPELINE}::test_a_release_that_raises_is_a_dead_letter_once_and_the_next_device_is_released",),
    ),
    Mutation(
        "S18",
        "a device whose release raises taken off the holds",
        BATCH,
        "            self._unhold(device_key)\n            self._telling.dead_letter(",
        "            self._telling.dead_letter(",
        (f"{AT_PIPELINE}::test_a_release_that_raises_is_a_dead_letter_once_and_the_next_device_is_released",),
    ),
)

"""Dead letters that are sent again (D24), strangers at the port of the probes and in answers (D27), and secrets that
stay where they are used (D28).
"""

from __future__ import annotations

from tests.mutations.mutation import Mutation

ACTING = "streams/letters/acting.py"
AGAIN = "streams/letters/again.py"
COURSE = "streams/delivery/course.py"
ECHOES = "streams/delivery/echoes.py"
HTTP = "streams/delivery/http"
SETTLING = "streams/delivery/settling.py"

AT_AGAIN = "tests/unit/letters/test_again.py"
AT_COURSE = "tests/unit/delivery/test_course.py"
AT_DLQ = "tests/integration/test_dlq.py"
AT_ECHOES = "tests/unit/delivery/test_echoes.py"
AT_WIRE = "tests/integration/test_sender_wire.py"
REPLAYED = f"{AT_AGAIN}::test_a_replayed_job_is_the_same_job_due_now_and_is_sent_however_old"
LISTED = f"{AT_DLQ}::test_what_failed_is_listed_shown_and_delivered_once_when_the_partner_is_well"
ONCE = f"{AT_DLQ}::test_a_replay_that_is_killed_broken_off_or_overtaken_sends_each_letter_once"
NOWHERE = "tests/integration/test_sender_delivery.py::test_secrets_are_sent_and_written_nowhere"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("D24", "the mark of a replay", AGAIN, "replay=True,", "replay=job.replay,", (REPLAYED,)),
    Mutation("D24", "all attempts anew", AGAIN, "attempts=0,", "attempts=job.attempts,", (REPLAYED,)),
    Mutation(
        "D24",
        "the age of a replay counted from the replay",
        COURSE,
        "return job.replayed_at or job.decided_at",
        "return job.decided_at",
        (f"{AT_COURSE}::test_the_age_of_a_replay_counts_from_the_replay", REPLAYED),
    ),
    Mutation(
        "D24",
        "replays of a postback that is paused",
        COURSE,
        'if status == "paused" and not job.replay:',
        'if status == "paused":',
        (f"{AT_COURSE}::test_a_paused_postback_in_the_configuration_stops_queued_jobs_but_no_replays",),
    ),
    Mutation(
        "D24",
        "a job that is counted once, however often it is replayed",
        SETTLING,
        "if job.replay or not 0 <",
        "if not 0 <",
        (
            "tests/unit/delivery/test_settling.py::test_what_has_not_ended_what_ended_before_and_what_is_no_job_count_nothing",
        ),
    ),
    Mutation(
        "D24",
        "a note of what was replayed",
        ACTING,
        "        return notes(self.topic.topic, done, addresses, self.clock.now(), self._by)",
        "        return ()",
        (LISTED,),
    ),
    Mutation(
        "D24",
        "notes heard of that others have made meanwhile",
        ACTING,
        "            self._hear_of_others()\n",
        "",
        (ONCE,),
    ),
    Mutation(
        "D24",
        "one replay at a time",
        "streams/letters/writing.py",
        'transactional_id=f"{settings.topic_prefix}dlq"',
        'transactional_id=f"{settings.topic_prefix}dlq{id(self)}{time.time()}"',
        (ONCE,),
    ),
    Mutation(
        "D24",
        "a job refused whose replay is under way",
        "streams/letters/ended.py",
        "self.jobs[job_id].job.replayed_at > ended.at",
        "self.jobs[job_id].job.replayed_at > ended.at + 10**12",
        (f"{AT_DLQ}::test_a_job_that_ended_otherwise_is_sent_again_when_that_is_said",),
    ),
    Mutation(
        "D28",
        "a request that does not show itself",
        "streams/templates/finish.py",
        'return f"Finished({self.method!r})"',
        'return f"Finished({self.method!r}, {self.url!r}, {self.headers!r}, {self.body!r})"',
        ("tests/unit/templates/test_secrets.py::test_a_finished_request_does_not_show_its_secrets",),
    ),
    Mutation(
        "D28",
        "an error of our own without its message",
        "streams/delivery/blame.py",
        'return f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}" if frames else type(error).__name__',
        "return repr(error)",
        ("tests/unit/delivery/test_sender.py::test_a_request_that_cannot_be_finished_ends_its_job_and_frees_its_slot",),
    ),
    Mutation(
        "D28",
        "the URL left out of the error that it cannot be sent",
        f"{HTTP}/origins.py",
        '"#" in url:\n        raise Unsendable("bad URL")',
        '"#" in url:\n        raise Unsendable(f"bad URL {url}")',
        (f"{AT_WIRE}::test_no_failure_tells_anything_of_the_request",),
    ),
    Mutation(
        "D28",
        "what a partner repeats of secrets",
        "streams/delivery/attempts.py",
        "            response = echoes.hidden(outcome.response, len(outcome.response) < SURELY_WHOLE)",
        "            response = outcome.response",
        (NOWHERE,),
    ),
    Mutation(
        "D28",
        "what a partner repeats in another writing",
        ECHOES,
        "for writing in _WRITINGS",
        "for writing in _WRITINGS[:1]",
        (f"{AT_ECHOES}::test_a_secret_is_found_however_it_is_written",),
    ),
    Mutation(
        "D28",
        "the beginning of a secret at the end of what is kept",
        ECHOES,
        "return text if whole else self._cut(text)",
        "return text",
        (f"{AT_ECHOES}::test_one_that_is_cut_at_the_end_is_found_too",),
    ),
    Mutation(
        "D28",
        "a missing secret named by its reference only",
        "streams/delivery/secrets.py",
        "raise SecretMissing(reference)",
        'raise SecretMissing(f"{reference} {Path(name).read_text() if Path(name).is_file() else os.environ}")',
        ("tests/unit/delivery/test_secrets.py::test_a_missing_secret_names_its_reference_only",),
    ),
    Mutation(
        "D27",
        "a body refused without being taken in",
        "streams/probes.py",
        ", lingering_time=0.0",
        "",
        ("tests/unit/test_probes_attacked.py::test_a_huge_body_is_refused_and_not_taken_in",),
    ),
    Mutation(
        "D27",
        "only what can be printed of a partner's answer",
        "streams/cli/tail.py",
        "[printable(cell) for cell in cells(found.receipt, ids)]",
        "list(cells(found.receipt, ids))",
        ("tests/integration/test_tail.py::test_what_a_partner_answers_moves_no_cursor",),
    ),
)

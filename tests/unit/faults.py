"""The faults of the delivery side, D1 to D28, each with the tests that make it and see it borne.

A test is named `file::test_…`, the file below `tests/`, without its `test_`. `test_faults` looks whether each exists.
`tests/mutations/delivery.py` takes the protections out.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A row, what happens, and where it is made. `remark`: why there is no test yet."""

    row: str
    what: str
    tests: tuple[str, ...]
    remark: str = ""


def fault(row: str, what: str, *tests: str, remark: str = "") -> Fault:
    """One row of the table."""
    return Fault(row, what, tests, remark)


CRASH, STEPS = "integration/sender_crash", "integration/sender_steps"
DELIVERY, OUTAGE, WIRE = "integration/sender_delivery", "integration/sender_outage", "integration/sender_wire"
PARTNERS, TIME = "integration/sender_partners", "integration/sender_time"
CONNECTIONS, HOSTILE = "integration/sender_connections", "integration/sender_hostile"
EGRESS, TLS, OURS = "integration/sender_egress", "integration/sender_tls", "integration/sender_ours"
DLQ = "integration/dlq"
LEDGER = "integration/torture_delivery::test_a_short_run_loses_nothing_and_leaves_nothing_behind"
AT_EACH_STEP = f"{STEPS}::test_killed_at_each_step_nothing_is_lost_and_no_chain_forks"

FAULTS = (
    fault(
        "D1",
        "kill -9 before the request, in flight, after 2xx before the receipt, after the receipt before the commit",
        AT_EACH_STEP,
        f"{CRASH}::test_kill_9_loses_nothing_and_repeats_only_what_was_in_flight",
        f"{DELIVERY}::test_what_was_finished_is_not_sent_again_after_a_restart",
        LEDGER,
    ),
    fault("D2", "kill -9 around the commit of an outcome", AT_EACH_STEP, LEDGER),
    fault(
        "D3",
        "SIGTERM with 100 in flight",
        f"{CRASH}::test_sigterm_finishes_what_is_in_flight_and_exits_0",
        f"{OUTAGE}::test_a_sender_goes_on_after_the_broker_was_away",
        "unit/delivery/sender::test_what_is_read_when_the_end_has_begun_is_not_sent",
    ),
    fault(
        "D4",
        "a second sender joins and leaves with jobs in flight",
        f"{CRASH}::test_a_second_sender_joins_and_leaves_with_jobs_in_flight",
        f"{CRASH}::test_what_an_assignment_has_settled_is_not_committed_in_the_name_of_the_next",
        "unit/delivery/offsets::test_late_results_of_an_assignment_that_is_over_are_ignored",
        LEDGER,
    ),
    fault(
        "D5",
        "the broker away",
        f"{OUTAGE}::test_a_sender_goes_on_after_the_broker_was_away",
        f"{OUTAGE}::test_a_call_to_the_client_that_never_returns_costs_a_new_producer_and_no_receipt",
        "integration/sender_hanging::test_what_hangs_is_aborted_by_the_next_producer_of_the_same_id",
        "integration/sender_hanging::test_a_process_with_a_name_ends_what_one_of_its_name_left_hanging_and_goes_on",
        "unit/delivery/sender::test_nothing_is_read_while_nothing_can_be_committed",
        "unit/delivery/outcomes::test_after_a_broker_was_away_an_abort_ends_the_session",
    ),
    fault(
        "D6",
        "every partner hangs",
        f"{PARTNERS}::test_when_all_partners_hang_the_member_stays_and_memory_is_bounded",
    ),
    fault(
        "D7",
        "one of 20 partners hangs, answers 500, or is limited",
        f"{CRASH}::test_a_hanging_partner_does_not_delay_the_others",
        "unit/delivery/lanes::test_no_more_than_the_slots_are_under_way",
        LEDGER,
        "unit/delivery/lanes::test_partners_that_take_long_leave_memory_to_others_however_many_they_are",
        "unit/delivery/lanes::test_a_lane_that_has_become_slow_gives_back_what_others_lack",
    ),
    fault(
        "D8",
        "near jobs behind far ones",
        f"{TIME}::test_near_jobs_overtake_far_ones_of_the_same_partition",
        f"{DELIVERY}::test_a_delayed_job_is_never_early",
        "unit/delivery/tiers::test_a_tier_never_ends_after_the_due_time_and_is_the_largest_such",
    ),
    fault(
        "D9",
        "the clock jumps an hour forward or back",
        f"{TIME}::test_a_jump_of_the_machines_clock_changes_nothing",
        "unit/clock::test_the_wall_clock_may_jump_and_ours_does_not",
    ),
    fault(
        "D10",
        "connect hangs; headers hang; body at 1 byte/s; endless body; gzip bomb; 1 MB of headers",
        f"{WIRE}::test_the_timeout_is_over_everything",
        f"{WIRE}::test_a_connection_that_is_never_accepted_times_out",
        f"{WIRE}::test_an_endless_body_is_cut",
        f"{WIRE}::test_a_compressed_body_is_not_unpacked",
        f"{WIRE}::test_too_much_of_headers_is_a_failure",
        f"{HOSTILE}::test_a_request_that_ends_while_it_dials_has_one_end_and_leaves_no_socket",
        f"{CONNECTIONS}::test_a_request_that_ran_out_of_time_leaves_no_connection",
    ),
    fault(
        "D11",
        "malformed HTTP, early close, reset",
        f"{WIRE}::test_malformed_answers_are_typed_failures",
        f"{WIRE}::test_a_reset_is_a_typed_failure",
        f"{WIRE}::test_a_server_that_does_not_wait_for_the_request_is_a_typed_failure",
        f"{CONNECTIONS}::test_a_connection_is_not_used_again_where_the_next_answer_could_be_another_ones",
        f"{CONNECTIONS}::test_what_comes_behind_an_answer_is_not_the_next_one",
        f"{HOSTILE}::test_each_answer_is_its_own_however_it_is_cut",
    ),
    fault(
        "D12",
        "a kept-alive connection closed as a GET is written",
        f"{CONNECTIONS}::test_a_get_is_written_once_when_a_kept_alive_connection_drops",
        f"{CONNECTIONS}::test_a_request_is_written_once_when_a_kept_alive_connection_drops",
        f"{HOSTILE}::test_a_partner_that_closes_at_random_gets_each_request_once",
        LEDGER,
    ),
    fault(
        "D13",
        "429 with Retry-After: seconds, minutes, a day, a date, garbage",
        f"{TIME}::test_a_partner_is_held_as_it_asks_up_to_the_cap_and_garbage_is_ignored",
        "unit/delivery/retry::test_retry_after_is_seconds_or_a_date_and_garbage_is_ignored",
        "unit/delivery/retry::test_no_retry_after_raises_or_exceeds_the_cap",
    ),
    fault(
        "D14",
        "500 for a while, then well",
        f"{PARTNERS}::test_a_breaker_opens_probes_and_closes_and_the_backlog_drains_at_the_limit",
        "unit/delivery/lanes::test_an_open_breaker_sends_nothing_and_then_one_at_a_time",
        "unit/delivery/breaker::test_it_probes_after_its_pause_and_closes_when_the_probes_are_good",
        "unit/delivery/lanes::test_a_partner_is_probed_while_requests_from_before_still_hang",
    ),
    fault(
        "D15",
        "400, 401, 404, 410, 413",
        f"{DELIVERY}::test_used_up_attempts_end_as_a_dead_letter",
        f"{DELIVERY}::test_410_pauses_the_partner",
        "unit/delivery/retry::test_a_status_that_is_not_retried_is_final",
    ),
    fault(
        "D16",
        "204, 301, 302, 399, 599, 999",
        f"{WIRE}::test_every_status_is_reported_and_no_redirect_followed",
        "unit/delivery/retry::test_every_other_status_is_a_failure_that_is_retried",
    ),
    fault(
        "D17",
        "addresses that are not public, in every form",
        f"{EGRESS}::test_nothing_but_public_addresses_is_dialled",
        f"{EGRESS}::test_a_name_leads_nowhere_else_than_its_address",
        f"{EGRESS}::test_a_name_that_changes_between_check_and_use_is_judged_by_the_socket",
        f"{DELIVERY}::test_a_blocked_address_is_never_dialled",
        "unit/delivery/egress::test_no_socket_is_made_for_a_blocked_address",
    ),
    fault(
        "D18",
        "a name that does not resolve; a resolver that hangs",
        f"{WIRE}::test_a_resolver_that_hangs_delays_nobody_else",
        f"{OURS}::test_a_name_that_does_not_exist_is_a_failure_and_a_resolver_that_is_down_is_ours",
        f"{OURS}::test_a_job_that_could_not_be_sent_for_want_of_a_resolver_has_lost_no_attempt",
        f"{HOSTILE}::test_a_look_up_that_hangs_keeps_no_process_from_ending",
    ),
    fault(
        "D19",
        "expired, self-signed, wrong-host certificate",
        f"{TLS}::test_a_certificate_that_proves_nothing_is_refused",
        f"{TLS}::test_an_authority_that_nobody_knows_is_refused",
        f"{TLS}::test_it_is_tried_again_and_then_a_dead_letter",
    ),
    fault(
        "D20",
        "CR, LF, NUL, quotes, braces, non-ASCII, 64 kB in macro values",
        f"{WIRE}::test_a_header_cannot_be_injected",
        "unit/templates/properties::test_scheme_host_port_and_structure_are_those_of_the_template",
    ),
    fault("D21", "bytes signed are bytes on the wire", f"{WIRE}::test_the_bytes_on_the_wire_are_those_of_the_request"),
    fault(
        "D22",
        "poison in the delivery topic; attempts −1 or 10⁹; a far due time",
        f"{DELIVERY}::test_poison_is_a_dead_letter_and_the_next_job_goes_on",
        f"{DELIVERY}::test_poison_that_is_long_where_nobody_looks_stops_nothing",
        "unit/delivery/jobs::test_absurd_values_are_poison_that_names_the_job",
    ),
    fault(
        "D23",
        "a partner paused, resumed, removed or in shadow with jobs queued",
        f"{PARTNERS}::test_queued_jobs_stop_with_their_partner_and_go_on_at_its_limit",
        f"{DELIVERY}::test_a_paused_partner_waits_uncharged_and_goes_on_when_resumed",
        f"{DELIVERY}::test_shadow_removed_and_expired_jobs_end_unsent",
    ),
    fault(
        "D24",
        "manual replay of a dead or delivered job",
        f"{DLQ}::test_what_failed_is_listed_shown_and_delivered_once_when_the_partner_is_well",
        f"{DLQ}::test_a_replay_that_is_killed_broken_off_or_overtaken_sends_each_letter_once",
        f"{DLQ}::test_a_job_that_ended_otherwise_is_sent_again_when_that_is_said",
        "integration/dlq_outage::test_a_replay_goes_on_when_the_broker_restarts_or_is_run_again",
        "unit/letters/again::test_a_replayed_job_is_the_same_job_due_now_and_is_sent_however_old",
    ),
    fault(
        "D25",
        "a backlog for a stuck partner",
        f"{PARTNERS}::test_a_backlog_for_a_stuck_partner_leaves_memory_and_the_way_free",
        f"{PARTNERS}::test_what_comes_due_while_no_sender_runs_is_not_read_all_at_once",
        "unit/delivery/sender::test_what_waits_in_memory_is_bounded",
        "unit/delivery/lanes::test_a_lane_of_a_process_at_its_limit_takes_no_more_than_there_is_memory",
    ),
    fault(
        "D26",
        "no file descriptors, no ports, the producer's queue full",
        f"{OURS}::test_without_file_descriptors_nothing_is_charged_and_connections_that_wait_are_given_up",
        f"{OURS}::test_without_ports_nothing_is_charged",
        f"{HOSTILE}::test_many_connections_leave_no_file_descriptors",
        "unit/delivery/retry::test_what_is_ours_is_not_charged_however_often",
    ),
    # There is no admin API and no console: this is what listens, and what shows a partner's answer.
    fault(
        "D27",
        "path tricks, methods, huge bodies and what is no request at the port of the probes; an answer with script",
        "unit/probes_attacked::test_no_path_leads_anywhere_else",
        "unit/probes_attacked::test_nothing_can_be_done_by_any_method",
        "unit/probes_attacked::test_a_huge_body_is_refused_and_not_taken_in",
        "unit/probes_attacked::test_what_is_no_request_ends_its_own_connection_only",
        "integration/tail::test_what_a_partner_answers_moves_no_cursor",
    ),
    fault(
        "D28",
        "secrets",
        f"{DELIVERY}::test_secrets_are_sent_and_written_nowhere",
        f"{WIRE}::test_no_failure_tells_anything_of_the_request",
        "unit/delivery/echoes::test_a_secret_is_found_however_it_is_written",
        "unit/templates/secrets::test_a_finished_request_does_not_show_its_secrets",
    ),
)

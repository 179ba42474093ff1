"""The rules of records, attribution and derived events, sentence by sentence, each with the tests that prove it.

A test is named `file::test_…`; a file without a folder lies in `tests/unit/attribution`, one with a folder in
`tests/unit`, and neither has its `test_`. `test_rules` looks whether each exists.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """A sentence, and where it is proved."""

    sentence: str
    tests: tuple[str, ...]


def rule(sentence: str, *tests: str) -> Rule:
    """One row of the tables."""
    return Rule(sentence, tests)


RECORDS = (
    rule("Unknown fields are kept as `params`.", "sources/decode::test_unknown_fields_are_kept_as_params"),
    rule(
        "The append time is the Kafka timestamp of a record; a time that is not written is the append time.",
        "identity::test_the_own_time_defaults_to_the_append_time",
        "identity::test_an_install_is_named_install",
    ),
    rule(
        "Times are RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or Unix time, from 10¹¹ on in milliseconds.",
        "schemas/times::test_a_time_may_be_rfc_3339_or_plain_utc_or_unix_time",
        "schemas/times::test_what_is_in_no_such_form_is_not_a_time",
    ),
    rule(
        "The `id` is unique within the device; when it is missing it is derived from topic, partition and offset.",
        "identity::test_the_id_is_the_records_own",
        "identity::test_a_missing_id_is_derived_from_topic_partition_and_offset",
    ),
    rule("`app_id` is required.", "engine/pipeline::test_bad_input_is_a_dead_letter_and_the_next_record_is_decided"),
    rule(
        "At least one identifier is needed.",
        "identity::test_without_an_identifier_of_the_apps_order_it_is_bad_input",
        "schemas/examples::test_an_input_record_may_have_fields_of_its_own_but_needs_an_identifier",
    ),
    rule(
        "A touch needs a `publisher_name` or an `agency_name`.",
        "touches::test_a_touch_needs_a_publisher_or_an_agency",
    ),
    rule(
        "A touch is a click by default.",
        "touches::test_a_touch_is_a_click_unless_it_says_otherwise",
        "postbacks/decisions::test_each_macro_finds_its_value",
    ),
    rule(
        "`click_timestamp`, of an impression too, defaults to the record's own time.",
        "touches::test_the_touch_is_by_default_at_the_records_own_time",
        "touches::test_so_is_an_impression",
    ),
    rule(
        "An install has the event name `install`, or none.",
        "sources/decode::test_an_install_needs_no_event_name",
        "sources/decode::test_another_event_in_a_source_of_installs_is_refused_with_the_remedy",
    ),
    rule("An event needs a name.", "identity::test_an_event_needs_a_name"),
    rule(
        "Every name that is not reserved is a custom event.",
        "derived_events::test_so_does_a_custom_event_under_its_own_name",
        "derived_events::test_these_yield_nothing_of_their_own",
    ),
    rule(
        "Aliases mean the reserved name.",
        "identity::test_an_alias_means_the_reserved_name",
        "derived_events::test_an_alias_counts_as_the_reserved_name",
    ),
    rule(
        "Aliases hold for incoming names only; a configuration with one is refused with what is meant.",
        "config/check::test_an_alias_of_an_incoming_name_is_refused_with_what_is_meant",
        "events::test_did_you_mean",
    ),
    rule(
        "The device key is the app and the first identifier present in the app's order.",
        "identity::test_the_device_key_is_the_app_and_the_first_identifier_present_in_the_apps_order",
        "identity::test_an_app_may_have_its_own_order",
        "agreement::test_the_pipelines_say_what_the_reference_says",
    ),
    rule(
        "Each platform has its default order; on iOS the IDFV comes before the IDFA.",
        "config/load::test_the_default_device_key_is_the_platforms",
        "identity::test_on_ios_the_idfv_comes_before_the_idfa",
    ),
    rule(
        "Advertising ids and the IDFV are lower-cased.",
        "identity::test_advertising_ids_and_the_idfv_are_lower_cased_in_key_and_record",
        "identity::test_other_identifiers_keep_their_case",
    ),
    rule(
        "An all-zero advertising id counts as absent.",
        "identity::test_an_all_zero_advertising_id_counts_as_absent",
        "identity::test_an_all_zero_idfv_is_none_of_the_advertising_ids",
    ),
    rule(
        "The worker checks where records lie and stops at one that lies wrong, with the remedy.",
        "engine/pipeline::test_a_record_in_the_wrong_partition_stops_before_anything_is_decided",
        "tests/integration/test_engine_inputs.py::"
        "test_a_record_in_the_wrong_partition_stops_the_worker_with_the_remedy_and_applies_nothing",
    ),
    rule(
        "A source with `rekey: true` goes through an internal topic, and is decided as one that lies right.",
        "engine/rekey::test_rekeyed_records_are_decided_as_those_that_lie_right",
        "tests/integration/test_rekey.py::test_records_without_keys_are_decided_as_those_that_lie_right",
        "tests/integration/test_rekey.py::test_killed_under_load_every_job_is_decided_once",
        "tests/integration/test_rekey.py::test_a_backlog_is_attributed_as_a_live_stream",
    ),
    rule(
        "The user key is the app's project and the `user_id`.",
        "users::test_a_user_is_new_in_each_project",
        "users::test_users_who_share_a_device_are_two_users",
    ),
    rule(
        "The same `id` again on the same device, of the same kind, is a duplicate and changes nothing.",
        "duplicates::test_the_same_id_of_the_same_kind_is_a_duplicate_and_changes_nothing",
        "duplicates::test_an_install_and_an_event_may_have_the_same_id",
        "duplicates::test_a_reinstall_is_remembered_too",
        "properties::test_s8_duplicates_change_nothing_however_many_and_wherever",
        "exactness::test_any_duplication_gives_the_same_jobs_and_the_same_state",
    ),
    rule(
        "A record more than `dedup_window` before the newest of its device is too late and changes nothing.",
        "duplicates::test_a_record_more_than_the_dedup_window_before_the_newest_is_too_late",
        "duplicates::test_a_record_exactly_the_dedup_window_before_the_newest_is_not_too_late",
        "duplicates::test_the_dedup_window_is_the_apps",
        "duplicates::test_what_is_too_late_is_not_also_a_duplicate",
    ),
    rule(
        "The newest is that of what was processed: duplicates and reinstalls do not count.",
        "duplicates::test_duplicates_do_not_count_for_the_newest",
        "duplicates::test_reinstalls_do_not_count_for_the_newest",
        "duplicates::test_a_claim_counts_for_the_newest",
        "duplicates::test_a_late_record_does_not_move_the_newest_back",
    ),
    rule(
        "So a job can never be decided twice.",
        "duplicates::test_nothing_is_decided_twice_when_the_dedup_window_grows",
        "exactness::test_no_two_jobs_have_the_same_id",
    ),
    rule(
        "Too late is judged when the record is read; a held record is not too late.",
        "hold::test_a_held_record_is_not_too_late",
        "duplicates::test_held_records_do_not_count_for_the_newest_before_they_are_processed",
        "hold::test_a_first_that_was_used_is_remembered_while_a_record_of_its_period_is_held",
        "hold::test_a_session_is_remembered_while_a_launch_of_its_period_is_held",
    ),
    rule(
        "A record of an app that is not configured is ignored and counted.",
        "engine/pipeline::test_a_record_of_an_app_that_is_not_configured_is_ignored_and_counted",
    ),
    rule(
        "An own time more than 5 minutes after the append time is taken as the append time.",
        "identity::test_an_own_time_up_to_5_minutes_after_the_append_time_stays",
        "identity::test_an_own_time_more_than_5_minutes_after_the_append_time_is_taken_as_the_append_time",
    ),
    rule(
        "Bad input goes to the dead letters with its place, reason and raw bytes; processing goes on.",
        "engine/pipeline::test_bad_input_is_a_dead_letter_and_the_next_record_is_decided",
        "engine/pipeline::test_a_record_that_is_too_large_is_a_dead_letter_with_its_raw_bytes",
        "identity::test_an_own_time_before_2000_is_bad_input",
        "identity::test_an_own_time_more_than_a_day_after_the_append_time_is_bad_input",
        "identity::test_a_time_that_cannot_be_read_is_bad_input_that_names_the_field",
    ),
)

ATTRIBUTION = (
    rule(
        "A touch counts when it lies at most the lookback before the install or activity: a click 7 days, an "
        "impression 24 hours.",
        "touches::test_a_click_counts_7_days_back_by_default",
        "touches::test_an_impression_counts_24_hours_back_by_default",
        "touches::test_the_lookback_of_a_re_engagement_counts_from_the_activity",
    ),
    rule(
        "The lookback is the publisher's; an unknown publisher has the defaults.",
        "touches::test_the_lookback_is_the_publishers",
        "touches::test_the_agency_does_not_set_the_lookback",
        "touches::test_lookbacks_are_found_by_id_and_alias",
    ),
    rule(
        "A touch does not lie after it, but for 5 minutes of clock skew.",
        "touches::test_a_touch_may_lie_5_minutes_after_the_record",
    ),
    rule(
        "An ineligible touch counts as none; no touch is organic.",
        "touches::test_no_touch_is_organic",
        "attribution::test_an_install_without_a_touch_is_organic",
        "claim::test_a_second_install_record_without_an_eligible_touch_claims_nothing",
    ),
    rule(
        "The first attribution is that of the first install; on the web that of the first record.",
        "attribution::test_the_first_attribution_is_that_of_the_first_install",
        "web::test_the_first_record_is_the_first_attribution_with_its_own_touch",
    ),
    rule("It never changes, except by a claim.", "attribution::test_the_first_attribution_never_changes"),
    rule(
        "The current attribution starts at the first appearance and restarts at each re-install and re-engagement.",
        "attribution::test_an_activity_more_than_the_inactivity_window_after_the_clock_restarts_the_current_attribution",
        "attribution::test_an_install_after_at_least_the_inactivity_window_is_a_re_install",
        "attribution::test_a_touch_inside_the_inactivity_window_restarts_nothing_on_mobile",
    ),
    rule(
        "On the web it restarts at each visit that has a touch.",
        "web::test_a_visit_with_a_touch_restarts_the_current_attribution",
        "web::test_a_visit_without_an_eligible_touch_restarts_nothing",
        "web::test_another_event_with_a_touch_restarts_nothing",
    ),
    rule("Each start has a number.", "attribution::test_each_start_has_a_number"),
    rule(
        "A record that is two reasons for a restart restarts once.",
        "web::test_a_visit_that_is_two_reasons_for_a_restart_restarts_once",
    ),
    rule(
        "A re-engagement or re-install without an eligible touch makes the current attribution organic.",
        "attribution::test_a_re_engagement_without_an_eligible_touch_makes_the_current_attribution_organic",
        "attribution::test_a_re_install_without_a_touch_is_organic",
        "web::test_a_re_engagement_without_a_touch_is_organic",
    ),
    rule(
        "With `reattribute_to_organic: false` the previous source is kept, with a new number.",
        "attribution::test_or_keeps_the_previous_source_with_a_new_number_if_the_app_wants_it",
    ),
    rule(
        "Registration, authorization, launch, visit, impression and payment are activities; `custom_payment` is none.",
        "attribution::test_these_are_activities",
        "attribution::test_these_are_none",
    ),
    rule(
        "The inactivity window is the app's, 30 days by default.",
        "attribution::test_the_inactivity_window_is_the_apps",
        "attribution::test_exactly_the_inactivity_window_is_no_re_engagement",
    ),
    rule(
        "The clock starts at the first appearance and at each re-install, and is moved by activities.",
        "attribution::test_a_re_install_starts_the_clock_so_that_the_next_activity_is_no_re_engagement",
        "attribution::test_activities_keep_the_device_awake",
        "attribution::test_the_window_of_a_re_install_is_without_activity",
        "properties::test_s10_no_window_moves_backwards",
    ),
    rule(
        "An install inside the inactivity window is a reinstall that changes nothing and does not move the clock.",
        "attribution::test_an_install_inside_the_inactivity_window_is_a_reinstall_that_changes_nothing",
        "attribution::test_a_reinstall_does_not_move_the_clock",
    ),
    rule(
        "Reinstalls and duplicates are told with their reason and emit no install event.",
        "postbacks/decisions::test_the_level_nos_tells_of_records_that_changed_nothing",
        "derived_events::test_install_fires_once_in_the_lifetime",
    ),
    rule(
        "A reinstall can still be the first record of a user.",
        "users::test_a_reinstall_can_be_the_first_record_of_a_user_though_it_emits_no_install",
    ),
    rule(
        "Windows are computed on event time; the wall clock decides nothing.",
        "exactness::test_any_batch_boundaries_give_the_same_jobs_and_the_same_state",
        "postbacks/decisions::test_the_moment_of_deciding_does_not_change_the_identity",
    ),
    rule(
        "Ties: installs first, then stream order.",
        "engine/merge::test_installs_go_first_on_ties_then_the_order_of_the_sources",
        "hold::test_held_records_of_the_same_time_are_processed_in_stream_order",
    ),
    rule(
        "All sources of a partition are processed in the order of append times, however they are read.",
        "engine/merge::test_any_way_of_reading_gives_the_same_order_and_no_record_goes_before_its_turn",
        "engine/merge::test_a_record_waits_for_a_source_that_is_not_known_to_be_at_its_end",
        "tests/integration/test_engine_inputs.py::"
        "test_a_backlog_is_processed_in_the_order_of_append_times_whatever_the_sizes",
    ),
    rule(
        "A record is decided once, when it is processed; nothing sent is taken back.",
        "properties::test_every_record_is_decided_exactly_once",
        "attribution::test_a_fact_that_was_handed_out_keeps_its_source_when_the_attribution_is_claimed",
    ),
    rule(
        "Where a rule says first, it is the first processed.",
        "late::test_it_may_take_the_first_of_the_lifetime",
        "users::test_where_the_rule_says_first_it_is_the_first_processed",
        "sessions::test_where_a_period_has_two_launches_the_first_processed_is_the_session",
    ),
    rule(
        "A late record goes to the attribution period in which its time lies; before all to number 1.",
        "late::test_a_late_record_goes_to_the_attribution_period_in_which_its_time_lies",
        "late::test_before_all_it_goes_to_number_1",
        "late::test_a_record_at_the_time_of_the_newest_is_not_late",
    ),
    rule(
        "A late record may take a first that nobody has.",
        "late::test_it_may_take_a_first_that_nobody_has",
        "late::test_custom_events_have_firsts_of_their_periods_too",
        "users::test_a_late_payment_may_take_the_users_first_that_nobody_has",
        "sessions::test_a_late_launch_may_take_the_session_of_its_period_if_nobody_has",
    ),
    rule(
        "A late record opens no attribution and moves no window.",
        "late::test_it_opens_no_attribution",
        "late::test_a_late_activity_does_not_move_the_clock",
        "late::test_a_late_install_is_no_re_install",
        "late::test_a_late_event_never_re_engages_even_in_front_of_the_first_attribution",
        "web::test_a_late_visit_restarts_nothing",
    ),
    rule(
        "The records of an unknown device are held.",
        "hold::test_an_event_of_an_unknown_device_is_held",
        "hold::test_a_duplicate_of_a_held_record_is_a_duplicate",
    ),
    rule(
        "The records of a dormant device are held, from the first on that lies more than the inactivity window after "
        "its clock.",
        "hold::test_a_record_more_than_the_inactivity_window_after_the_clock_is_held",
        "hold::test_a_record_exactly_the_inactivity_window_after_the_clock_is_not_held",
        "hold::test_of_a_dormant_device_every_event_after_the_first_held_one_is_held_too",
        "hold::test_an_event_that_is_no_activity_is_held_too",
    ),
    rule(
        "A record is released when every install source has been read past its append time and `install_grace`.",
        "hold::test_a_record_is_released_when_the_installs_are_read_past_its_append_time_plus_the_grace",
        "hold::test_the_append_time_of_the_event_counts_for_its_release_not_its_own_time",
        "engine/pipeline::test_an_event_of_an_unknown_device_waits_for_the_install_grace",
        "engine/merge::test_progress_is_what_all_sources_have_been_read_to",
        "tests/integration/test_engine_inputs.py::test_holds_are_released_by_progress_when_nothing_else_comes",
    ),
    rule("A grace of 0 holds nothing.", "hold::test_a_grace_of_0_holds_nothing"),
    rule("On the web nothing is held.", "hold::test_on_the_web_nothing_is_held"),
    rule(
        "An install that is read before goes first, and the held records follow.",
        "hold::test_an_install_that_is_read_before_goes_first_and_the_held_records_follow",
        "hold::test_the_install_of_a_dormant_device_goes_first",
        "exactness::test_any_interleaving_of_installs_and_events_within_the_hold_gives_the_same_jobs",
    ),
    rule(
        "Held records are processed in event-time order.",
        "hold::test_held_records_are_processed_in_event_time_order",
        "hold::test_the_order_of_arrival_of_held_records_does_not_matter",
    ),
    rule(
        "When no install comes, the first attribution is assumed organic; from then on the device is known.",
        "hold::test_without_an_install_the_first_attribution_is_assumed_organic_whatever_touch_the_event_has",
        "hold::test_from_the_release_on_it_is_a_known_device_and_nothing_is_held",
    ),
    rule(
        "The first release, or an install, releases all that the device holds.",
        "hold::test_the_first_release_releases_all_that_the_device_holds",
        "hold::test_a_reinstall_releases_what_a_dormant_device_holds_too",
    ),
    rule(
        "At most so many records a device are held, then they are released.",
        "hold::test_more_than_the_limit_are_not_held_but_all_released",
        "engine/pipeline::test_a_device_that_holds_too_many_records_is_released",
    ),
    rule(
        "An install of a device that was assumed organic fires `install`, once, with its own source.",
        "claim::test_an_install_of_an_assumed_device_fires_install_with_its_own_source",
        "claim::test_it_fires_once",
        "claim::test_an_organic_install_claims_too",
    ),
    rule(
        "Its source becomes the first attribution, and the current one while its number is 1.",
        "claim::test_its_source_becomes_the_first_attribution_and_the_current_one_while_its_number_is_1",
        "claim::test_a_later_current_attribution_stays",
    ),
    rule(
        "Numbers, starts, the clock and used firsts stay, and it is no re-install.",
        "claim::test_start_number_clock_and_used_firsts_stay",
        "claim::test_it_is_no_re_install_whatever_its_time",
        "sessions::test_after_a_claim_periods_count_from_the_same_start_for_the_source_that_claimed",
    ),
    rule("An organic re-install is claimed alike.", "claim::test_an_organic_re_install_is_claimed_alike"),
    rule(
        "A second install record with an eligible touch within `claim_window` of an organic install does the same.",
        "claim::test_a_second_install_record_with_a_touch_claims_an_organic_install",
        "claim::test_its_time_lies_within_the_claim_window_of_the_organic_install",
        "claim::test_the_claim_window_is_the_apps",
        "claim::test_an_attributed_install_cannot_be_claimed",
    ),
    rule(
        "Such a claim is for `network` and `network_and_agency`; postbacks at `all` have had theirs.",
        "postbacks/matching::test_a_claim_is_for_networks_and_agencies_those_at_all_have_had_theirs",
        "claim::test_it_is_also_for_postbacks_at_all_which_had_none_before",
    ),
    rule(
        "Records before the app's `live_from` build state and give no job.",
        "postbacks/decisions::test_every_no_has_its_reason",
        "postbacks/decisions::test_a_record_at_live_from_is_live",
        "agreement::test_the_pipelines_say_what_the_reference_says",
    ),
)

EVENTS = (
    rule("`install` fires once in the device's lifetime.", "derived_events::test_install_fires_once_in_the_lifetime"),
    rule(
        "`re_install` is an install after at least the inactivity window, by the attribution it starts.",
        "attribution::test_an_install_after_at_least_the_inactivity_window_is_a_re_install",
        "attribution::test_the_window_of_a_re_install_is_without_activity",
    ),
    rule(
        "`re_engagement` is an activity after more than the inactivity window, by the attribution it starts.",
        "attribution::test_an_activity_more_than_the_inactivity_window_after_the_clock_restarts_the_current_attribution",
    ),
    rule(
        "`re_engagement_user` is the same over all records that carry the user id.",
        "users::test_an_activity_more_than_the_inactivity_window_after_the_last_one_is_a_re_engagement_of_the_user",
        "users::test_exactly_the_inactivity_window_is_none",
        "users::test_a_user_who_is_active_on_another_device_is_awake",
        "users::test_a_user_may_re_engage_where_the_device_does_not",
        "users::test_every_activity_moves_the_clock_of_the_user",
        "users::test_what_is_no_activity_neither_re_engages_a_user_nor_moves_the_clock",
    ),
    rule(
        "Its clock is started by the first record, and by no re-install.",
        "users::test_the_first_record_starts_the_clock_whatever_it_is",
        "users::test_a_re_install_does_not_move_the_clock_of_the_user",
    ),
    rule("Its window is that of the app it happens on.", "users::test_the_window_is_that_of_the_app_it_happens_on"),
    rule(
        "It goes by the current attribution of the device it happens on.",
        "users::test_it_goes_by_the_current_attribution_of_the_device_it_happens_on",
    ),
    rule(
        "`new_user` is the first record that ever carries the user id in the project, on whatever device or platform.",
        "users::test_the_first_record_that_carries_the_user_id_is_a_new_user",
        "users::test_any_record_can_be_the_first_of_a_user",
        "users::test_a_user_is_new_once_on_whatever_device",
        "users::test_a_user_is_new_once_on_whatever_platform",
        "users::test_a_user_is_new_in_each_project",
        "users::test_duplicates_and_records_that_are_too_late_are_no_users",
    ),
    rule(
        "`new_user` goes by the first attribution of that device.",
        "users::test_new_user_goes_by_the_first_attribution_of_the_device",
    ),
    rule(
        "`payment`, `custom_payment`, `registration`, `authorization` and custom events fire every time, by the first "
        "attribution; with `_ca` by the source that is current when it happens.",
        "derived_events::test_each_family_fires_every_time_and_for_the_first_ones_by_the_first_and_by_the_current",
        "derived_events::test_so_does_a_custom_event_under_its_own_name",
    ),
    rule(
        "`first_…` is the first in the lifetime, by the first attribution.",
        "derived_events::test_firsts_of_the_lifetime_do_not",
    ),
    rule(
        "`first_…_ca` is the first since the last attribution, by the current one.",
        "derived_events::test_firsts_since_the_last_attribution_start_anew_with_each_attribution",
    ),
    rule(
        "`first_payment` and `first_custom_payment` may be of the user.",
        "users::test_the_first_payment_of_a_user_is_one_over_all_devices_and_apps_of_the_project",
        "users::test_the_first_payment_of_a_second_user_of_a_device_is_that_users_first",
        "users::test_a_payment_and_a_custom_payment_are_two_firsts",
        "users::test_the_first_payment_of_a_user_goes_by_the_first_attribution_of_the_device",
    ),
    rule(
        "`scope: user` is for these two only.",
        "config/check::test_scope_user_is_for_nothing_else",
        "events::test_only_the_first_payments_may_be_counted_by_user",
        "users::test_other_firsts_are_the_devices_only",
    ),
    rule(
        "Each scope decides its own postbacks.",
        "postbacks/unfired::test_each_scope_tells_of_its_own_postbacks",
        "config/check::test_an_event_of_the_user_is_of_user_scope_without_saying_so",
        "postbacks/matching::test_event_matching_on_an_event_of_the_user_is_of_the_user",
    ),
    rule(
        "`app_open` is every `launch`, by the first attribution.",
        "derived_events::test_each_launch_is_an_app_open_by_the_first_attribution",
    ),
    rule(
        "`session` is at most one `launch` per 24-hour period, none in the first.",
        "sessions::test_no_launch_in_the_first_24_hours_is_a_session",
        "sessions::test_the_second_period_begins_24_hours_after_the_first_appearance",
        "sessions::test_at_most_one_launch_of_a_24_hour_period_is_a_session",
        "sessions::test_periods_are_24_hours_from_the_start_and_no_days_of_the_calendar",
        "sessions::test_only_a_launch_is_a_session",
        "sessions::test_in_any_order_each_period_with_a_launch_has_one_session_but_the_first",
    ),
    rule(
        "At `all` and in reports periods count from the first appearance, and the session goes by the current "
        "attribution.",
        "sessions::test_at_all_no_later_start_begins_a_new_count_and_the_session_goes_by_the_current_attribution",
        "postbacks/sessions::"
        "test_at_all_periods_count_from_the_first_appearance_and_the_session_goes_by_the_current_attribution",
    ),
    rule(
        "Otherwise from the latest start of an attribution whose source is the postback's partner, if there is one, "
        "and it goes by that one.",
        "sessions::test_for_a_partner_periods_count_from_the_start_of_its_attribution",
        "sessions::test_for_a_partner_the_latest_of_its_starts_counts",
        "sessions::test_the_start_of_a_partner_is_remembered_however_often_others_start",
        "sessions::test_a_partner_without_an_attribution_has_no_sessions",
        "sessions::test_an_install_a_re_install_and_a_re_engagement_are_starts",
        "postbacks/sessions::"
        "test_otherwise_they_count_from_the_latest_start_of_the_partners_attribution_and_go_by_that_one",
        "postbacks/sessions::test_for_network_and_agency_the_latest_start_as_publisher_or_as_agency_counts",
        "postbacks/sessions::test_two_names_of_one_partner_are_one_source_and_the_latest_of_them_counts",
    ),
    rule(
        "Uniqueness is tracked whether or not a postback exists.",
        "agreement::test_the_pipelines_say_what_the_reference_says",
        "reference::test_the_fold_says_what_the_reference_says",
    ),
    rule(
        "One record gives one postback at most one job.",
        "exactness::test_no_two_jobs_have_the_same_id",
        "postbacks/unfired::test_no_postback_is_told_of_twice",
    ),
    rule(
        "The rule of order holds for users: a record late for its user moves no window of the user.",
        "users::test_a_record_late_for_its_user_moves_no_window_of_the_user",
        "users::test_a_reinstall_makes_no_later_record_late_for_its_user",
        "users::test_no_window_of_a_user_moves_backwards_and_each_first_is_taken_once",
    ),
    rule(
        "A record that restarts the attribution does so first; its own events belong to the new attribution.",
        "derived_events::"
        "test_a_record_that_restarts_the_attribution_does_so_first_and_its_own_events_belong_to_the_new_one",
    ),
    rule(
        "Web apps have `new_user`, `re_engagement`, `re_engagement_user`, and the registration, authorization and "
        "custom payment families only; another event on a web app is a configuration error.",
        "events::test_web_apps_may_only_use_some",
        "web::test_only_the_events_of_the_web_fire",
        "users::test_on_the_web_a_user_re_engages_too",
        "users::test_a_payment_on_the_web_is_no_first_payment_of_a_user_but_a_custom_payment_is_a_first",
        "sessions::test_there_are_no_sessions_on_the_web",
        "config/check::test_a_web_app_may_use_web_events_only",
    ),
    rule(
        "What the reports count as decided is the number of jobs.",
        "exactness::test_counts_are_monotone_and_come_to_the_number_of_jobs",
    ),
    rule(
        "Whatever is refused before that is a no with its reason, and no job.",
        "postbacks/decisions::test_every_no_has_its_reason",
        "postbacks/unfired::test_not_the_first_of_the_device",
        "postbacks/sessions::test_the_decisions_tell_why_a_launch_is_no_session",
    ),
)

RULES = {"records": RECORDS, "attribution": ATTRIBUTION, "derived events": EVENTS}

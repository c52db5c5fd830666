"""Which test tells which of the 29 acceptance scenarios, and that none is left out.

1 registration · 2 reserved and malformed names · 3 roles in one organization · 4 an owner is no librarian ·
5 the last owner · 6 roster to registered · 7 renew and revoke · 8 merge · 9 one primary section ·
10 reassign a section · 11 affiliations · 12 an umbrella sees figures · 13 large scores · 14 guests · 15 takedown ·
16 batch numbers · 17 inventory · 18 missing copies · 19 collection · 20 season by date · 21 repertoire order ·
22 coverage · 23 what to bring · 24 the clock of an answer · 25 event summary · 26 roster matrix · 27 codes by mail ·
28 key rotation · 29 languages
"""

from importlib import import_module

import pytest

ACCEPTANCE, PEOPLE, LIBRARY = "test_acceptance", "test_scenarios", "test_library_scenarios"
ASSOCIATION, SEASON, ATTENDANCE = "test_association_scenarios", "test_season_scenarios", "test_attendance_scenarios"
KEYS = "test_access_tokens"
TOLD: dict[int, tuple[tuple[str, str], ...]] = {
    1: ((ACCEPTANCE, "a_choir_is_registered_once_with_owner_voices_sections_and_setting"),),
    2: ((ACCEPTANCE, "reserved_and_malformed_names_are_told_apart"),),
    3: ((ACCEPTANCE, "the_union_of_roles_counts_in_one_organization_only"),),
    4: ((ACCEPTANCE, "an_owner_is_not_a_librarian_until_she_makes_herself_one"),),
    5: ((PEOPLE, "the_last_owner_stays_until_another_can_sign_in"),),
    6: ((ACCEPTANCE, "a_roster_person_registers_with_her_section_her_record_and_her_copy"),),
    7: ((PEOPLE, "an_invitation_is_renewed_with_its_token_and_revoked_while_it_lives"),),
    8: ((ACCEPTANCE, "a_merge_keeps_records_loans_roles_and_one_primary_in_each_choir"),),
    9: ((ACCEPTANCE, "a_choir_has_one_primary_section_of_a_singer_and_promotes_no_other"),),
    10: ((PEOPLE, "reassigning_a_section_moves_members_and_invitations_and_counts_them"),),
    11: ((ASSOCIATION, "an_affiliation_keeps_its_history_and_gives_a_status"),),
    12: (
        (ASSOCIATION, "an_umbrella_sees_figures_and_public_events_only"),
        (ASSOCIATION, "a_collective_reads_the_umbrellas_material_while_it_is_affiliated"),
        (ASSOCIATION, "an_umbrella_pays_for_its_share_of_what_is_stored"),
    ),
    13: ((ACCEPTANCE, "a_score_comes_in_pieces_up_to_its_greatest_size_and_is_replaced_whole"),),
    14: ((LIBRARY, "guests_read_what_is_in_the_public_domain_and_has_a_file"),),
    15: (
        (LIBRARY, "an_approved_complaint_takes_the_edition_down_for_everybody"),
        (LIBRARY, "a_complaint_of_another_choir_does_not_exist_here"),
    ),
    16: ((LIBRARY, "a_batch_goes_on_where_its_series_ended"),),
    17: ((LIBRARY, "the_inventory_counts_a_lost_copy_as_lost_wherever_it_is"),),
    18: ((LIBRARY, "missing_copies_count_each_registered_singer_of_the_listed_sections_once"),),
    19: ((LIBRARY, "a_collection_shrinks_by_what_comes_back_and_passes_over_the_rest"),),
    20: ((SEASON, "an_event_belongs_to_the_season_of_its_utc_day"),),
    21: ((SEASON, "a_repertoire_keeps_its_order_and_one_primary_edition"),),
    22: ((SEASON, "coverage_names_the_sections_without_anything_to_sing_from"),),
    23: ((SEASON, "what_to_bring_shows_ones_own_copy_and_what_is_lacking"),),
    24: ((ATTENDANCE, "an_answer_is_open_until_the_first_moment_and_attendance_from_it"),),
    25: ((ATTENDANCE, "a_summary_counts_every_member_once"),),
    26: (
        (ATTENDANCE, "the_roster_shows_every_cell_and_rounds_half_up"),
        (ATTENDANCE, "the_roster_of_a_section_is_of_its_primary_singers"),
    ),
    27: ((ACCEPTANCE, "a_code_by_mail_signs_in_once_in_time_and_at_its_own_choir"),),
    28: ((KEYS, "keys_rotate_without_breaking_a_session"),),
    29: ((ASSOCIATION, "language_locale_and_time_zone_each_come_from_the_nearest_that_says"),),
}


def test_every_scenario_is_told():
    assert sorted(TOLD) == list(range(1, 30))


@pytest.mark.parametrize("number", TOLD)
def test_what_tells_a_scenario_is_a_test(number):
    for module, sentence in TOLD[number]:
        assert callable(getattr(import_module(f"tests.handlers.http.{module}"), f"test_{sentence}"))

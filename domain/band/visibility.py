"""Whose rows a caller reaches, as SQL: one's own, those of sections one leads, pieces one holds a part of.

Fragments for the policies of resources and for verbs; `:principal_id` is the user who calls, `main.x` the whole table.
"""

# The caller's own member row, by its id.
OWN_MEMBER = "(SELECT id FROM main.members WHERE user_id = :principal_id AND deleted_at IS NULL)"

# Sections in which the caller's own member row is marked as a leader.
LED_SECTIONS = f"(SELECT section_id FROM main.member_sections WHERE is_leader = 1 AND member_id = {OWN_MEMBER})"

# Members of those sections. Whether leading counts is the permission's question: without one it gives nothing.
LED_MEMBERS = f"(SELECT member_id FROM main.member_sections WHERE section_id IN {LED_SECTIONS})"

OPEN_STATUSES = "('ASSIGNED', 'PICKED_UP', 'OVERDUE')"

# Pieces of which the caller's member holds, or is to play, a part. What was returned or lost opens nothing.
ASSIGNED_PIECES = (
    f"(SELECT piece_id FROM main.music_assignments WHERE member_id = {OWN_MEMBER} AND status IN {OPEN_STATUSES})"
)

# Names of the roles that the caller holds now.
HELD_ROLES = "(SELECT type FROM main.held_roles WHERE user_id = :principal_id)"

"""Content over REST: who reads which page, version and announcement. Data only; writing goes through verbs.

A page's text as it was written is for editors: readers get it from `site.read`, made safe to show. What is in the trash
is nobody's row here; `page.trash` lists it.
"""

from db.resources import Policy, Resource, SearchIndex
from domain.band.visibility import HELD_ROLES

_PUBLISHED = "status = 'PUBLISHED' AND deleted_at IS NULL AND published_at <= :now"
_VISIBLE = (
    "status = 'PUBLISHED' AND published_at <= :now AND (expires_at IS NULL OR expires_at > :now)"
    " AND (target_roles = '[]' OR EXISTS (SELECT 1 FROM json_each(target_roles) WHERE value IN {roles}))"
)

CONTENT: tuple[Resource, ...] = (
    Resource(
        "pages",
        read=(
            Policy(None, _PUBLISHED, unless="cms.view.all"),
            Policy("cms.view.all", "deleted_at IS NULL"),
        ),
        masks={"content": (Policy("cms.view.all", "1"),)},
        search=dict.fromkeys(("title", "description", "raw_markdown"), SearchIndex("pages_fts", key="page_id")),
        json=frozenset({"content", "meta_keywords"}),
    ),
    Resource(
        "page_versions",
        read=(Policy("cms.view.all", "page_id IN (SELECT id FROM main.pages WHERE deleted_at IS NULL)"),),
        json=frozenset({"content"}),
    ),
    Resource(
        "announcements",
        read=(
            Policy(None, _VISIBLE.format(roles="('PUBLIC')") + " AND target_roles <> '[]'"),
            Policy("announcement.view.all", _VISIBLE.format(roles=HELD_ROLES)),
            Policy("announcement.create", "created_by = :principal_id"),
            Policy("cms.edit", "1"),
        ),
        json=frozenset({"target_roles"}),
    ),
    Resource("user_notifications", read=(Policy(None, "user_id = :principal_id"),)),
)

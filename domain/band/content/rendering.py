"""What a page says to its readers, from what its editors wrote. Knows the forms of content; not who may read.

Markdown goes before everything else. Otherwise the content is JSON: a text is plain text, an object has a `text` or an
`html`. What a reader is sent as HTML holds no script and no handler, whoever wrote it.
"""

import json
from typing import Any

from db.fields import is_json_object
from db.transaction import Row

_FORMS = ("html", "text")


def is_blank(page: Row) -> bool:
    """Whether the page has neither markdown nor content."""
    if (page["raw_markdown"] or "").strip():
        return False
    content: Any = json.loads(page["content"])
    if is_json_object(content):
        return not any(value.strip() if isinstance(value, str) else value for value in content.values())
    return not (content.strip() if isinstance(content, str) else content)


def body(page: Row) -> dict[str, Any]:
    """`{"format", "value"}`: markdown, text or html; json for content of another form, which the site lays out."""
    if (page["raw_markdown"] or "").strip():
        return {"format": "markdown", "value": page["raw_markdown"]}
    content: Any = json.loads(page["content"])
    if isinstance(content, str):
        return {"format": "text", "value": content}
    found = next((form for form in _FORMS if is_json_object(content) and isinstance(content.get(form), str)), None)
    if found is None:
        return {"format": "json", "value": content}
    return {"format": found, "value": _safe(content[found]) if found == "html" else content[found]}


def _safe(html: str) -> str:
    """The HTML without anything that runs."""
    import nh3  # here, because few pages are HTML

    return nh3.clean(html)

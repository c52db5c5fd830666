"""Answers kept in this process for as long as what they were read from stands at one commit. Knows bookmarks only."""

import threading
from collections.abc import Hashable

# A registry that is busy moves on every second; one that is not is asked for few pages.
_MOST = 64


class KeptAnswers:
    """Answers by question, all read at the same commit. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bookmark = ""
        self._answers: dict[Hashable, object] = {}

    def find(self, question: Hashable, bookmark: str) -> object | None:
        """The answer to the question at this commit, or None."""
        with self._lock:
            return self._answers.get(question) if bookmark == self._bookmark else None

    def keep(self, question: Hashable, bookmark: str, answer: object) -> None:
        """Keep an answer that was read at this commit; those of other commits go."""
        with self._lock:
            if bookmark != self._bookmark or len(self._answers) >= _MOST:
                self._answers.clear()
            self._bookmark = bookmark
            self._answers[question] = answer

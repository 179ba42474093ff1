"""When a device or a user is forgotten (the app's `forget_after`): as if it had never been seen.

Judged by append times alone: a record that was appended more than `forget_after` behind the newest one that the state
has taken in finds no state. So it depends on what the topics hold, and neither on a clock nor on whether the row that
was stored has been deleted by then: that may happen whenever no record can find it any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.config import SECOND, App


def is_forgotten(appended_s: int, appended: int, forget_after: int | None) -> bool:
    """Whether a state whose newest record was appended at `appended_s` (seconds, rounded up; 0: it was stored by a
    version that did not write it down) is none to a record appended at `appended`. None: nothing is ever forgotten.
    """
    return forget_after is not None and appended_s > 0 and appended - appended_s * SECOND > forget_after


def of_projects(apps: Iterable[App]) -> dict[str, int]:
    """After how long the users of each project are forgotten: the longest `forget_after` of its apps. A project is
    missing when one of its apps forgets nothing: what is first there is first for ever.
    """
    longest: dict[str, int] = {}
    never: set[str] = set()
    for app in apps:
        if app.forget_after is None:
            never.add(app.project)
        else:
            longest[app.project] = max(longest.get(app.project, 0), app.forget_after)
    return {project: after for project, after in longest.items() if project not in never}

"""Says in one sentence how things stand: is it working, and does anything wait for a person?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backmarket.words import counted


@dataclass(frozen=True)
class Standing:
    """What a verdict is reached by.

    :param account_dag: the DAG that checks the token.
    :param problem: why the database cannot be read; empty where it can.
    :param token_valid: what the last check of the token found; None before the first.
    :param token_place: the connection that has it, and where that is changed.
    :param has_run: whether anything that a person can switch on ever succeeded.
    :param is_enabled: whether the main switch is on.
    :param is_dry_run: whether changes are only recorded.
    :param unusable: tables of the seller that cannot be used as a whole, each with how many of its rows.
    :param failed: tasks that failed in the newest run of their DAG that is no backfill's.
    :param stopped: DAGs that should run and do not.
    :param waiting: how many things wait for a person, failed tasks and stopped DAGs included.
    """

    account_dag: str
    problem: str
    token_valid: bool | None
    has_run: bool
    is_enabled: bool
    is_dry_run: bool
    failed: int
    stopped: int
    waiting: int
    unusable: tuple[str, ...] = ()
    token_place: str = ""


@dataclass(frozen=True)
class Verdict:
    """How things stand.

    :param level: ``bad``: something does not work; ``warn``: a person should look; ``off``: it is not to work now;
        ``dry``: it works, and nothing is sent.
    """

    level: Literal["good", "warn", "bad", "off", "dry"]
    headline: str
    text: str


def verdict(standing: Standing) -> Verdict:
    """Return the most pressing thing to know; everything else stands below it on the page."""
    if standing.problem:
        return Verdict("bad", "The database cannot be read", standing.problem)
    if standing.token_valid is False:
        text = f"Put a new one into connection {standing.token_place}, then run {standing.account_dag}."
        return Verdict("bad", "Back Market refuses the token", text)
    if not standing.is_enabled:
        return Verdict("off", "Switched off", "Nothing is read from Back Market and nothing is sent.")
    return _fault(standing) or _rest(standing)


def _fault(standing: Standing) -> Verdict | None:
    """Return what does not work of all that is switched on; None where everything does."""
    waiting = _waiting(standing.waiting)
    if standing.unusable:
        first, *others = standing.unusable
        rest = "".join(f" {other}." for other in others)
        return Verdict("bad", first, f"Correct the table; the next run reads it anew.{rest} {waiting}")
    if standing.failed:
        return Verdict("bad", f"{counted(standing.failed, 'task')} failed", waiting)
    if standing.stopped:
        return Verdict("bad", f"{counted(standing.stopped, 'DAG')} not running", waiting)
    return None


def _rest(standing: Standing) -> Verdict:
    """Return what else there is to know where everything works."""
    if standing.is_dry_run:
        text = "Every change is planned and recorded, none leaves: what Back Market shows stays as it is."
        if standing.waiting:
            text += f" {counted(standing.waiting, 'thing')} to look at, listed below."
        return Verdict("dry", "Dry run: nothing is sent", text)
    if standing.waiting:
        text = "Everything that is switched on works. What waits for you is listed below."
        return Verdict("warn", f"{counted(standing.waiting, 'thing')} to look at", text)
    if standing.token_valid is None and not standing.has_run:
        text = f"Nothing has run yet. Start {standing.account_dag} to check the token."
        return Verdict("off", "Ready to start", text)
    return Verdict("good", "All is well", "Everything that is switched on works, and nothing waits for you.")


def _waiting(number: int) -> str:
    return f"{counted(number, 'thing')} in all to look at, listed below."

"""The few calls of Airflow's public API that the local stack needs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from local.failure import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


class AirflowApi:
    """Airflow's API, logged in.

    :param url: where Airflow answers.
    :param user: who logs in.
    :param password: with what.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        answer = self._http.post("/auth/token", json={"username": user, "password": password})
        token = self._json(answer)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def switch_on(self, variable: str) -> bool:
        """Set a Variable to true.

        :returns: whether it was not set, or set to something else, before.
        """
        path = f"/api/v2/variables/{variable}"
        body = {"key": variable, "value": "true"}
        found = self._http.get(path)
        if found.status_code == httpx.codes.NOT_FOUND:
            self._json(self._http.post("/api/v2/variables", json=body))
            return True
        if self._json(found)["value"].strip().lower() in {"true", "1", "yes", "on"}:
            return False
        self._json(self._http.patch(path, json=body))
        return True

    def add_variables(self, values: Mapping[str, str]) -> None:
        """Set those of these Variables that are not set."""
        entities = [{"key": name, "value": value} for name, value in values.items()]
        action = {"action": "create", "action_on_existence": "skip", "entities": entities}
        self._json(self._http.patch("/api/v2/variables", json={"actions": [action]}))

    def unpause(self) -> None:
        """Let all DAGs run that Airflow knows."""
        self._json(self._http.patch("/api/v2/dags", params={"dag_id_pattern": "~"}, json={"is_paused": False}))

    def runs(self) -> list[dict[str, Any]]:
        """All runs of all DAGs, each with its `dag_id`, `dag_run_id` and `state`."""
        answer = self._http.get("/api/v2/dags/~/dagRuns", params={"limit": 100})
        runs: list[dict[str, Any]] = self._json(answer)["dag_runs"]
        return runs

    def knows(self, dag_ids: Iterable[str]) -> bool:
        """Tell whether Airflow has read the files of all these DAGs."""
        dags = self._json(self._http.get("/api/v2/dags", params={"limit": 100}))["dags"]
        return set(dag_ids) <= {dag["dag_id"] for dag in dags}

    def questions(self) -> list[dict[str, Any]]:
        """What people are asked and have not answered, each with its `options` and `task_instance`."""
        answer = self._http.get(
            "/api/v2/dags/~/dagRuns/~/hitlDetails", params={"response_received": False, "state": "awaiting_input"}
        )
        questions: list[dict[str, Any]] = self._json(answer)["hitl_details"]
        return questions

    def answer(self, question: dict[str, Any], options: list[str]) -> None:
        """Answer a question with some of its options."""
        task = question["task_instance"]
        path = f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        body = {"chosen_options": options, "params_input": {}}
        self._json(self._http.patch(f"{path}/{task['map_index']}/hitlDetails", json=body))

    def is_parsed(self, dag_id: str, since: datetime) -> bool:
        """Tell whether Airflow has read the DAG's file since a point in time."""
        answer = self._http.get(f"/api/v2/dags/{dag_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return False
        parsed: str | None = self._json(answer)["last_parsed_time"]
        return parsed is not None and datetime.fromisoformat(parsed) >= since

    def import_errors(self) -> list[str]:
        """What is wrong with DAG files that Airflow could not load."""
        errors = self._json(self._http.get("/api/v2/importErrors"))["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def trigger(self, dag_id: str) -> str:
        """Start a run of the DAG by hand.

        :returns: the run's id.
        """
        answer = self._http.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None})
        run_id: str = self._json(answer)["dag_run_id"]
        return run_id

    def runs_since(self, dag_id: str, moment: datetime) -> list[dict[str, Any]]:
        """The runs of a DAG that were asked for since a moment, each with its `dag_run_id`, `run_type` and `state`."""
        since = {"run_after_gte": moment.isoformat(), "order_by": "run_after"}
        runs: list[dict[str, Any]] = self._json(self._http.get(f"/api/v2/dags/{dag_id}/dagRuns", params=since))[
            "dag_runs"
        ]
        return runs

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run: queued, running, success or failed."""
        answer = self._http.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        state: str = self._json(answer)["state"]
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The tasks of a run, each with its `task_id`, `state`, `duration` and `try_number`."""
        answer = self._http.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        tasks: list[dict[str, Any]] = self._json(answer)["task_instances"]
        return tasks

    def deferred(self, dag_id: str) -> set[str]:
        """The tasks of a DAG that wait in the triggerer."""
        answer = self._http.get(f"/api/v2/dags/{dag_id}/dagRuns/~/taskInstances", params={"state": "deferred"})
        return {task["task_id"] for task in self._json(answer)["task_instances"]}

    def log(self, dag_id: str, run_id: str, task: dict[str, Any]) -> Iterator[str]:
        """The log of a task's last try, a line each, as far as Airflow has it."""
        answer = self._http.get(
            f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}",
            params={"full_content": "true"},
            headers={"Accept": "application/json"},
        )
        for entry in self._json(answer)["content"]:
            yield from _lines(entry)

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if answer.is_error:
            raise LocalError(f"Airflow answered {answer.request.url} with {answer.status_code}: {answer.text[:300]}")
        return answer.json()


def _lines(entry: Any) -> Iterator[str]:
    """Turn one entry of a log into lines for a person: text and errors, without what only the UI needs."""
    if isinstance(entry, str):
        yield entry
        return
    if entry.get("level") is None or entry["event"].startswith(("::group::", "::endgroup::")):
        return
    yield f"{(entry.get('timestamp') or '')[11:19]:8} {entry['level']:7} {entry['event']}"
    for error in entry.get("error_detail") or ():
        for frame in error["frames"][-1:]:
            yield f"{'':17}{frame['filename']}, line {frame['lineno']}"
        yield f"{'':17}{error['exc_type']}: {error['exc_value']}"


def health(url: str) -> dict[str, str | None]:
    """Ask Airflow how its parts are.

    :returns: part → `healthy` or what else it says; empty while nobody answers.
    """
    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=5, trust_env=False)
    except httpx.TransportError:
        return {}
    if answer.is_error:
        return {}
    return {part: state["status"] for part, state in answer.json().items() if state is not None}

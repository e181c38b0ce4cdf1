"""Who gets in, and what every answer carries."""

import httpx
import pytest

from sandbox.config import SandboxConfig
from sandbox.remote import Sandbox
from sandbox.server import running_sandbox


def test_wrong_token_is_refused_and_the_right_one_must_be_verbatim(client: httpx.Client) -> None:
    """A token that is not the configured one, or in another form, answers 401 in the `error` envelope."""
    for value in ("Basic wrong", "Bearer sandbox-token", "sandbox-token"):
        answer = client.get("/ws/orders", headers={"Authorization": value})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer.json()["requestId"]
    assert client.get("/ws/orders").status_code == 200


@pytest.mark.parametrize("agent", ["python-httpx/0.28", "", "BM-Example;me@example.com", "BM-Example-Airflow"])
def test_an_unnamed_integration_meets_the_firewall(client: httpx.Client, agent: str) -> None:
    """Without a User-Agent of the agreed shape the answer is a 403 HTML page with a cf-ray."""
    answer = client.get("/ws/orders", headers={"User-Agent": agent})
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cf-ray"]


def test_every_answer_is_dated_and_traceable(client: httpx.Client) -> None:
    """Answers carry exactly one Date, and ids to report."""
    answer = client.get("/ws/orders")
    assert len(answer.headers.get_list("date")) == 1
    assert answer.headers["cf-ray"]
    assert answer.headers["x-request-id"]


def test_date_header_follows_the_sandbox_clock(sandbox: Sandbox, client: httpx.Client) -> None:
    """The Date header is the time of the sandbox, which a test may move."""
    sandbox.advance_clock(86_400 * 400)
    later = client.get("/ws/orders").headers["date"]
    sandbox.advance_clock(-86_400 * 400)
    assert later[-17:-13] != client.get("/ws/orders").headers["date"][-17:-13]


def test_what_meets_a_fault_counts_as_traffic_too() -> None:
    """Two hundred requests answered 500 use the limit up; the journal tells which came above it."""
    with (
        running_sandbox(SandboxConfig(orders=1)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        sandbox.fault("500", times=201)
        statuses = [client.get("/ws/orders/1").status_code for _ in range(202)]
        assert statuses == [500] * 201 + [429]
        assert [entry["over_limit"] for entry in sandbox.journal()] == [False] * 200 + [True] * 2


def test_a_late_request_is_counted_when_it_came() -> None:
    """Whoever keeps the limit does not break it because one request was held up behind the edge."""
    with (
        running_sandbox(SandboxConfig(orders=1)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        sandbox.fault("late", seconds=30.0)
        with pytest.raises(httpx.ReadTimeout):
            client.get("/ws/orders/1", timeout=0.1)
        statuses = [client.get("/ws/orders/1").status_code for _ in range(200)]
        assert statuses == [404] * 199 + [429]


def test_traffic_above_the_limit_is_blocked_with_html_and_no_retry_after() -> None:
    """The 201st request within ten seconds answers 429 with a Cloudflare page, and so does the next."""
    with (
        running_sandbox(SandboxConfig(orders=1)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        statuses = [client.get("/ws/orders/1").status_code for _ in range(202)]
        assert statuses == [404] * 200 + [429] * 2
        refused = client.get("/ws/orders")
        assert "html" in refused.headers["content-type"]
        assert "retry-after" not in refused.headers


def test_category_endpoints_have_a_tighter_limit() -> None:
    """The 21st category request within ten seconds is refused, while others still pass."""
    with (
        running_sandbox(SandboxConfig(orders=1)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        statuses = [client.get("/ws/category/tree").status_code for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        assert client.get("/ws/orders").status_code == 200


def test_journal_tells_what_came_but_not_the_token(sandbox: Sandbox, client: httpx.Client) -> None:
    """The journal holds path, query, body and outcome of a request; of the token only whether it was there."""
    client.post("/ws/orders/1?x=y", json={"new_state": 2})
    (entry,) = sandbox.journal("POST")
    assert (entry["path"], entry["query"], entry["body"]) == ("/ws/orders/1", {"x": "y"}, {"new_state": 2})
    assert (entry["status"], entry["applied"], entry["authorized"]) == (404, False, True)
    assert "sandbox-token" not in str(entry)


def test_control_api_exists_on_loopback_only() -> None:
    """A sandbox that listens on a public address has no control API."""
    with running_sandbox(SandboxConfig(host="0.0.0.0", orders=1)) as sandbox:  # noqa: S104 - the point of the test
        assert httpx.get(f"{sandbox.base_url}/_sandbox/journal").status_code == 404


def test_latency_delays_answers_without_blocking_others() -> None:
    """Ten requests at once with 400 ms latency take half as long as one after the other, or less."""
    from concurrent.futures import ThreadPoolExecutor
    from time import monotonic

    with running_sandbox(SandboxConfig(orders=1, latency_ms=400)) as sandbox, ThreadPoolExecutor(10) as pool:
        started = monotonic()
        url = f"{sandbox.base_url}/ws/orders"
        answers = list(pool.map(lambda _: httpx.get(url, headers=sandbox.headers).status_code, range(10)))
        took = monotonic() - started
    assert answers == [200] * 10
    assert 0.4 <= took < 2

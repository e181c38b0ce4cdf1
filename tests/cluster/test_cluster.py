"""Airflow on two workers, of which everything is killed once: nothing is lost, nothing is done twice."""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.concerns import STEMS
from backmarket.seller_account import dag_id_of
from backmarket.services.approval import NONE_OF_THEM
from chaos.customers import Customers
from chaos.evidence import gather
from chaos.judge import judge
from chaos.seller import Seller
from chaos.stage import Stage
from chaos.writes import run_of, writes_in
from cluster.stack import WORKERS, running_cluster
from local.settings import StackSettings, free_port
from sandbox.config import SandboxConfig
from sandbox.limits import REQUESTS_PER_TEN_SECONDS, SKU_LINES_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cluster.stack import Cluster
    from local.airflow_api import AirflowApi

    Json = dict[str, Any]

pytestmark = [
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="no redis-server on this machine (apt-get install redis-server)"
    ),
    pytest.mark.timeout(900),
]

CONFIG = SandboxConfig(orders=80, listings=30, batch_seconds=30, latency_ms=15)
ENVIRONMENT = {
    "AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS": "3",
    "AIRFLOW__BACKMARKET__BATCH_WAIT_SECONDS": "120",
    "AIRFLOW__BACKMARKET__PRICE_BATCH_WAIT_SECONDS": "60",
}
PAID_ORDERS, PRICES = 50, 12
IN_THE_MIDDLE = 10
SHIPPED = 3
LONGEST_WAIT_SECONDS = 240.0
ENDED = ("success", "failed")
MICROSECONDS = 1_000_000


@dataclass
class Story:
    """What happens to a cluster.

    :param began: when, on the monotonic clock.
    """

    cluster: Cluster
    api: AirflowApi
    seller: Seller
    began: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        """Tell what happens, for whoever reads why a test failed."""
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", flush=True)

    def wait_for(self, what: str, found: Callable[[], Any]) -> Any:
        """Wait until something is found, and return it."""
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while not (answer := found()):
            self.cluster.processes.check()
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.unended()}"
            time.sleep(0.4)
        return answer

    def kill_in_time(self, victims: dict[str, Callable[[], str | None]]) -> None:
        """Kill each victim when its moment has come, whichever is first, and start it again.

        :param victims: by what is waited for: gives the victim, or None until then.
        """
        left = dict(victims)

        def due() -> tuple[str, str] | None:
            return next(((what, victim) for what, moment in left.items() if (victim := moment())), None)

        while left:
            what, victim = self.wait_for(" or ".join(left), due)
            self.say(what)
            self.restart(victim)
            del left[what]

    def restart(self, part: str) -> None:
        """Kill a part with all its processes, and start it again."""
        self.cluster.kill(part)
        self.cluster.start(part)
        self.say(f"{part} killed and started again")

    def triggerer_of_new_listings(self) -> str | None:
        """Name the triggerer once it holds the wait for a batch of new listings."""
        return "triggerer" if "listing_creation_results" in self.api.deferred("backmarket_listings") else None

    def unended(self) -> list[tuple[str, str]]:
        """Name the runs that have not ended."""
        return [(run["dag_id"], run["state"]) for run in self.api.runs() if run["state"] not in ENDED]

    def settle(self) -> None:
        """Wait until all runs have ended, and those that they start; answer where a person is asked."""
        calm = 0
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while calm < 3:
            self.cluster.processes.check()
            self.answer()
            calm = 0 if self.unended() else calm + 1
            assert time.monotonic() < deadline, f"these do not end: {self.unended()}"
            time.sleep(1)
        self.say("all runs have ended")

    def answer(self) -> None:
        """Be the person who agrees to all large moves of prices, and to all refunds."""
        for question in self.api.questions():
            chosen = [option for option in question["options"] if option != NONE_OF_THEM]
            self.api.answer(question, chosen)
            self.say(f"a person agreed to {', '.join(chosen)}")

    def sender_of(self, kind: str) -> str | None:
        """Name the machine that is in the middle of sending this kind of changes."""
        sent = [write for write in writes_in(self.cluster.sandbox.journal()) if write.kind == kind and write.applied_at]
        return sent[-1].run if len(sent) >= IN_THE_MIDDLE else None


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A cluster, and a seller who has work for every DAG."""
    settings = StackSettings(port=free_port(), sandbox_port=free_port(), state=tmp_path / "state")
    with running_cluster(settings, CONFIG, environment=ENVIRONMENT) as cluster:
        cluster.sandbox.call("POST", "orders", {"count": PAID_ORDERS, "state": 1, "force": True})
        with closing(cluster.api()) as api:
            yield Story(cluster, api, seller_of(cluster))


def seller_of(cluster: Cluster) -> Seller:
    """Fill the seller's tables, one large move of a price and a refund of a whole device among it."""
    from backmarket.warehouse.migrations import migrate

    with psycopg.connect(cluster.warehouse_uri, autocommit=True) as connection:
        migrate(connection)
    seller = Seller(stage_of(cluster), Random(1))  # noqa: S311 - chance that can be repeated, nothing secret
    seller.count_stock()
    seller.propose_articles(5)
    seller.export_statements()
    delivered = next(
        order for order in cluster.sandbox.orders() if [x["state"] for x in order["orderlines"]] == [SHIPPED]
    )
    seller.refund(delivered["order_id"], delivered["orderlines"][0], "refund", None)
    priced = [each for each in cluster.sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price")]
    for number, listing in enumerate(priced[:PRICES]):
        offer = listing["offers"]["fr-fr"]
        price = (Decimal(offer["price"]) * Decimal("0.97" if number else "0.6")).quantize(Decimal("0.01"))
        seller.price(listing["sku"], "fr-fr", price, offer["currency"])
    return seller


def stage_of(cluster: Cluster) -> Stage:
    """Look at a cluster as `chaos` does."""
    return Stage(cluster.inbox.parent, cluster.sandbox, cluster.warehouse_uri)


def test_everything_is_killed_once_and_nothing_is_lost_or_doubled(story: Story) -> None:
    """A worker amid uploads, the triggerer while a batch waits, broker and scheduler; then all is compared."""
    cluster, before = story.cluster, story.cluster.sandbox.orders()
    copies = {name: machine.fingerprint() for name, machine in cluster.machines.items()}
    story.api.unpause()

    story.kill_in_time(
        {
            "acceptances are being sent": lambda: story.sender_of("accept"),
            "new listings wait in the triggerer": story.triggerer_of_new_listings,
        }
    )
    story.settle()

    story.seller.pack()
    # More tasks than the workers have places for: some wait in the broker.
    for stem in ("tracking_imei", "inventory_prices", "settlements", "alerts", "account"):
        story.api.trigger(dag_id_of(stem))
    story.kill_in_time({"parcels are being told": lambda: story.sender_of("ship") and "redis"})
    story.restart("scheduler")
    story.settle()

    # What is still to be paid is paid or not, so that Back Market hides no order any more.
    Customers(cluster.sandbox, Random(1)).decide_payments(all_of_them=True)  # noqa: S311 - chance that can be repeated
    story.seller.count_stock()
    # What it changes starts the upload of quantities and prices.
    story.api.trigger("backmarket_orders")
    story.settle()
    story.api.trigger("backmarket_listings")
    story.settle()

    journal = cluster.sandbox.journal()
    evidence = gather(stage_of(cluster), before, journal, story.seller.books)
    assert judge(evidence) == []
    assert {(run["dag_id"], run["state"]) for run in story.api.runs()} == {
        (dag_id_of(stem), "success") for stem in STEMS
    }
    assert unsettled(cluster) == []
    assert {run_of(entry) for entry in journal if entry["applied"]} == set(WORKERS)
    story.say(f"at most {most_requests(journal)} requests in 10 s, {sku_lines(journal)} SKU lines")
    assert most_requests(journal) <= REQUESTS_PER_TEN_SECONDS
    assert sku_lines(journal) <= SKU_LINES_PER_HOUR
    assert {name: machine.fingerprint() for name, machine in cluster.machines.items()} == copies
    assert [path for machine in cluster.machines.values() for path in machine.working_folder.iterdir()] == []

    # The comparison sees what it is there for: the same record, with one write that took effect again.
    accepted = next(entry for entry in journal if entry["applied"] and entry["body"].get("new_state") == 2)
    later = accepted["at"] + MICROSECONDS
    doubled = replace(evidence, journal=[*journal, {**accepted, "at": later, "applied_at": later}])
    assert "change applied twice" in {loss.kind for loss in judge(doubled)}


def unsettled(cluster: Cluster) -> list[Any]:
    """Name tasks that have not ended: waiting in the triggerer, in a queue, or on a worker that is gone."""
    query = """
        select dag_id, task_id, state from task_instance
        where state is null or state in ('scheduled', 'queued', 'running', 'deferred', 'up_for_retry', 'awaiting_input')
    """
    with psycopg.connect(cluster.metadata_uri) as connection:
        return connection.execute(query.encode()).fetchall()


def most_requests(journal: list[Json]) -> int:
    """Count the requests of all machines in the busiest ten seconds."""
    window: deque[int] = deque()
    most = 0
    for entry in journal:
        window.append(entry["at"])
        while window[0] <= entry["at"] - 10 * MICROSECONDS:
            window.popleft()
        most = max(most, len(window))
    return most


def sku_lines(journal: list[Json]) -> int:
    """Count the SKU lines that reached Back Market."""
    counts = Counter(write.kind for write in writes_in(journal))
    return counts["line"] + counts["quantity"] + counts["price"]

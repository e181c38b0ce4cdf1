"""Simulated days: in each, business goes on, a storm blows, and every DAG runs, some of them over each other.

A day is one round, not 24 hours: Back Market's clock runs at the real pace beside ours, up to ninety seconds apart and
stepping forward now and then. What hangs on a day having passed, the daily look at all open orders, is made due each
round.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chaos.runs import DAGS, Wanted

if TYPE_CHECKING:
    from random import Random

    from chaos.competition import Competition
    from chaos.customers import Customers
    from chaos.runs import Runner
    from chaos.seller import Seller
    from chaos.stage import Stage
    from chaos.weather import Weather
    from sandbox.remote import Json

WIDTH = 3
"""Runs at the same time."""

_BEAT_SECONDS = 0.05
_PACKED_BY_FILE = 0.5
_KILLED_AT_RANDOM, _KILLED_BETWEEN_STEPS = 0.2, 0.25
_MOST_STEP_SECONDS = 4.0
_MORNING_ORDERS, _SKUS_DELIVERED, _SKUS_THAT_COMPETE = 15, 25, 4
_DAY_PASSES = """
    update backmarket.sync_state set succeeded_at = succeeded_at - interval '25 hours'
    where concern in ('open_orders', 'open_care_folders')
"""
# What Back Market did not serve is asked for again.
_DAY_PASSES_FOR_PARTS = "update backmarket.after_sales_parts set asked_at = asked_at - interval '25 hours'"

_HOUR_PASSES = 'delete from backmarket."ratelimit___default_sku_lines"'


class Days:
    """Makes the days pass."""

    def __init__(
        self,
        stage: Stage,
        runner: Runner,
        seller: Seller,
        customers: Customers,
        competition: Competition,
        weather: Weather,
        rng: Random,
    ) -> None:
        self.stage, self.runner, self.seller = stage, runner, seller
        self.customers, self.competition, self.weather, self.rng = customers, competition, weather, rng
        self.journal: list[Json] = []
        self.number = 0

    def open(self) -> None:
        """Let one quiet day pass first: tables are made, and all that exists is read."""
        for dag_id in DAGS:
            if not dag_id.endswith("_approval"):
                self.runner.run(Wanted(dag_id))
        self.competition.begin(_SKUS_THAT_COMPETE)
        self.take_journal()

    def pass_one(self) -> None:
        """Let one stormy day pass."""
        self.number += 1
        self._step_clock()
        self._let_a_day_pass()
        self.seller.receive_goods(_SKUS_DELIVERED)
        for _ in range(_MORNING_ORDERS):
            self.customers.order()
        self.customers.decide_payments()
        self.seller.count_stock()
        self.seller.pack(by_file=_PACKED_BY_FILE)
        self.seller.ask_refunds(2)
        self.seller.write_invoices(3)
        self.seller.set_prices(6)
        self.seller.propose_articles(1)
        if self.number == 2:
            self.seller.make_mistakes()
        self.seller.export_statements()
        self.customers.receive_parcels()
        self.customers.complain(3)
        self.weather.storm()
        self._work(self._plan())
        self.take_journal()

    def calm(self, rounds: int) -> None:
        """Let quiet days pass, in which everything that was left is done."""
        self.weather.calm()
        self.runner.wait()
        self.seller.correct_mistakes()
        # What a killed run sent, or hangs, is over by then; and so are batches whose answers were lost.
        time.sleep(3)
        # The storms have used up the hour's SKU lines; what rightly waited for the next hour goes out now.
        self.stage.sandbox.forget_sku_lines()
        self.seller.execute(_HOUR_PASSES)
        self.customers.decide_payments(all_of_them=True)
        for _ in range(rounds):
            self._let_a_day_pass()
            for dag_id in DAGS:
                self.seller.count_stock()
                self.seller.pack()
                self.runner.run(Wanted(dag_id))
            self.take_journal()

    def take_journal(self) -> None:
        """Keep what reached the sandbox: it forgets after a while."""
        self.journal += self.stage.sandbox.take_journal()

    def _plan(self) -> list[Wanted]:
        """Choose the runs of a day: every DAG, one of them as three overlapping runs, others doubled."""
        now = datetime.now(UTC)
        yesterday = (now - timedelta(days=self.rng.randint(0, 20))).replace(hour=0, minute=0, second=0, microsecond=0)
        span = (yesterday, yesterday + timedelta(days=1))
        thrice = DAGS[(self.number - 1) % 7]
        tripled = [
            Wanted(thrice),
            Wanted(thrice, "scheduled", logical_date=now, interval=(now - timedelta(minutes=10), now)),
            Wanted(thrice, "backfill", logical_date=span[0], interval=span),
        ]
        others = [Wanted(dag_id) for dag_id in DAGS[:5]]
        others += [Wanted(dag_id) for dag_id in self.rng.sample(DAGS[5:], 2)]
        self.rng.shuffle(others)
        return [self._with_end(wanted) for wanted in [*tripled, *others]]

    def _with_end(self, wanted: Wanted) -> Wanted:
        chance = self.rng.random()
        if chance < _KILLED_AT_RANDOM:
            return replace(wanted, kill_after=self.rng.uniform(0.7, 6))
        return replace(wanted, kill_between_steps=chance < _KILLED_AT_RANDOM + _KILLED_BETWEEN_STEPS)

    def _work(self, plan: list[Wanted]) -> None:
        """Start the runs, a few at a time, while customers come, the seller works and PostgreSQL goes down."""
        crashes = self.rng.randint(0, 2)
        ended = len(self.runner.ended)
        while plan or self.runner.busy:
            if plan and self.runner.busy < WIDTH:
                self.runner.start(plan.pop(0))
            self.runner.look()
            self._meanwhile()
            if crashes and self.rng.random() < 0.02:
                crashes -= self._crash_database()
            time.sleep(_BEAT_SECONDS)
        self.weather.note("process killed", sum(run.how == "killed" for run in self.runner.ended[ended:]))

    def _meanwhile(self) -> None:
        chance = self.rng.random()
        if chance < 0.15:
            self.customers.order()
        elif chance < 0.16:
            self.seller.count_stock(0.6)
        elif chance < 0.18:
            self.seller.pack(0.7, by_file=_PACKED_BY_FILE)
        elif chance < 0.19:
            self.customers.decide_payments()

    def _crash_database(self) -> bool:
        statement = self.stage.crash_database()
        if statement is None:
            return False
        self.runner.note_crash()
        self.weather.note("PostgreSQL crashed and restarted")
        return True

    def _let_a_day_pass(self) -> None:
        for statement in (_DAY_PASSES, _DAY_PASSES_FOR_PARTS):
            self.seller.execute(statement)
        self.competition.pass_a_day()

    def _step_clock(self) -> None:
        """Let the two clocks drift: Back Market's own steps forward while nothing runs.

        It never steps back: the dates that Back Market puts on one order are in order.
        """
        self.stage.sandbox.advance_clock(self.rng.uniform(0, 1) * _MOST_STEP_SECONDS)
        self.weather.note("clock stepped")

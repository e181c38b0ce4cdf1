"""Airflow Variables, read once and checked: the toggles and limits a person sets under Admin → Variables.

Each concern has one frozen class that names exactly the Variables it uses, so that a slip in one concern's
Variable never stops another; a gate reads its two toggles and nothing else. A field ``order_download`` is the
Variable ``backmarket_order_download``, and for one account alone ``backmarket_us__order_download``, which wins.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backmarket.environment import where_variable_is

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from backmarket.api.config import ClientConfig
    from backmarket.rules.inventory import StockPolicy
    from backmarket.rules.repricing import Policy

T = TypeVar("T", bound="Settings")

PREFIX = "backmarket_"
_LONGEST_SHOWN = 200

# An order line says what it is by its title alone. Cases, tablets and watches of the same families are no phones.
SMARTPHONES = (
    r"(?i)^(?!.*\b(case|cover|charger|cable|tab|watch|buds)\b).*(iphone|smartphone|\bgalaxy (s|a|m|z|note|xcover)|"
    r"\bpixel \d|\bredmi|\bxiaomi \d|\bpoco\b|\boneplus|\bhuawei (p|mate|nova)|\bhonor \d|\boppo (find|reno|a)|"
    r"\bxperia|\bmoto\b|\bfairphone|\bnothing phone|\brealme|\bnokia)"
)

_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _switch(value: object) -> bool:
    """Read a switch as people write it: a letter alone, such as ``t``, may stand for anything, and is none."""
    word = str(value).lower()
    if word not in _SWITCHES:
        raise ValueError("no switch")
    return _SWITCHES[word]


Toggle = Annotated[bool, BeforeValidator(_switch), Field(description="true, false, yes, no, on, off, 1 or 0")]
# Longer, no moment could be reckoned from it: what is too long would fail where it is used, and not where it is read.
MOST_MINUTES = 365 * 24 * 60
MOST_HOURS = 365 * 24
MOST_DAYS = 100 * 365
OF_MINUTES = f"at most {MOST_MINUTES} (a year)"
OF_HOURS = f"at most {MOST_HOURS} (a year)"
OF_DAYS = f"at most {MOST_DAYS} (a hundred years)"
Minutes = Annotated[
    int, Field(ge=0, le=MOST_MINUTES, description=f"a whole number of minutes, 0 or more, {OF_MINUTES}")
]
Hours = Annotated[int, Field(ge=0, le=MOST_HOURS, description=f"a whole number of hours, 0 or more, {OF_HOURS}")]
Days = Annotated[int, Field(ge=0, le=MOST_DAYS, description=f"a whole number of days, 0 or more, {OF_DAYS}")]
Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False, description="an amount of 0 or more, such as 50")]


Share = Annotated[Decimal, Field(ge=0, lt=100, allow_inf_nan=False, description="a percentage from 0 to below 100")]


def _decode(value: object) -> object:
    """Accept JSON; what it must hold is for the validator to say."""
    with _as_wrong_value():
        return json.loads(value) if isinstance(value, str) else value


def _compile(value: object) -> object:
    """Accept a regular expression; the validator knows all slips in one but these."""
    with _as_wrong_value():
        return re.compile(value) if isinstance(value, str) else value


@contextmanager
def _as_wrong_value() -> Iterator[None]:
    """Let a value that is too deep, or repeats too much, be one that cannot be used, like any other.

    :raises ValueError: then.
    """
    try:
        yield
    except (OverflowError, RecursionError, re.error) as error:
        raise ValueError(str(error)) from None


# What a column of units holds.
_MOST_UNITS = 2**31 - 1
Units = Annotated[
    int, Field(ge=0, le=_MOST_UNITS, description=f"a whole number of units, 0 or more, at most {_MOST_UNITS}")
]
Markets = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z]{2}-[a-z]{2}$")], ...],
    BeforeValidator(_decode),
    Field(description='a JSON list of markets, such as ["fr-fr", "de-de"], or empty for the connection\'s'),
]


Warehouses = Annotated[
    tuple[str, ...],
    BeforeValidator(_decode),
    Field(
        description='a JSON list of warehouses as in seller.stock, such as ["Paris"], or empty for all; "" is rows '
        "without one"
    ),
]
SellerColumns = Annotated[
    dict[
        Literal[
            "stock",
            "prices",
            "shipments",
            "devices",
            "catalog",
            "sku_map",
            "refunds",
            "costs",
            "device_costs",
            "fx_rates",
            "vat_rates",
        ],
        dict[str, str],
    ],
    BeforeValidator(_decode),
    Field(
        description="a JSON object of tables, each with its headers and the columns they are, such as "
        '{"stock": {"Lagerbestand": "quantity"}}, or empty'
    ),
]


class VariableError(ValueError):
    """A Variable holds something that cannot be used; the message names it, its value and what is accepted.

    :param key: the Variable.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        """Say what is wrong with which Variable, and where to correct it."""
        return f"Variable {self.key} {self.reason}. Correct it {where_variable_is(self.key)}, then clear this task."


VARIABLES: dict[str, type[Settings]] = {}
"""All Variables, without ``backmarket_``, each with the class that declares it."""


class Settings(BaseModel):
    """Some Variables that are read together; a subclass names exactly those that one concern uses."""

    model_config = ConfigDict(frozen=True)
    empty_means_none: ClassVar[frozenset[str]] = frozenset()
    """Fields for which an empty Variable says "no limit" although a missing one has a default."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_kwargs: Any) -> None:
        for field in cls.model_fields:
            VARIABLES.setdefault(field, cls)

    @classmethod
    def load(cls, account: str, *, only: str | None = None) -> Self:
        """Read this concern's Variables of an account from Airflow; a missing or empty one takes its default.

        :param only: the one field to read; all others take their defaults. None reads all.
        :raises VariableError: for the first Variable that cannot be understood.
        """
        values: dict[str, Any] = {}
        keys: dict[str, str] = {}
        for field in [only] if only else cls.model_fields:
            keys[field], value = _find(account, field)
            if value is not None and str(value).strip() != "":
                values[field] = value.strip() if isinstance(value, str) else value
            elif value is not None and field in cls.empty_means_none:
                values[field] = None
        return cls.checked(values, keys)

    @classmethod
    def checked(cls, values: Mapping[str, Any], keys: Mapping[str, str] | None = None) -> Self:
        """Validate values by field name.

        :param keys: the Variable that each field was read from, where that is an account's own.
        :raises VariableError: naming the Variable, its value and what is accepted.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
        accepted = cls.model_fields[field].description
        key = (keys or {}).get(field, PREFIX + field)
        raise VariableError(key, f"is {_shortened(values[field])}, which cannot be used. Accepted: {accepted}")


def _shortened(value: object) -> str:
    """Write a value for a message, of which what to do is the end: a channel may refuse one that is too long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text):,} characters)"


def keys_of(account: str, field: str) -> tuple[str, str]:
    """Return the Variables that can say it: the account's own, and the one of all accounts that have none."""
    return f"{PREFIX}{account}__{field}", PREFIX + field


def key_of(account: str, field: str) -> str:
    """Return the Variable that says it: the account's own where there is one, even an empty one."""
    return _find(account, field)[0]


def _find(account: str, field: str) -> tuple[str, Any]:
    """Return the Variable that says it, and what it holds; None where there is none."""
    from airflow.sdk import Variable

    own, common = keys_of(account, field)
    value = Variable.get(own, default=None)
    return (common, Variable.get(common, default=None)) if value is None else (own, value)


class MainSettings(Settings):
    """What every gate reads besides its own toggle.

    :param enabled: the main switch: off, and no run talks to Back Market but ``backmarket_account`` by hand.
    """

    enabled: Toggle = False


class SendingSettings(Settings):
    """What every concern reads that writes to Back Market.

    :param dry_run: plan and record every change, send none.
    """

    dry_run: Toggle = False


class MarketSettings(Settings):
    """What every concern reads that works on several markets.

    :param markets: markets read and priced; empty means the connection's own market.
    """

    markets: Markets = ()


class OrderSettings(Settings):
    """The Variables of downloading orders, in ``backmarket_orders``.

    :param order_download: orders in.
    :param initial_lookback_days: how far the very first download goes back, by modification date.
    """

    order_download: Toggle = False
    initial_lookback_days: Days = 90


class PersonalDataSettings(Settings):
    """The Variable of forgetting personal data, in ``backmarket_orders``.

    :param pii_retention_days: addresses and quarantined documents older than this are purged; None keeps them.
    """

    pii_retention_days: Days | None = Field(
        default=None, description=f"a whole number of days, 0 or more, {OF_DAYS}, or empty to keep everything"
    )


class HistorySettings(Settings):
    """The Variable of deleting old histories, in ``backmarket_alerts``.

    :param history_retention_days: what ended longer ago is deleted, but for what later decisions need; None keeps all.
    """

    history_retention_days: Days | None = Field(
        default=None, description=f"a whole number of days, 0 or more, {OF_DAYS}, or empty to keep everything"
    )


class SettlementSettings(Settings):
    """The Variables of loading statements, in ``backmarket_settlements``.

    :param settlement_download: settlements in.
    :param settlement_inbox: where statement files land; None for the folder ``inbox/settlements`` of this worker.
    :param settlement_order_reads: at most so many unknown orders are read by id in a run.
    """

    settlement_download: Toggle = False
    settlement_inbox: str | None = Field(
        default=None, description="a folder or an object-storage URL such as s3://bucket/folder", pattern=r"^\S.*$"
    )
    settlement_order_reads: int = Field(default=500, ge=0, description="a whole number, 0 or more")


class ReconciliationSettings(Settings):
    """The Variables of comparing statements with orders, in ``backmarket_settlements``.

    :param settlement_due_days: a shipped order should be in a statement so many days later.
    :param settlement_tolerance: a difference up to this is none, in the order's currency.
    :param settlement_orphan_limit_pct: more rows without an order than this make ``settlement_check`` fail.
    :param refund_after_return_days: what came back to the seller should be refunded so many days later.
    :param return_after_refund_days: what was refunded should have come back to the seller so many days later.
    """

    settlement_due_days: Days = 14
    settlement_tolerance: Decimal = Field(
        default=Decimal("0.01"), ge=0, allow_inf_nan=False, description="an amount of 0 or more, such as 0.01"
    )
    settlement_orphan_limit_pct: Decimal = Field(
        default=Decimal(5), ge=0, le=100, allow_inf_nan=False, description="a percentage from 0 to 100"
    )
    refund_after_return_days: Days = 14
    return_after_refund_days: Days = 30


class ListingDownloadSettings(MarketSettings):
    """The Variables of downloading listings, in ``backmarket_listings``.

    :param active_listing_download: listings in.
    """

    active_listing_download: Toggle = False


class ListingCreationSettings(SendingSettings):
    """The Variables of creating listings, in ``backmarket_listings``.

    :param listing_creation: new listings of products that Back Market knows.
    """

    listing_creation: Toggle = False


class ProductCreationSettings(SendingSettings):
    """The Variables of creating products, in ``backmarket_listings``.

    :param product_creation: new products, each with its listing.
    """

    product_creation: Toggle = False


class StockCountSettings(Settings):
    """The Variables that say how ``seller.stock`` is to be read.

    :param stock_known_from: from which state on the seller's count knows of an order.
    :param stock_intake_lag_minutes: how long the seller's system takes to take an order off its count.
    :param stock_max_age_hours: an older count raises and promises nothing; None: any age is trusted.
    :param warehouses: those whose units count; empty: all.
    """

    empty_means_none: ClassVar[frozenset[str]] = frozenset({"stock_max_age_hours"})

    stock_known_from: Literal["accepted", "paid"] = Field(default="accepted", description="accepted or paid")
    stock_intake_lag_minutes: Minutes = 0
    stock_max_age_hours: Hours | None = Field(
        default=24, description=f"a whole number of hours, 0 or more, {OF_HOURS}, or empty for no limit"
    )
    warehouses: Warehouses = ()

    @property
    def stock_policy(self) -> StockPolicy:
        """How the seller's counts are to be read."""
        from backmarket.rules.inventory import StockPolicy
        from backmarket.rules.skus import sku_key

        hours = self.stock_max_age_hours
        return StockPolicy(
            known_from=self.stock_known_from,
            intake_lag=timedelta(minutes=self.stock_intake_lag_minutes),
            max_age=None if hours is None else timedelta(hours=hours),
            warehouses=frozenset(map(sku_key, self.warehouses)),
        )


class SellerRowsSettings(Settings):
    """The Variable of all that reads the seller's tables.

    :param seller_rows_limit_pct: a table with a larger share of rows that cannot be used counts as unusable.
    """

    seller_rows_limit_pct: Decimal = Field(
        default=Decimal(50), ge=0, le=100, allow_inf_nan=False, description="a percentage from 0 to 100"
    )


class SellerFilesSettings(Settings):
    """The Variables of filling the seller's tables from files, in ``backmarket_seller_files``.

    :param seller_files: files in.
    :param seller_inbox: where files land; None for the folder ``inbox/seller`` of this worker.
    :param seller_files_mode: whether a stock or price file says everything there is, or only what changed.
    :param seller_columns: the seller's own headers by table: which column each is.
    :param seller_count_lag_minutes: how much older than its file a count is that has no time of its own.
    :param zero_guard_pct: a file that takes away more of the rows there are is held.
    """

    seller_files: Toggle = False
    seller_inbox: str | None = Field(
        default=None, description="a folder or an object-storage URL such as s3://bucket/folder", pattern=r"^\S.*$"
    )
    seller_files_mode: Literal["snapshot", "increment"] = Field(default="snapshot", description="snapshot or increment")
    seller_columns: SellerColumns = {}
    seller_count_lag_minutes: Minutes = 60
    zero_guard_pct: int = Field(default=50, ge=0, le=100, description="a whole number from 0 to 100, in per cent")


class AlertSettings(Settings):
    """The Variables of ``backmarket_alerts`` and of the alerts that failing tasks send.

    :param alert_conn_id: the Airflow connection to tell people by; None: nobody is told.
    :param alert_repeat_hours: what still needs a person is told again after so many hours.
    :param digest_hour: from which hour on, in UTC, people are told of the day before; None: they are not.
    """

    alert_conn_id: str | None = Field(
        default=None, description="the id of an Airflow connection of type http, slackwebhook or smtp, or empty"
    )
    alert_repeat_hours: int = Field(
        default=24, ge=1, le=MOST_HOURS, description=f"a whole number of hours, 1 or more, {OF_HOURS}"
    )
    digest_hour: int | None = Field(
        default=None, ge=0, le=23, description="a whole hour from 0 to 23, in UTC, or empty for no digest"
    )


class AcceptanceSettings(StockCountSettings, SendingSettings):
    """The Variables of accepting orders, in ``backmarket_orders``.

    :param order_acceptance: accepting paid order lines.
    :param acceptance_requires_stock: off, and every paid line is accepted, whether or not its units are there.
    """

    order_acceptance: Toggle = False
    acceptance_requires_stock: Toggle = True


class QuantitySettings(StockCountSettings, SendingSettings):
    """The Variables of quantities, in ``backmarket_inventory_prices``.

    :param inventory_upload: quantities out.
    :param safety_qty: units held back per SKU.
    :param max_qty: most units shown per SKU; None: no limit.
    :param pending_hold_hours: how long units gone from a listing stay reserved without an order.
    :param zero_guard_pct: a run that would zero more of the live SKUs, without orders to explain it, zeroes none.
    """

    inventory_upload: Toggle = False
    safety_qty: Units = 0
    max_qty: Units | None = Field(
        default=None, description="a whole number of units, 0 or more, at most 2147483647, or empty for no limit"
    )
    pending_hold_hours: Hours = 48
    zero_guard_pct: int = Field(default=50, ge=0, le=100, description="a whole number from 0 to 100, in per cent")

    @property
    def stock_policy(self) -> StockPolicy:
        """How the seller's counts are to be read, and how much of them is shown."""
        return replace(super().stock_policy, safety_qty=self.safety_qty, max_qty=self.max_qty)


class PriceUploadSettings(SendingSettings):
    """The Variables of sending prices, in ``backmarket_inventory_prices``.

    :param prices_upload: prices out.
    """

    prices_upload: Toggle = False


class PriceApprovalSettings(Settings):
    """The Variable of approving prices, in ``backmarket_price_approval`` and where it is asked for.

    :param price_approval_hours: how long a person may take over a large move of a price.
    """

    price_approval_hours: int = Field(
        default=24, ge=1, le=MOST_HOURS, description=f"a whole number of hours, 1 or more, {OF_HOURS}"
    )


class PriceSettings(MarketSettings, SendingSettings):
    """The Variables of planning prices, in ``backmarket_inventory_prices`` and ``backmarket_backbox``.

    :param price_change_limit_pct: a larger move of a price waits for a person.
    :param price_decision_days: so long what a person decided about a move holds; then it is put to a person again.
    """

    price_change_limit_pct: Annotated[Decimal, Field(gt=0, description="a number above 0, in per cent")] = Decimal(30)
    price_decision_days: int = Field(
        default=7, ge=1, le=MOST_DAYS, description=f"a whole number of days, 1 or more, {OF_DAYS}"
    )


class BackboxSettings(Settings):
    """The Variables of reading competitors, in ``backmarket_backbox``.

    :param backbox_download: competitors in.
    :param backbox_requests_an_hour: so many requests at most are spent on them, where they matter most.
    """

    backbox_download: Toggle = False
    backbox_requests_an_hour: int = Field(default=900, ge=0, le=5_000, description="a whole number from 0 to 5000")


class SaleCostSettings(Settings):
    """The Variables that say what a sale costs where orders and statements do not, for repricing and the profit page.

    :param commission_pct: Back Market's, of the price, for a SKU of which no order tells.
    :param fees_pct: for payment and care, of the price, for a market of which no statement tells.
    :param own_currency: the one that the seller's profit is added up in; None: the home market's.
    """

    commission_pct: Share = Decimal(10)
    fees_pct: Share = Decimal(2)
    own_currency: str | None = Field(
        default=None, description="a currency such as EUR, or empty for the home market's", pattern=r"^[A-Z]{3}$"
    )


class RepricingSettings(MarketSettings, SendingSettings):
    """The Variables of repricing, in ``backmarket_backbox`` and ``backmarket_inventory_prices``.

    Margins are what is left of a sale after all fees, VAT and the unit's cost, in per cent of the price.

    :param repricing: prices follow the competition.
    :param repricing_ask_margin_pct: a price that leaves less is never asked for: the floor.
    :param repricing_auto_margin_pct: a lower price that leaves less than this waits for a person.
    :param repricing_auto_margin_amount: so does one that leaves less than this, in the market's currency.
    :param repricing_ceiling_pct: how far above ``seller.prices.price`` a price may rise.
    :param repricing_ending: what prices end with, such as ``.99``; None: they end as they come.
    :param repricing_min_step_pct: no move is smaller, in per cent of the price shown.
    :param repricing_climb_pct: by how much a price rises at once while it wins or stands alone.
    :param repricing_climb_rest_hours: so long after it was lowered a price does not rise.
    :param repricing_cooldown_minutes: so long after a move the same price does not move.
    :param repricing_moves_a_day: so often at most the same price moves within 24 hours.
    :param repricing_max_age_minutes: what is known of competitors for longer moves nothing.
    """

    repricing: Toggle = False
    repricing_ask_margin_pct: Share = Decimal(15)
    repricing_auto_margin_pct: Share = Decimal(30)
    repricing_auto_margin_amount: Amount = Decimal(0)
    repricing_ceiling_pct: Share = Decimal(0)
    repricing_ending: str | None = Field(
        default=None,
        description="what prices end with, such as .99, .90 or 9, or empty for any",
        pattern=r"^(\.\d{2}|\d{1,2}(\.\d{2})?)$",
    )
    repricing_min_step_pct: Share = Decimal("0.1")
    repricing_climb_pct: Share = Decimal(1)
    repricing_climb_rest_hours: Hours = 24
    repricing_cooldown_minutes: Minutes = 60
    repricing_moves_a_day: int = Field(default=12, ge=0, description="a whole number, 0 or more")
    repricing_max_age_minutes: int = Field(
        default=60, ge=1, le=MOST_MINUTES, description=f"a whole number of minutes, 1 or more, {OF_MINUTES}"
    )

    @property
    def policy(self) -> Policy:
        """How the seller wants to compete."""
        from backmarket.rules.repricing import Policy

        return Policy(
            ask_margin_pct=self.repricing_ask_margin_pct,
            auto_margin_pct=self.repricing_auto_margin_pct,
            auto_margin_amount=self.repricing_auto_margin_amount,
            ceiling_pct=self.repricing_ceiling_pct,
            ending=self.repricing_ending,
            min_step_pct=self.repricing_min_step_pct,
            climb_pct=self.repricing_climb_pct,
            climb_rest=timedelta(hours=self.repricing_climb_rest_hours),
            cooldown=timedelta(minutes=self.repricing_cooldown_minutes),
            moves_a_day=self.repricing_moves_a_day,
            max_age=timedelta(minutes=self.repricing_max_age_minutes),
        )


class RefundSettings(SendingSettings):
    """The Variables of refunds, in ``backmarket_after_sales`` and ``backmarket_refund_approval``.

    :param refund_upload: refunds out.
    :param refund_approval_above: a larger refund waits for a person, in the order's currency.
    :param refund_approval_above_a_day: where a day's refunds of a currency come to more, the next wait for a person;
        None: however many there are.
    :param refund_decision_days: so long what a person decided about a refund holds; then it is put to a person again.
    """

    empty_means_none: ClassVar[frozenset[str]] = frozenset({"refund_approval_above_a_day"})

    refund_upload: Toggle = False
    refund_approval_above: Amount = Decimal(0)
    refund_approval_above_a_day: Amount | None = Field(
        default=Decimal(500), description="an amount of 0 or more, such as 500, or empty for no limit"
    )
    refund_decision_days: int = Field(
        default=7, ge=1, le=MOST_DAYS, description=f"a whole number of days, 1 or more, {OF_DAYS}"
    )


class RefundApprovalSettings(Settings):
    """The Variable of approving refunds, in ``backmarket_refund_approval`` and where it is asked for.

    :param refund_approval_hours: how long a person may take over a refund.
    """

    refund_approval_hours: int = Field(
        default=72, ge=1, le=MOST_HOURS, description=f"a whole number of hours, 1 or more, {OF_HOURS}"
    )


class CareSettings(Settings):
    """The Variables of after-sales conversations, in ``backmarket_after_sales``.

    :param care_download: care folders in.
    :param care_lookback_days: how far the very first download goes back, by modification date.
    """

    care_download: Toggle = False
    care_lookback_days: Days = 180


class CareAlertSettings(Settings):
    """The Variable of the alert about customers who wait, in ``backmarket_alerts``.

    :param care_answer_hours: a customer who waits longer for an answer raises an alarm.
    """

    care_answer_hours: Hours = 20


class ReturnSettings(Settings):
    """The Variables of Backship deliveries and returns, in ``backmarket_after_sales``.

    :param returns_download: deliveries and returns in.
    :param returns_lookback_days: how far the very first download goes back, by creation date.
    """

    returns_download: Toggle = False
    returns_lookback_days: Days = 180


class InvoiceSettings(SendingSettings):
    """The Variables of invoices, in ``backmarket_after_sales``.

    :param invoice_upload: customers' invoices out.
    :param invoice_folder: where their PDF files lie; None: nowhere, and nothing is sent.
    :param invoice_pattern: how the files are named: ``{order_id}`` stands for the order's number, ``*`` for anything.
    """

    invoice_upload: Toggle = False
    invoice_folder: str | None = Field(
        default=None, description="a folder or an object-storage URL such as s3://bucket/invoices", pattern=r"^\S.*$"
    )
    invoice_pattern: str = Field(
        default="*{order_id}.pdf",
        description="a file name with {order_id} in it, and * for what may be anything, such as bill-{order_id}-*.pdf",
        pattern=r"^[^/]*\{order_id\}[^/]*$",
    )


class TrackingSettings(SendingSettings):
    """The Variables of shipping orders, in ``backmarket_tracking_imei``.

    :param tracking_upload: tracking out.
    :param require_imei: no shipment of a smartphone goes out without its IMEI.
    """

    tracking_upload: Toggle = False
    require_imei: Toggle = False


class PhoneSettings(Settings):
    """The Variable that tells smartphones, for ``backmarket_require_imei`` alone.

    :param phone_titles: what the title of a smartphone looks like: a regular expression.
    """

    phone_titles: Annotated[re.Pattern[str], BeforeValidator(_compile)] = Field(
        default=re.compile(SMARTPHONES), description="a regular expression over product titles"
    )


class ImeiSettings(SendingSettings):
    """The Variables of registering devices, in ``backmarket_tracking_imei``.

    :param imei_update: IMEIs and serial numbers out.
    :param device_resale_days: so many days after an order was shipped, its device may be sold again although no
        return is known of.
    """

    imei_update: Toggle = False
    device_resale_days: Days = 90


class ShipBySettings(Settings):
    """The Variable of the alert about late orders, in ``backmarket_tracking_imei``.

    :param ship_by_alert_hours: an order that has less time left than this raises an alarm; below 0: only once it is
        so many hours late.
    """

    ship_by_alert_hours: int = Field(
        default=4,
        # Far below 0 is how people say that no order is ever late.
        ge=-1_000_000,
        le=MOST_HOURS,
        description=f"a whole number of hours, also below 0, down to -1000000, {OF_HOURS}",
    )


def read_variable(account: str, field: str) -> Any:
    """Read one Variable alone, such as ``order_download``: a slip in any other does not matter.

    :raises VariableError: where it cannot be understood.
    :raises KeyError: where no settings declare it: a slip in a DAG file, found by the DAG tests.
    """
    return getattr(VARIABLES[field].load(account, only=field), field)


def read_or_default(account: str, field: str, slips: list[VariableError]) -> Any:
    """Read one Variable for work that a slip in it is not to stop: its default holds until it is corrected.

    :param slips: gets the error where it cannot be understood, to be raised once the work is done.
    """
    try:
        return read_variable(account, field)
    except VariableError as error:
        slips.append(error)
        return VARIABLES[field].model_fields[field].get_default()


def neighbour(account: str, settings: type[T]) -> T | None:
    """Read the Variables of another concern, for one that does its work differently beside it.

    :return: None where one of them cannot be understood: that concern says so, and nobody else's work waits for it.
    """
    try:
        return settings.load(account)
    except VariableError:
        return None


def is_neighbour_on(account: str, toggle: str) -> bool:
    """Tell whether another concern is on, for a concern that does its work differently beside it.

    One whose Variable cannot be understood counts as off: its own gate says so, and nobody else's work waits for it.
    """
    try:
        return bool(read_variable(account, toggle))
    except VariableError:
        return False


def answer_hours(account: str) -> int:
    """Return how long a customer may wait for an answer, for what is not to fail by a slip in that Variable.

    It is the default then: ``attention_alert`` says so.
    """
    return (neighbour(account, CareAlertSettings) or CareAlertSettings()).care_answer_hours


def chosen_markets(account: str, settings: MarketSettings, config: ClientConfig) -> list[str]:
    """Return the markets that a run works on, each once.

    :raises VariableError: where a market is unknown, or not one of the connection's platform.
    """
    markets = list(dict.fromkeys(settings.markets or (config.market,)))
    for market in markets:
        try:
            config.require_market(market)
        except ValueError as error:
            raise VariableError(key_of(account, "markets"), f"cannot be used: {error}") from None
    return markets


def markets_for_marking(account: str, config: ClientConfig) -> list[str]:
    """Return the markets whose offers keep a listing from being gone: those chosen, or all of the platform.

    For quantities, which need no market but home: a slip in ``backmarket_markets`` is for others to complain of.
    """
    from backmarket.api.markets import MARKETS

    try:
        return chosen_markets(account, MarketSettings.load(account), config)
    except VariableError:
        return [market.code for market in MARKETS.values() if market.platform == config.platform]

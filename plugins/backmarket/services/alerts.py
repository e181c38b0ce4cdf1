"""Words what people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import conf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backmarket.alert_channels import Message
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.tracking_imei import LateOrder


_MOST_TOLD = 5


def attention_message(account: str, needs: Sequence[Need], new: set[str]) -> Message:
    """Say what is new, the first few by name, and where to see all of it."""
    from backmarket.alert_channels import Message

    url = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/plugin/backmarket"
    lines, told = [], {}
    for need in needs:
        fresh = [item for item, key in zip(need.items, keys_of(need), strict=True) if key in new]
        if fresh:
            told[need.title] = len(fresh)
            lines.append(f"{need.title}: {len(fresh)} new, {need.total} in all. {need.advice}")
            lines += [f"- {item['subject']}: {item['detail']}" for item in fresh[:_MOST_TOLD]]
    things = f"{len(new)} new {'thing needs' if len(new) == 1 else 'things need'} a person"
    return Message(
        title=f"Back Market ({account}): {things}",
        text="\n".join([*lines, f"All of it: {url}"]),
        facts={"kind": "attention", "account": account, "new": told, "url": url},
    )


def keys_of(need: Need) -> list[str]:
    return [f"{need.name}:{item['topic']}"[:500] for item in need.items]


_MOST_LATE_TOLD = 20


def late_message(account: str, late: Sequence[LateOrder], hours: int) -> Message:
    """Say which orders are late or soon will be, the most urgent first, and what to do."""
    from backmarket.alert_channels import Message

    late = sorted(late, key=lambda order: order.ship_by)
    url = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/plugin/backmarket"
    lines = [f"- {late_sentence(order)}" for order in late[:_MOST_LATE_TOLD]]
    advice = "Ship them, or cancel what cannot be shipped in the Back Office."
    things = "1 order has" if len(late) == 1 else f"{len(late)} orders have"
    return Message(
        title=f"Back Market ({account}): {things} less than {hours} hours left to ship, or none",
        text="\n".join([*lines, advice, f"All of it: {url}"]),
        facts={
            "kind": "ship_by",
            "account": account,
            "orders": [order.order_id for order in late[:_MOST_LATE_TOLD]],
            "url": url,
        },
    )


def late_sentence(order: LateOrder) -> str:
    """Say what a late order waits for, and by when it has to be shipped."""
    why = f": {order.reason}" if order.reason else "."
    due = f"{order.ship_by:%Y-%m-%d %H:%M} UTC ({order.hours_left} hours left)"
    return f"Order {order.order_id} waits for {order.waits_for}, to ship by {due}{why}"

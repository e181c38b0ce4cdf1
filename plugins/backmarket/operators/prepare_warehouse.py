"""Makes the operational database ready: schema up to date, account claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.base import BackMarketOperator
from backmarket.operators.item_failures import raise_what_concerns_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from backmarket.hooks.backmarket import BackMarketHook
    from backmarket.warehouse.accounts import KnownThing


class BackMarketPrepareWarehouseOperator(BackMarketOperator):
    """Creates or migrates the schema, and holds this account name to one Back Market account.

    Each DAG begins with it, so whichever runs first sets the database up; two at once take turns. A new token is taken
    over once it shows an order or a listing that is stored here.

    :raises AccountMixUpError: where the data of two accounts would be mixed, or one account run twice.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> list[str]:
        """Return the migrations that were applied now."""
        from backmarket.warehouse import accounts
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.migrations import migrate

        hook = self.hook
        config = hook.config
        with connect(self.warehouse_conn_id) as connection:
            applied = migrate(connection)
            accounts.claim(
                connection,
                self.account,
                config.base_url,
                config.token.get_secret_value(),
                shows_any=lambda known: _shows_any(hook, known),
            )
        self.log.info("Schema up to date%s.", f"; applied now: {', '.join(applied)}" if applied else "")
        return applied


def _shows_any(hook: BackMarketHook, known: Iterable[KnownThing]) -> bool:
    """Tell whether the connection's token sees one of these orders and listings.

    :raises BackMarketError: where it was shown none, and Back Market failed on one.
    """
    from backmarket.api.errors import BackMarketError, ForbiddenError, NotFoundError, UnreadableDocumentError

    failure: BackMarketError | None = None
    with hook as client:
        for thing in known:
            try:
                if thing.what == "order":
                    client.get_order(int(thing.key))
                else:
                    client.get_listing(thing.key, client.config.market)
            except (NotFoundError, ForbiddenError):
                continue
            except UnreadableDocumentError:
                return True
            except BackMarketError as error:
                raise_what_concerns_all(error)
                failure = error
            else:
                return True
    if failure:
        raise failure
    return False

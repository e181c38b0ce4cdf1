"""What a person does on the page, in a real browser against the whole running stack.

Set ``SCREENSHOTS=1`` to renew the pictures in docs/images. Skipped where no Chromium is found.
"""

from __future__ import annotations

import base64
import csv
import io
import os
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

import psycopg
import pytest

from local.airflow_api import AirflowApi
from local.airflow_env import load_secrets
from local.demo import STEPS
from local.settings import StackSettings, free_port
from local.stack import running_stack
from sandbox.remote import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Frame, Locator, Page

    from local.stack import Stack

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> StackSettings:
    """A stack of its own, in which nothing runs but what a test starts."""
    state = tmp_path_factory.mktemp("browser")
    return StackSettings(port=free_port(), sandbox_port=free_port(), state=state, on_schedule=False)


@pytest.fixture(scope="module")
def stack(settings: StackSettings) -> Iterator[Stack]:
    """The whole stack, with orders and listings in it; for pictures with everything that the demo does."""
    with running_stack(settings) as running:
        for step in STEPS if os.environ.get("SCREENSHOTS") else STEPS[:4]:
            if step.before:
                step.before(running)
            _run(running, step.dag_id)
        yield running


@pytest.fixture(scope="module")
def airflow(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser in which the administrator has signed in."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            viewport={"width": 1240, "height": 860},
            locale="en-GB",
            color_scheme="light",
        )
        page = browser.pages[0]
        page.set_default_timeout(45_000)
        page.goto(f"{stack.url}/")
        page.fill("input[name=username]", stack.user)
        page.fill("input[name=password]", stack.password)
        page.keyboard.press("Enter")
        page.get_by_text("Browse").first.wait_for()
        yield page
        browser.close()


def test_the_page_is_found_under_browse(stack: Stack, airflow: Page) -> None:
    """From Airflow's own navigation to the page inside its frame, with what has happened so far."""
    airflow.goto(f"{stack.url}/")
    airflow.get_by_role("button", name="Browse").click()
    airflow.get_by_role("menuitem", name="Back Market").click()
    frame = _frame(airflow)
    frame.get_by_text("valid", exact=True).wait_for()
    for _ in range(30):
        row = frame.get_by_role("row").filter(has_text="Orders in").inner_text()
        if "success" in row:
            break
        # The scheduler has begun another run meanwhile: it ends within seconds.
        airflow.wait_for_timeout(1_000)
        frame = _open(stack, airflow)
    assert "success" in row


def test_the_page_follows_airflows_theme(stack: Stack, airflow: Page) -> None:
    """Dark where Airflow is dark, whatever the system says, and without a reload."""
    frame = _open(stack, airflow)
    grounds = []
    for theme in ("light", "dark"):
        _choose_theme(airflow, frame, theme)
        grounds.append(frame.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_a_switch_flipped_by_keyboard_skips_the_next_run(stack: Stack, airflow: Page) -> None:
    """Off: the next run of the DAG skips its gate, and says why; on again: the switch shows it."""
    frame = _open(stack, airflow)
    switch = frame.get_by_role("switch", name="Orders in")
    assert switch.get_attribute("aria-checked") == "true"
    switch.focus()
    airflow.keyboard.press("Space")
    frame.locator("[role=switch][aria-label='Orders in'][aria-checked=false]").wait_for()
    assert _run(stack, "backmarket_orders")["order_download_gate"] == "skipped"
    frame.get_by_role("switch", name="Orders in").click()
    frame.locator("[role=switch][aria-label='Orders in'][aria-checked=true]").wait_for()
    assert _run(stack, "backmarket_orders")["order_download_gate"] == "success"


def test_a_link_leads_out_of_the_frame(stack: Stack, airflow: Page) -> None:
    """Airflow opens the run itself, not inside its own frame."""
    frame = _open(stack, airflow)
    frame.get_by_role("row").filter(has_text="Orders in").get_by_role("link").click()
    airflow.wait_for_url("**/dags/backmarket_orders/runs/**")
    airflow.get_by_text("order_download_gate").first.wait_for()


def test_a_price_move_is_approved_where_the_page_leads(stack: Stack, settings: StackSettings, airflow: Page) -> None:
    """From the page to the form in Airflow; what is selected there goes out with the next run, the rest does not."""
    approved, refused = _ask_for_two_large_moves(stack)
    frame = _open(stack, airflow)
    for theme in ("light", "dark"):
        _choose_theme(airflow, frame, theme)
        _picture(airflow, f"page-{theme}")
    _choose_theme(airflow, frame, "light")
    frame.get_by_role("link", name="Approve or decline : prices").click()
    frame.locator("p", has_text="The same is asked in Airflow").get_by_role("link").click()
    airflow.wait_for_url("**/tasks/price_approval/required_actions")
    airflow.get_by_text("Which may go out?").first.wait_for()
    airflow.get_by_role("cell", name=approved[0]).first.wait_for()
    airflow.get_by_role("combobox").last.click()
    airflow.keyboard.type(f"{approved[0]} fr-fr")
    airflow.get_by_role("option", name=f"{approved[0]} fr-fr").click()
    airflow.get_by_role("button", name="Respond").click()
    sandbox = Sandbox(settings.sandbox_url)
    _until(lambda: _price(sandbox, approved[0]) == approved[2])
    assert _price(sandbox, refused[0]) == refused[1]
    reason = _until(lambda: _refusal(stack, refused[0]))
    assert "declined by" in reason
    frame = _open(stack, airflow)
    assert frame.get_by_role("link", name="Approve or decline : prices").count() == 0


def test_two_things_are_worked_off_at_once(stack: Stack, airflow: Page) -> None:
    """Ticked by the box above, resolved by one press, and gone; the list of what was worked off has them."""
    with psycopg.connect(stack.warehouse_uri, autocommit=True) as connection:
        connection.execute(
            "insert into backmarket.quarantine (account, entity, key, document, reason) "
            "values ('default', 'order', 'odd-1', '{}', 'no state'), ('default', 'order', 'odd-2', '{}', 'no state')"
        )
    page = airflow.context.new_page()
    page.goto(f"{stack.url}/backmarket/needs/quarantine?text=odd-")
    page.get_by_label("Select all that are shown").check()
    page.get_by_label("Comment").fill("told the developers")
    page.get_by_role("button", name="Resolve").click()
    page.get_by_text("2 things resolved.").wait_for()
    assert page.get_by_role("rowheader", name="odd-1").count() == 0
    page.goto(f"{stack.url}/backmarket/worked-off")
    assert page.get_by_text("told the developers").count() == 2
    page.close()


def test_a_price_is_approved_on_the_page(stack: Stack, settings: StackSettings, airflow: Page) -> None:
    """Without the form in Airflow: what is approved goes out by the run that the press has started."""
    (sku, _, new), (declined, old, _) = _ask_for_two_large_moves(stack)
    page = airflow.context.new_page()
    page.goto(f"{stack.url}/backmarket/needs/approvals")
    page.get_by_label(f"Select {sku}", exact=True).check()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("1 thing approved.").wait_for()
    sandbox = Sandbox(settings.sandbox_url)
    _until(lambda: _price(sandbox, sku) == new)
    page.get_by_label(f"Select {declined}", exact=True).check()
    page.get_by_role("button", name="Decline").click()
    page.get_by_text("1 thing declined.").wait_for()
    _until(lambda: "declined by" in _refusal(stack, declined))
    assert _price(sandbox, declined) == old
    page.close()


def test_the_main_switch_asks_before_it_turns(stack: Stack, airflow: Page) -> None:
    """By keyboard alone: asked, left as it is."""
    frame = _open(stack, airflow)
    frame.get_by_role("switch", name="Main switch").focus()
    airflow.keyboard.press("Space")
    frame.get_by_role("heading", name="Switch everything off?").wait_for()
    frame.get_by_role("link", name="Leave it as it is").focus()
    airflow.keyboard.press("Enter")
    frame.locator("[role=switch][aria-label='Main switch'][aria-checked=true]").wait_for()


def test_a_messy_workbook_is_dropped_looked_at_and_loaded(
    stack: Stack, settings: StackSettings, airflow: Page, tmp_path: Path
) -> None:
    """A merged title, blank rows, commas, IMEIs as numbers, three styles of dates: shown, loaded, and the bad told."""
    inbox = settings.state / "inbox" / "upload"
    inbox.mkdir(parents=True)
    api = AirflowApi(stack.url, stack.user, stack.password)
    api.add_variables({"backmarket_default__seller_inbox": inbox.as_uri()})
    api.close()
    workbook = tmp_path / "Warehouse (old).xlsx"
    _messy_workbook(workbook)
    page = airflow.context.new_page()
    page.goto(f"{stack.url}/backmarket/")
    page.get_by_role("link", name="Files").click()
    # With its script, which takes what is dropped.
    page.wait_for_url("**/backmarket/files*")
    _drop(page, workbook)
    page.get_by_label("It fills").select_option("stock")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="stock-Warehouse (old).xlsx").wait_for()
    for text in ("2026-11-05 09:05:00+00:00", "2026-11-25 08:30:00+00:00", "no column of it, not read"):
        assert page.get_by_text(text).first.is_visible()
    page.get_by_role("button", name="Discard").click()
    page.get_by_text("was discarded").wait_for()
    assert list(inbox.glob("*")) == [inbox / ".uploads"]

    # By keyboard alone, but for the system's own window to choose a file.
    page.get_by_label("File", exact=True).set_input_files(workbook)
    page.get_by_label("It fills").focus()
    page.keyboard.type("seller.prices")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="prices-Warehouse (old).xlsx").wait_for()
    assert page.get_by_role("cell", name="1299.90").is_visible()
    assert page.get_by_role("cell", name="89.5", exact=True).is_visible()
    page.get_by_role("button", name="Discard").click()

    page.get_by_label("File", exact=True).set_input_files(workbook)
    page.get_by_label("It fills").select_option("devices")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="devices-Warehouse (old).xlsx").wait_for()
    assert page.get_by_role("row", name="7 imei is '3.56938035643809E+15'").is_visible()
    page.get_by_role("button", name="Load").click()
    page.get_by_text("is in the inbox").wait_for()
    with psycopg.connect(stack.warehouse_uri, autocommit=True) as connection:
        query = "select imei from seller.devices where order_id = 5000001"
        assert _until(lambda: connection.execute(query).fetchall()) == [("356938035643809",)]

    page.goto(f"{stack.url}/backmarket/files")
    with page.expect_download() as download:
        page.get_by_role("link", name="bad rows of devices-Warehouse (old).xlsx").click()
    found = list(csv.DictReader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["row"], row["order_id"]) for row in found] == [("7", "5000002")]
    assert "whose digits may be lost" in found[0]["reason"]
    page.close()


def _messy_workbook(path: Path) -> None:
    """What a person keeps by hand: three sheets, each with its own disorder."""
    import openpyxl

    known_until = datetime(2026, 11, 25, 8, 30)  # noqa: DTZ001 - a workbook knows no zones
    book = openpyxl.Workbook()
    sheets = {
        "Stock": [
            ["Référence", "Qté", "Compté le", "Orders known until", "Letzte Lieferung"],
            ["MESSY-1", 3, "24/11/2026 7:00", known_until, "11-26-2026"],
            [],
            ["MESSY-2", "4", "05/11/2026 9:05", known_until, "12-24-2026"],
        ],
        "Prices": [
            ["SKU", "Pays", "Prix", "Devise"],
            ["MESSY-1", "fr-fr", "1.299,90", "EUR"],
            [],
            ["MESSY-2", "fr-fr", 89.5, "EUR"],
        ],
        "Devices": [
            ["Bestellung", "SKU", "IMEI 1"],
            [5000001, "MESSY-1", 356938035643809],
            [],
            [5000002, "MESSY-2", 3569380356438090],
        ],
    }
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in (["Warehouse of the week"], [], [], *rows):
            sheet.append(row)
        sheet.merge_cells("A1:E1")
    book.save(path)


def _drop(page: Page, path: Path) -> None:
    """Drop a file on the form, as a mouse does."""
    data = base64.b64encode(path.read_bytes()).decode()
    files = page.evaluate_handle(
        """([data, name]) => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
            return files;
        }""",
        [data, path.name],
    )
    page.dispatch_event("form[data-drop]", "drop", {"dataTransfer": files})


def test_a_failed_task_leads_to_its_log(stack: Stack, settings: StackSettings, airflow: Page) -> None:
    """The token is revoked: the page says so first, and its link leads to what happened and what to do."""
    sandbox = Sandbox(settings.sandbox_url)
    sandbox.fault("401", times=1000)
    try:
        assert _run(stack, "backmarket_account")["account_check"] == "failed"
        frame = _open(stack, airflow)
        frame.get_by_role("heading", name="Back Market refuses the token").wait_for()
        frame.get_by_role("link", name="account_check").click()
        airflow.wait_for_url("**/dags/backmarket_account/runs/*/tasks/account_check**")
        airflow.get_by_text("Create a new token in the Back Office").first.wait_for()
    finally:
        sandbox.clear_faults()
    _run(stack, "backmarket_account")
    _open(stack, airflow).get_by_text("valid", exact=True).wait_for()


def test_a_search_leads_to_an_orders_story(stack: Stack, airflow: Page) -> None:
    """By its number, and from the order on to its SKU."""
    with psycopg.connect(stack.warehouse_uri) as connection:
        found = connection.execute("select order_id, sku from backmarket.order_lines limit 1").fetchone()
    assert found is not None
    order_id, sku = found
    frame = _open(stack, airflow)
    frame.get_by_label("Part of a SKU, order number").fill(str(order_id))
    airflow.keyboard.press("Enter")
    frame.get_by_role("heading", name=f"Order {order_id}").wait_for()
    _picture(airflow, "order-story")
    frame.get_by_role("link", name=sku).first.click()
    frame.get_by_role("heading", name=sku).wait_for()


def test_a_list_is_filtered_and_sorted_by_keyboard(stack: Stack, airflow: Page) -> None:
    """From the navigation to the list, its filter, a heading and back to all of it, without a mouse."""
    frame = _open(stack, airflow)
    frame.get_by_role("link", name="Listings").focus()
    airflow.keyboard.press("Enter")
    frame.get_by_role("heading", name="Listings").wait_for()
    with psycopg.connect(stack.warehouse_uri) as connection:
        found = connection.execute("select sku from backmarket.listings where sku <> '' limit 1").fetchone()
    assert found is not None
    frame.get_by_label("Market", exact=True).focus()
    airflow.keyboard.press("Tab")
    while not frame.get_by_label("Contains").evaluate("field => field === document.activeElement"):
        airflow.keyboard.press("Tab")
    airflow.keyboard.type(found[0])
    airflow.keyboard.press("Enter")
    frame.get_by_text("that fit the filter").wait_for()
    assert frame.get_by_role("rowheader", name=found[0]).count() >= 1
    heading = frame.get_by_role("columnheader", name="Stock")
    heading.get_by_role("link").focus()
    airflow.keyboard.press("Enter")
    frame.locator("th[aria-sort=ascending]", has_text="Stock").wait_for()
    assert frame.get_by_label("Contains").input_value() == found[0]
    frame.get_by_role("link", name="Clear").focus()
    airflow.keyboard.press("Enter")
    frame.get_by_text("that fit the filter").wait_for(state="detached")


@pytest.mark.parametrize("path", ["orders", "listings", "search?q=1"])
def test_a_list_fits_a_phone(stack: Stack, airflow: Page, path: str) -> None:
    """Nothing is wider than 390 pixels, and headings, which sort, can still be seen."""
    phone = airflow.context.new_page()
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(f"{stack.url}/backmarket/{path}")
    phone.get_by_role("button", name="Filter").wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert phone.locator("thead a").first.is_visible()
    phone.close()


def test_the_page_fits_a_phone(stack: Stack, airflow: Page) -> None:
    """Nothing is wider than 390 pixels."""
    phone = airflow.context.new_page()
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(f"{stack.url}/backmarket/")
    phone.get_by_role("switch", name="Orders in").wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    _picture(phone, "page-phone")
    phone.close()


AGENT = "BM-Acme-Airflow;ops@acme.fr"


@pytest.mark.parametrize(
    ("name", "host", "token", "agent", "told"),
    [
        ("wrong_token", "", "wrong", AGENT, "Create a new token in the Back Office"),
        (
            "wrong_platform",
            "https://www.backmarket.example",
            "any",
            AGENT,
            "Platform is not an address of Back Market's",
        ),
        ("copied", "", "", "BM-YourCompany-Airflow;you@yourcompany.com", "User agent names the company of an example"),
        ("good", "", "", AGENT, "The token is valid"),
    ],
    ids=lambda value: value if value.isidentifier() else "",
)
def test_the_test_button_tells_a_seller_where_they_stand(
    stack: Stack, settings: StackSettings, airflow: Page, name: str, host: str, token: str, agent: str, told: str
) -> None:
    """The connection form, as Airflow draws it, and its Test button: in words that a seller understands."""
    form = _connection_form(stack, airflow, f"backmarket_{name}")
    form.locator("input[name=host]").fill(host or settings.sandbox_url)
    form.locator("input[name=password]").fill(token or load_secrets(settings.state)["sandbox_token"])
    assert form.locator("input[name=port]").count() == 0
    # The section that is folded at first says by its colour that something is missing there, and nothing can be saved.
    assert form.get_by_role("button", name="Save").is_disabled()
    form.get_by_role("button", name="Market and user agent").click()
    form.get_by_role("combobox").last.click()
    airflow.get_by_role("option", name="fr-fr").click()
    form.locator("input[name=element_user_agent]").fill(agent)
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="hidden")
    row = airflow.get_by_role("row").filter(has_text=f"backmarket_{name}")
    row.get_by_role("button", name="Test Connection").click()
    airflow.get_by_text(told).first.wait_for()


def _connection_form(stack: Stack, airflow: Page, conn_id: str) -> Locator:
    """Open the form of a new connection of our type."""
    airflow.goto(f"{stack.url}/connections")
    airflow.get_by_role("button", name="Add Connection").click()
    form = airflow.get_by_role("dialog")
    form.locator("input[name=connection_id]").fill(conn_id)
    form.get_by_role("combobox").first.click()
    airflow.keyboard.type("Back Market")
    airflow.get_by_role("option", name="Back Market").click()
    form.get_by_text("Platform").wait_for()
    return form


def _open(stack: Stack, airflow: Page) -> Frame:
    airflow.goto(stack.page_url)
    return _frame(airflow)


def _frame(airflow: Page) -> Frame:
    element = airflow.wait_for_selector("iframe[title='Back Market']")
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    frame.get_by_role("heading", name="What runs").wait_for()
    return frame


def _run(stack: Stack, dag_id: str) -> dict[str, str]:
    """Run a DAG to its end and return how each task ended."""
    api = AirflowApi(stack.url, stack.user, stack.password)
    deadline = monotonic() + 240
    run_id = ""
    while monotonic() < deadline:
        if not run_id and api.is_parsed(dag_id, since=_EPOCH):
            run_id = api.trigger(dag_id)
        if run_id and api.run_state(dag_id, run_id) in {"success", "failed"}:
            break
        sleep(0.5)
    tasks = {task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)}
    api.close()
    return tasks


def _ask_for_two_large_moves(stack: Stack) -> list[tuple[str, Decimal, Decimal]]:
    """Halve two prices, have them planned, and wait for the question; return SKU, old price and new price of each."""
    with psycopg.connect(stack.warehouse_uri, autocommit=True) as connection:
        connection.execute(_HALVE_TWO_PRICES)
        _run(stack, "backmarket_inventory_prices")
        return _until(lambda: connection.execute(_ASKED).fetchall())


_HALVE_TWO_PRICES = """
    insert into seller.prices (account, sku, market, price, currency)
    select offer.account, listing.sku, offer.market, round(offer.price / 2, 2), offer.currency
    from backmarket.listing_offers as offer
    inner join backmarket.listings as listing on offer.account = listing.account and offer.id = listing.id
    where
        offer.market = 'fr-fr' and offer.price between 100 and offer.max_price
        and not exists (select 1 from backmarket.price_approvals where status = 'asked')
        -- What a person has decided about holds, and is not asked about again.
        and not exists (select 1 from backmarket.price_approvals as decided where decided.sku = listing.sku)
    order by listing.sku
    limit 2
    on conflict (account, sku, market) do update set price = excluded.price
"""
_ASKED = """
    select sku, old_price, new_price
    from backmarket.price_approvals
    where market = 'fr-fr' and status = 'asked'
    order by sku
    limit 2
"""


def _price(sandbox: Sandbox, sku: str) -> Decimal:
    return next(Decimal(each["offers"]["fr-fr"]["price"]) for each in sandbox.listings() if each["sku"] == sku)


def _refusal(stack: Stack, sku: str) -> str:
    query = "select reason from backmarket.changes where kind = 'price' and subject = %s and status = 'refused'"
    with psycopg.connect(stack.warehouse_uri) as connection:
        found = connection.execute(query, [sku]).fetchone()
    return found[0] if found else ""


def _until(look: Callable[[], T]) -> T:
    """Wait for what the scheduler does by itself, at most two minutes."""
    deadline = monotonic() + 120
    while not (found := look()) and monotonic() < deadline:
        sleep(0.5)
    assert found
    return found


def _choose_theme(airflow: Page, frame: Frame, theme: str) -> None:
    airflow.evaluate(
        "theme => { const root = document.documentElement;"
        " root.classList.remove('light', 'dark'); root.classList.add(theme); root.style.colorScheme = theme; }",
        theme,
    )
    frame.wait_for_selector(f"html[data-theme={theme}]", state="attached")


def _picture(page: Page, name: str) -> None:
    """Keep a picture for the README, where that was asked for; in 256 colours, which is a third of the size."""
    if os.environ.get("SCREENSHOTS"):
        from PIL import Image

        IMAGES.mkdir(parents=True, exist_ok=True)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)

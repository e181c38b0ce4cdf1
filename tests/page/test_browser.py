"""What a person does on the page, in a real browser against the whole running stack.

Set ``SCREENSHOTS=1`` to renew the pictures in docs/images. Skipped where no Chromium is found.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.airflow_api import AirflowApi
from local.airflow_env import load_secrets
from local.settings import StackSettings, free_port
from local.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Frame, Page

    from local.stack import Stack

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
    """A stack of its own."""
    return StackSettings(port=free_port(), sandbox_port=free_port(), state=tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def stack(settings: StackSettings) -> Iterator[Stack]:
    """The whole stack, with orders in it."""
    with running_stack(settings) as running:
        for dag_id in ("backmarket_account", "backmarket_orders"):
            _run(running, dag_id)
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
        if "running" not in row and "queued" not in row:
            break
        # The scheduler has begun another run meanwhile: it ends within seconds.
        airflow.wait_for_timeout(1_000)
        frame = _open(stack, airflow)
    assert "success" in row
    _picture(airflow, "page-light")


def test_the_page_follows_airflows_theme(stack: Stack, airflow: Page) -> None:
    """Dark where Airflow is dark, whatever the system says, and without a reload."""
    frame = _open(stack, airflow)
    grounds = []
    for theme in ("light", "dark"):
        airflow.evaluate(
            "theme => { const root = document.documentElement;"
            " root.classList.remove('light', 'dark'); root.classList.add(theme); root.style.colorScheme = theme; }",
            theme,
        )
        frame.wait_for_selector(f"html[data-theme={theme}]", state="attached")
        grounds.append(frame.evaluate("getComputedStyle(document.body).backgroundColor"))
    _picture(airflow, "page-dark")
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


def test_a_search_leads_to_an_orders_story(stack: Stack, airflow: Page) -> None:
    """By its number, and from the order on to its SKU."""
    import psycopg

    with psycopg.connect(stack.warehouse_uri) as connection:
        found = connection.execute("select order_id, sku from backmarket.order_lines limit 1").fetchone()
    assert found is not None
    order_id, sku = found
    frame = _open(stack, airflow)
    frame.get_by_label("Order number or SKU").fill(str(order_id))
    airflow.keyboard.press("Enter")
    frame.get_by_role("heading", name=f"Order {order_id}").wait_for()
    _picture(airflow, "order-story")
    frame.get_by_role("link", name=sku).first.click()
    frame.get_by_role("heading", name=sku).wait_for()


def test_the_page_fits_a_phone(stack: Stack, airflow: Page) -> None:
    """Nothing is wider than 390 pixels."""
    phone = airflow.context.new_page()
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(f"{stack.url}/backmarket/")
    phone.get_by_role("switch", name="Orders in").wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    _picture(phone, "page-phone")
    phone.close()


@pytest.mark.parametrize(
    ("token", "told"),
    [("wrong", "Create a new token in the Back Office"), ("", "The token is valid")],
    ids=["a wrong token", "a good token"],
)
def test_the_test_button_tells_a_seller_where_they_stand(
    stack: Stack, settings: StackSettings, airflow: Page, token: str, told: str
) -> None:
    """The connection form, as Airflow draws it, and its Test button: in words that a seller understands."""
    name = f"backmarket_{token or 'good'}"
    airflow.goto(f"{stack.url}/connections")
    airflow.get_by_role("button", name="Add Connection").click()
    form = airflow.get_by_role("dialog")
    form.locator("input[name=connection_id]").fill(name)
    form.get_by_role("combobox").first.click()
    airflow.keyboard.type("Back Market")
    airflow.get_by_role("option", name="Back Market").click()
    form.get_by_text("Platform").wait_for()
    form.locator("input[name=host]").fill(settings.sandbox_url)
    form.locator("input[name=password]").fill(token or load_secrets(settings.state)["sandbox_token"])
    form.locator("input[name=port]").fill("443")
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="hidden")
    row = airflow.get_by_role("row").filter(has_text=name)
    row.get_by_role("button", name="Test Connection").click()
    airflow.get_by_text(told).first.wait_for()


def _open(stack: Stack, airflow: Page) -> Frame:
    airflow.goto(f"{stack.url}/plugin/backmarket")
    return _frame(airflow)


def _frame(airflow: Page) -> Frame:
    element = airflow.wait_for_selector("iframe[title='Back Market']")
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    frame.get_by_role("heading", name="Concerns").wait_for()
    return frame


def _run(stack: Stack, dag_id: str) -> dict[str, str]:
    """Run a DAG to its end and return how each task ended."""
    from time import monotonic, sleep

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


def _picture(page: Page, name: str) -> None:
    """Keep a picture for the README, where that was asked for."""
    if os.environ.get("SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=IMAGES / f"{name}.png")

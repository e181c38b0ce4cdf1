"""What people type into Variables, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backmarket.settings import (
    VARIABLES,
    MainSettings,
    MarketSettings,
    OrderSettings,
    PersonalDataSettings,
    ReconciliationSettings,
    RepricingSettings,
    SendingSettings,
    VariableError,
    is_neighbour_on,
    neighbour,
    read_variable,
)


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "YES", "on", " on "])
def test_a_toggle_reads_as_people_write_yes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Every common spelling of yes switches on."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDER_DOWNLOAD", text)
    assert OrderSettings.load("default").order_download is True


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "no", "Off", "", "  "])
def test_a_toggle_reads_as_people_write_no(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Every common spelling of no, and an empty value, leave a concern off."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDER_DOWNLOAD", text)
    assert OrderSettings.load("default").order_download is False


def test_without_variables_everything_is_off() -> None:
    """A missing toggle means off; limits take their documented defaults."""
    assert (
        MainSettings.load("default").enabled,
        SendingSettings.load("default").dry_run,
        MarketSettings.load("default").markets,
    ) == (
        False,
        False,
        (),
    )
    assert (OrderSettings.load("default").order_download, OrderSettings.load("default").initial_lookback_days) == (
        False,
        90,
    )
    assert PersonalDataSettings.load("default").pii_retention_days is None


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("enabled", "maybe", "true, false, yes, no"),
        ("enabled", "t", "true, false, yes, no"),
        ("phone_titles", "(iphone", "a regular expression"),
        ("phone_titles", "iphone{1,99999999999}", "a regular expression"),
        ("dry_run", "n", "true, false, yes, no"),
        ("order_download", "2", "true, false, yes, no"),
        ("max_qty", "9999999999", "at most 2147483647"),
        ("safety_qty", "2147483648", "at most 2147483647"),
        ("initial_lookback_days", "-1", "0 or more"),
        ("initial_lookback_days", "1.5", "a whole number of days"),
        ("initial_lookback_days", "999999", "at most 36500"),
        ("device_resale_days", "999999999999", "at most 36500"),
        ("pii_retention_days", "999999", "at most 36500 (a hundred years), or empty"),
        ("pii_retention_days", "soon", "empty to keep everything"),
        ("markets", "fr-fr", "a JSON list"),
        ("markets", '["France"]', "a JSON list"),
        ("markets", '{"fr-fr": 1}', "a JSON list"),
    ],
)
def test_an_unusable_value_says_name_value_and_what_is_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, accepted: str
) -> None:
    """The message alone is enough to correct the Variable."""
    monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", value)
    with pytest.raises(VariableError) as error:
        read_variable("default", name)
    assert f"backmarket_{name}" in str(error.value)
    assert value in str(error.value)
    assert accepted in str(error.value)


def test_the_place_that_is_named_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment holds a Variable, nothing under Admin → Variables corrects it."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "maybe")
    with pytest.raises(VariableError, match=r"Correct it in the environment \(AIRFLOW_VAR_BACKMARKET_ENABLED\)"):
        read_variable("default", "enabled")
    monkeypatch.delenv("AIRFLOW_VAR_BACKMARKET_ENABLED")
    with pytest.raises(VariableError, match="Correct it under Admin → Variables"):
        MainSettings.checked({"enabled": "maybe"})


def test_a_long_value_leaves_room_for_what_to_do() -> None:
    """Whatever was pasted: a chat refuses a message that is too long, and nobody would be told."""
    with pytest.raises(VariableError) as error:
        MarketSettings.checked({"markets": "x" * 50_000})
    assert len(str(error.value)) < 1000
    assert "(50,002 characters)" in str(error.value)
    assert str(error.value).endswith("then clear this task.")


def test_a_value_that_is_too_deep_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Python's own reader of JSON says of it."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_MARKETS", "[" * 100_000)
    with pytest.raises(VariableError, match=r"backmarket_markets is .* a JSON list of markets"):
        read_variable("default", "markets")


@pytest.mark.parametrize("name", [name for name in VARIABLES if name.endswith("_days")])
def test_no_number_of_days_leads_beyond_the_calendar(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The most that is accepted is a date that can be told; more names the Variable."""
    monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", "36500")
    assert datetime.now(UTC) - timedelta(days=read_variable("default", name)) < datetime.now(UTC)
    monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", "999999")
    with pytest.raises(VariableError, match=f"backmarket_{name}"):
        read_variable("default", name)


def test_markets_are_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list keeps its order."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_MARKETS", '["de-de", "fr-fr"]')
    assert MarketSettings.load("default").markets == ("de-de", "fr-fr")


def test_every_setting_says_what_it_accepts() -> None:
    """An error message can only name what is accepted where the field describes it."""
    assert VARIABLES
    assert [name for name, settings in VARIABLES.items() if not settings.model_fields[name].description] == []


def test_a_variable_is_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates look a toggle up by name; an unknown one is a programmer's slip."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDER_DOWNLOAD", "yes")
    assert read_variable("default", "order_download") is True
    with pytest.raises(KeyError):
        read_variable("default", "no_such_toggle")


def test_one_variable_is_read_without_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in another Variable of the same concern does not matter to who needs only this one."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ORDER_DOWNLOAD", "perhaps")
    assert read_variable("default", "initial_lookback_days") == 90


def test_comparing_statements_needs_nothing_that_reads_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in how many unknown orders are read stops that task alone."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_ORDER_READS", "many")
    assert ReconciliationSettings.load("default").settlement_due_days == 14


def test_a_neighbour_that_cannot_be_read_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own gate complains; nobody who only asks whether it is on does."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_IMEI_UPDATE", "perhaps")
    assert is_neighbour_on("default", "imei_update") is False
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_IMEI_UPDATE", "on")
    assert is_neighbour_on("default", "imei_update") is True


def test_an_accounts_own_variable_comes_before_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for the default account, and also where it is empty: that says no limit for this account alone."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_MAX_QTY", "5")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__MAX_QTY", "2")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_JP__MAX_QTY", "")
    assert [read_variable(account, "max_qty") for account in ("default", "us", "jp", "eu")] == [5, 2, None, 5]
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_DEFAULT__MAX_QTY", "7")
    assert [read_variable(account, "max_qty") for account in ("default", "eu")] == [7, 5]


def test_an_accounts_own_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own name, and it is no slip of the other accounts."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_MAX_QTY", "5")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_US__MAX_QTY", "many")
    with pytest.raises(VariableError, match="Variable backmarket_us__max_qty is 'many'"):
        read_variable("us", "max_qty")
    assert read_variable("default", "max_qty") == 5


SPANS = [name for name in VARIABLES if name.endswith(("_minutes", "_hours", "_days"))]


@pytest.mark.parametrize("name", SPANS)
def test_a_span_that_no_moment_could_be_reckoned_with_is_refused_where_it_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The Variable is named. Where it is used, such a number would be an error in Python's or PostgreSQL's words."""
    for value in ("2000000000", "9" * 30):
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", value)
        with pytest.raises(VariableError, match=r"Accepted: .*, at most \d+ \(a (hundred )?year"):
            read_variable("default", name)


def test_the_longest_spans_are_still_reckoned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of minutes or hours, a hundred years of days."""
    for unit, most in (("minutes", 525_600), ("hours", 8_760), ("days", 36_500)):
        of_unit = [name for name in SPANS if name.endswith(f"_{unit}")]
        assert of_unit
        for name in of_unit:
            monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", str(most))
            assert read_variable("default", name) == most
            assert datetime(2026, 11, 27, tzinfo=UTC) - timedelta(**{unit: most}) < datetime(2026, 11, 27, tzinfo=UTC)
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SHIP_BY_ALERT_HOURS", "-1000000")
    assert read_variable("default", "ship_by_alert_hours") == -1_000_000
    assert RepricingSettings.load("default").policy.remembers == timedelta(days=365)
    for name in ("repricing_cooldown_minutes", "repricing_max_age_minutes", "repricing_climb_rest_hours"):
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", "525601")
        assert neighbour("default", RepricingSettings) is None
        monkeypatch.delenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}")

"""An Airflow that this package was never tried on gets a warning, not a refusal."""

from __future__ import annotations

import pytest

from backmarket.services.account import TRIED_AIRFLOW_VERSIONS, untried_version
from local.bootstrap import AIRFLOW_RELEASES


@pytest.mark.parametrize("version", ["3.2.0", "3.2.1", "3.3.2", "3.3.1rc1"])
def test_patches_of_a_tried_version_are_taken_as_tried(version: str) -> None:
    """Versions are told apart by their minor."""
    assert untried_version(version) is None


@pytest.mark.parametrize("version", ["3.4.0", "3.20.1", "3.1.8", "4.0.0b1"])
def test_people_are_told_of_another(version: str) -> None:
    """By its number, and what to do."""
    warning = untried_version(version)
    assert warning is not None
    assert version in warning
    assert "backmarket_dry_run" in warning


def test_what_is_called_tried_is_tried() -> None:
    """Each has an environment."""
    assert set(TRIED_AIRFLOW_VERSIONS) == {version.rpartition(".")[0] for version in AIRFLOW_RELEASES}

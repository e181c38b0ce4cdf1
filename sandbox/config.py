"""What one sandbox is started with."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class SandboxConfig:
    """Every option of `python -m sandbox`; the defaults are the command line's.

    `port` 0 takes a free one. `now` fixes where the sandbox's clock starts, which makes seeded documents equal
    from run to run. `batch_seconds` is how long a catalog batch takes. `arrivals_per_minute` lets orders come
    in, and earlier ones be paid and delivered, while the sandbox runs. `stock` is the quantity of each seeded
    listing, or None for a mixture. `care_folders` is how many customers of seeded orders have a trouble.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 7
    orders: int = 300
    listings: int = 120
    token: str = "sandbox-token"  # noqa: S105 - a sandbox has no secret
    platform: str = "EU"
    latency_ms: int = 0
    rate_limit: bool = True
    state_file: Path | None = None
    arrivals_per_minute: float = 0.0
    statements: Path | None = None
    now: datetime | None = None
    batch_seconds: float = 1.0
    stock: int | None = None
    care_folders: int = 12

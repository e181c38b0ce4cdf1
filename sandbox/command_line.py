"""The options of `python -m sandbox`, read from arguments and written back for a child process."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sandbox.config import SandboxConfig
from sandbox.markets import PLATFORMS

DEFAULT_PORT = 8901


def read_arguments(arguments: Sequence[str]) -> SandboxConfig:
    """Turn command line arguments into a configuration."""
    defaults = SandboxConfig()
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Run a local Back Market.")
    parser.add_argument("--host", default=defaults.host)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--seed", type=int, default=defaults.seed, help="same seed and --now: same documents")
    parser.add_argument("--orders", type=int, default=defaults.orders)
    parser.add_argument("--listings", type=int, default=defaults.listings)
    parser.add_argument("--stock", type=int, help="quantity of every seeded listing (default: a mixture)")
    parser.add_argument(
        "--care-folders", type=int, default=defaults.care_folders, help="troubles of seeded orders' customers"
    )
    parser.add_argument("--token", default=defaults.token)
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default=defaults.platform)
    parser.add_argument("--latency-ms", type=int, default=defaults.latency_ms, help="delay of every answer")
    parser.add_argument("--no-rate-limit", dest="rate_limit", action="store_false")
    parser.add_argument("--state", dest="state_file", type=Path, help="SQLite file; a restart goes on from it")
    parser.add_argument("--arrivals-per-minute", type=float, default=0.0, help="orders that keep coming")
    parser.add_argument("--batch-seconds", type=float, default=defaults.batch_seconds, help="length of a batch")
    parser.add_argument("--statements", type=Path, help="folder that gets settlement files at the start")
    parser.add_argument("--now", type=datetime.fromisoformat, help="where the sandbox's clock starts")
    return SandboxConfig(**vars(parser.parse_args(arguments)))


def as_arguments(config: SandboxConfig) -> list[str]:
    """Write a configuration as the arguments that give it back."""
    arguments = [
        f"--host={config.host}",
        f"--port={config.port}",
        f"--seed={config.seed}",
        f"--orders={config.orders}",
        f"--listings={config.listings}",
        f"--care-folders={config.care_folders}",
        f"--token={config.token}",
        f"--platform={config.platform}",
        f"--latency-ms={config.latency_ms}",
        f"--arrivals-per-minute={config.arrivals_per_minute}",
        f"--batch-seconds={config.batch_seconds}",
    ]
    optional = {
        "--state": config.state_file,
        "--statements": config.statements,
        "--now": config.now,
        "--stock": config.stock,
    }
    arguments += [f"{name}={value}" for name, value in optional.items() if value is not None]
    return arguments if config.rate_limit else [*arguments, "--no-rate-limit"]

"""The processes of the local stack: started with a log each, watched, and ended without leaving any behind."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

from local.failure import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# In the environment of every process of a stack, and inherited by whatever it starts: the stack, and the part of it.
_MARK = "BACKMARKET_LOCAL_STACK"
_PART = "BACKMARKET_LOCAL_PART"
_PATIENCE_SECONDS = 8.0
# While one round looks, a process that is about to be killed may start another.
_ROUNDS = 5


class Processes:
    """The processes of one stack.

    :param state: the stack's folder; it also tells its processes from those of other stacks.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: set[str] = set()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
    ) -> None:
        """Start a process that is to live as long as the stack.

        :param folder: its working directory; None for ours.
        """
        mode = "ab" if name in self._started else "wb"
        self._started.add(name)
        with self.log(name).open(mode) as log:
            # A session of its own, so that Ctrl-C reaches the stack alone, which ends them in order.
            self._running[name] = subprocess.Popen(
                command,
                cwd=folder,
                env=self._marked(name, environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Run a command to its end.

        :raises LocalError: if it fails, with the last line it wrote.
        """
        self.start(name, command, environment)
        process = self._running.pop(name)
        try:
            if process.wait() != 0:
                raise LocalError(f"{name} failed: {self._last_line(name)} ({self.log(name)})")
        finally:
            process.kill()

    def kill(self, name: str) -> None:
        """Kill a process and all that it has started, as a power cut does."""
        process = self._running.pop(name)
        process.kill()
        self.end_leftovers(name)
        process.wait()

    def check(self) -> None:
        """Make sure that all still run.

        :raises LocalError: naming the one that ended, with the last line it wrote.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                why = f"signal {-code}" if (code := process.returncode) < 0 else f"exit code {code}"
                raise LocalError(
                    f"{name} ended ({why}), and the stack with it: {self._last_line(name)} ({self.log(name)})"
                )

    def wait_for_ctrl_c(self) -> None:
        """Come back when somebody presses it.

        :raises LocalError: where a process ends by itself.
        """
        print("\nCtrl-C stops all of it.", flush=True)
        try:
            while True:
                self.check()
                time.sleep(1)
        except KeyboardInterrupt:
            print("\nStopping …", flush=True)

    def log(self, name: str) -> Path:
        """Where a process writes."""
        folder = self._state / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name.replace(' ', '-')}.log"

    def end(self) -> None:
        """End all: politely at first, and by force what does not heed that, or was left behind."""
        newest_first = list(reversed(self._running.values()))
        # The newest ends on its own, because it builds on the others: the scheduler's tasks report to the API.
        for together in (newest_first[:1], newest_first[1:]):
            for process in together:
                process.terminate()
            deadline = time.monotonic() + _PATIENCE_SECONDS
            for process in together:
                try:
                    process.wait(timeout=max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.end_leftovers()

    def end_leftovers(self, name: str | None = None) -> None:
        """Kill whatever bears this stack's mark: tasks in groups of their own, the children of what was killed.

        :param name: only what the process of this name has started.
        """
        for _ in range(_ROUNDS):
            leftovers = [process for process in psutil.process_iter() if self._is_ours(process, name)]
            if not leftovers:
                return
            for process in leftovers:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(leftovers, timeout=_PATIENCE_SECONDS)

    def _marked(self, name: str, environment: Mapping[str, str]) -> dict[str, str]:
        # SPT_NOENV keeps Airflow's process titles from overwriting the environment that we look for.
        return {**environment, _MARK: str(self._state), _PART: name, "SPT_NOENV": "1"}

    def _is_ours(self, process: psutil.Process, name: str | None) -> bool:
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            environment = process.environ()
            return environment.get(_MARK) == str(self._state) and name in {None, environment.get(_PART)}
        except psutil.Error:
            return False

    def _last_line(self, name: str) -> str:
        lines = [line.strip() for line in self.log(name).read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else "no word of why"


@contextmanager
def supervised(state: Path) -> Iterator[Processes]:
    """Give a set of processes that all end with the block; those of a stack that was killed end before it."""
    processes = Processes(state)
    processes.end_leftovers()
    try:
        yield processes
    finally:
        processes.end()

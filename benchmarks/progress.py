"""How far a campaign is and how long it will still take, on a terminal as a bar, elsewhere as a line for each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.cases import FINISHED, NOT_APPLICABLE, Task, why
from benchmarks.costs import Costs, Underway
from controller.clock import elapsed_s

MEASURED_RATIO: Final = 0.5  # of the work that is left: below it the time left is a guess, and is called one


class Display:
    """Tells of cases as they end. Use it as a context."""

    def __init__(self, tasks: Iterable[Task], jobs: int, costs: Costs, console: Console | None = None) -> None:
        """Expect the cases to be run in this order, ``jobs`` at a time."""
        self._left = {task.key: task for task in tasks}
        self._total = len(self._left)
        self._jobs, self._costs = jobs, costs
        self._underway: Sequence[Underway] = ()
        self._begun_s = elapsed_s()
        self._console = console or Console(stderr=True)
        columns = (TextColumn("cases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal, transient=True)
        self._at = self._bar.add_task("", total=self._total, left=self.left_text())

    def __enter__(self) -> Display:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        self._bar.stop()

    def left_text(self) -> str:
        """Return how long it will still take, in words."""
        if not self._left:
            return "done"
        underway = [one for one in self._underway if one.task.key in self._left]
        running = {one.task.key for one in underway}
        left = self._costs.left([task for key, task in self._left.items() if key not in running], underway, self._jobs)
        if left is None:
            return "time left not known yet"
        return f"about {duration(left.left_s)} left" + ("" if left.measured_ratio >= MEASURED_RATIO else " (a guess)")

    def ended(self, task: Task, record: dict[str, Any], took_s: float) -> None:
        """Tell of a case that has ended for good, and has occupied a worker for so long, in all attempts."""
        self._left.pop(task.key, None)
        self._costs.learn(task, record, took_s)
        if record["status"] == FINISHED:
            what = f"{record['mean_delay_s']:.2f} s per vehicle, {record['wall_s']:.1f} s wall"
        else:
            what = f"{'NOT APPLICABLE' if record['status'] == NOT_APPLICABLE else 'FAILED'}: {why(record)}"
        left = self.left_text()
        self._bar.update(self._at, completed=self._total - len(self._left), left=left)
        self.say(f"[{self._total - len(self._left)}/{self._total}, {duration(elapsed_s() - self._begun_s)}] {task.name}: {what}; {left}")

    def tick(self, underway: Sequence[Underway] = (), jobs: int | None = None) -> None:
        """Let the clock of the bar go on; told are the cases under way, as far as they are known, and how many are run at a time."""
        self._underway, self._jobs = underway, jobs or self._jobs
        if not self._bar.disable:
            self._bar.update(self._at, left=self.left_text())

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


def duration(value_s: float) -> str:
    """Return a time as people say it: seconds below two minutes, then minutes, then hours."""
    if value_s < 120:
        return f"{value_s:.0f} s"
    return f"{value_s / 60:.0f} min" if value_s < 2 * 3600 else f"{value_s / 3600:.1f} h"

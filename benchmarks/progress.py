"""How far a campaign is and how long it will still take, on a terminal as a bar, elsewhere as a line for each case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.cases import FINISHED, NOT_APPLICABLE, Task
from benchmarks.columns import Row
from controller.clock import elapsed_s

GUESS_S: Final = 30.0  # a case of which nothing is known yet


class Costs:
    """How long cases take, learned from those that ended: of the same scenario and control, else of the scenario, else of all."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._wall_s: dict[tuple[str, ...], tuple[float, int]] = {}
        for row in rows:
            if row["status"] == FINISHED and row.get("wall_s") is not None:
                self.learn(row["scenario"], row["control"], row["wall_s"])

    def learn(self, scenario: str, control: str, wall_s: float) -> None:
        """Take the wall time of one case."""
        for key in ((scenario, control), (scenario,), ()):
            total_s, count = self._wall_s.get(key, (0.0, 0))
            self._wall_s[key] = total_s + wall_s, count + 1

    def of(self, task: Task) -> float:
        """Return the wall time in s that is expected of a case."""
        for key in ((task.case.scenario, task.case.control), (task.case.scenario,), ()):
            if key in self._wall_s:
                total_s, count = self._wall_s[key]
                return total_s / count
        return GUESS_S


class Display:
    """Tells of cases as they end. Use it as a context."""

    def __init__(self, tasks: Iterable[Task], jobs: int, costs: Costs, console: Console | None = None) -> None:
        self._left = {task.key: task for task in tasks}
        self._total = len(self._left)
        self._jobs, self._costs = jobs, costs
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
        left_s = sum(map(self._costs.of, self._left.values())) / self._jobs
        return f"about {duration(left_s)} left" if self._left else "done"

    def ended(self, task: Task, record: dict[str, Any]) -> None:
        """Tell of a case that has ended for good."""
        self._left.pop(task.key, None)
        if record["status"] == FINISHED:
            self._costs.learn(task.case.scenario, task.case.control, record["wall_s"])
            what = f"{record['mean_delay_s']:.2f} s per vehicle, {record['wall_s']:.1f} s wall"
        else:
            what = f"{'NOT APPLICABLE' if record['status'] == NOT_APPLICABLE else 'FAILED'}: {str(record['error']).splitlines()[0]}"
        self._bar.update(self._at, completed=self._total - len(self._left), left=self.left_text())
        self.say(f"[{self._total - len(self._left)}/{self._total}, {duration(elapsed_s() - self._begun_s)}] {task.name}: {what}; {self.left_text()}")

    def tick(self) -> None:
        """Let the clock of the bar go on."""
        self._bar.update(self._at, left=self.left_text())

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


def duration(value_s: float) -> str:
    """Return a time as people say it: seconds below two minutes, then minutes, then hours."""
    if value_s < 120:
        return f"{value_s:.0f} s"
    return f"{value_s / 60:.0f} min" if value_s < 2 * 3600 else f"{value_s / 3600:.1f} h"

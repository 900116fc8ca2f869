"""The errors of Umlauf. Each inherits the builtin kind that fits, so that callers may catch either.

UmlaufError
├── ConfigError (ValueError)     a junction file, site file or option is wrong
├── PlanError (ValueError)       a planner's plan names a stage that the node does not have
├── DaemonError (OSError)        no daemon answers, or it refuses (in `controller.cabinet.client`)
├── JournalError (OSError)       a journal cannot be written or read (in `controller.journal_schema`)
├── ModeError (LookupError)      the supervisor's table has no such transition
├── SolverError (ArithmeticError)  the optimizer does not answer
├── ControllerError (RuntimeError)  a user's own controller raised or answered nonsense
├── ScenarioError (ValueError)   a scenario, net or demand cannot be used
├── NotApplicableError (ValueError)  a control cannot be made for a scenario; that is a finding, no fault
├── MissingError (RuntimeError)  a program, library or extra is not installed
└── SimulationError (RuntimeError)  the simulator failed or left in mid-run
"""

from __future__ import annotations


class UmlaufError(Exception):
    """Base of all errors that a user sees as one message without a traceback."""


class ConfigError(UmlaufError, ValueError):
    """A junction file, site file or option is wrong: what, where, expected, found, how to mend."""


class PlanError(UmlaufError, ValueError):
    """A plan cannot be followed: it is empty or names a stage that the node does not have."""


class ModeError(UmlaufError, LookupError):
    """The supervisor was told of an event that its present mode cannot have; the message names both."""


class SolverError(UmlaufError, ArithmeticError):
    """The optimizer does not answer."""


class ControllerError(UmlaufError, RuntimeError):
    """A user's own controller raised, or answered what is no stage and no plan."""


class ScenarioError(UmlaufError, ValueError):
    """A scenario, net or demand cannot be used."""


class NotApplicableError(UmlaufError, ValueError):
    """A control cannot be made for this scenario, as rings for a junction that has none; that is a finding, and no fault."""


class MissingError(UmlaufError, RuntimeError):
    """A program, library or extra is not installed; the message names the command that installs it."""


class SimulationError(UmlaufError, RuntimeError):
    """The simulator failed or left in mid-run."""

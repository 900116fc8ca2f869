"""What an operator sees: all of the status, in both languages, readable without colours; the daemon's own sentences in German."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support_cabinet import status_of_day

from controller.cabinet import said_words
from controller.cabinet.said_words import SAID, retold
from controller.cabinet.status import Status
from controller.cabinet.status_view import view
from controller.cabinet.status_words import NAMES, TEXTS
from controller.supervisor import FAULTS, Event, Mode, Supervisor
from controller.words import Lang, language_of
from hardware.ntcip.watch import Alarm
from hardware.signals import Aspect


def text_of(status: Status, lang: Lang, width: int = 100, most: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(view(status, lang, "", most))
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


@pytest.mark.parametrize("lang", Lang)
def test_the_view(lang: Lang, golden: Callable[[str, str], None]) -> None:
    golden(f"status_{lang}.txt", text_of(status_of_day(), lang))


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_lost_on_any_width(lang: Lang, width: int) -> None:
    squeezed = re.sub(r"[\s│╭╮╰╯─]", "", text_of(status_of_day(), lang, width))
    for word in ("market", "Schulstraße", "7230", "61", "1790", "a0", "lb", "2026-01-05"):
        assert word in squeezed


@pytest.mark.parametrize("aspect", Aspect)
def test_every_aspect_has_a_letter_and_a_word(aspect: Aspect) -> None:
    text = text_of(status_of_day(aspects={"A": aspect.name.lower()}), Lang.DE)
    assert f" A {NAMES[aspect.name.lower()][1]}" in text


def test_a_long_list_is_cut_where_it_is_watched_and_the_broken_come_first() -> None:
    status = status_of_day()
    many = tuple(replace(status.detectors[0], id=f"d{i}") for i in range(30))
    text = text_of(replace(status, detectors=(*many, status.detectors[1])), Lang.EN, most=8)
    assert "23 more" in text
    assert text.index("a1 ") < text.index("d0 ")
    assert "d29" not in text


def test_who_has_pressed_is_told() -> None:
    assert re.search(r"Buttons +P for 23 s", text_of(status_of_day(), Lang.EN))
    assert re.search(r"Tasten +P seit 23 s", text_of(status_of_day(), Lang.DE))


def test_shadow_and_refusals_stand_out() -> None:
    text = text_of(status_of_day(shadow=True, refusals=3, signals="lost"), Lang.EN)
    assert "SHADOW: nothing is sent" in text
    assert "interlock refused 3" in text
    assert "signals: LOST" in text


@pytest.mark.parametrize("texts", [TEXTS, SAID, NAMES])
def test_both_languages_name_the_same_parts(texts: dict[str, tuple[str, str]]) -> None:
    for key, (english, german) in texts.items():
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", german)), key


def test_all_modes_faults_and_aspects_have_names() -> None:
    assert {*(m.value for m in Mode), *(f.value for f in FAULTS), *(a.name.lower() for a in Aspect)} <= set(NAMES)


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("override by anna: roadworks", "Übersteuerung durch anna: roadworks"),
        ("covered for 1900 s, at most 1800 s are plausible", "seit 1900 s belegt, höchstens 1800 s sind plausibel"),
        (
            "keeps main (A): 3 vehicles there or due within 20 s; waiting: 1 vehicle on north for side, up to 31 s, 2 vehicles elsewhere; a switch costs 4 s; "
            "side at once would cost 41 vehicle-seconds more; then side in 12 s",
            "hält main (A): 3 Fahrzeuge dort oder in 20 s erwartet; es warten: 1 Fahrzeug in north auf side, bis zu 31 s, 2 Fahrzeuge anderswo; "
            "ein Wechsel kostet 4 s; side sofort würde 41 Fahrzeugsekunden mehr kosten; danach side in 12 s",
        ),
        (
            "serves side: nobody can be seen to wait for P, and it has been red for 150 s; the button for Q was pressed 61 s ago",
            "bedient side: wer für P wartet, ist nicht zu sehen, und dort ist seit 150 s Rot; die Taste für Q wurde vor 61 s gedrückt",
        ),
        ("ends main: its queues have ended; side is called", "beendet main: der Rückstau ist abgebaut; side ist angefordert"),
        ("the optimizer is ready, 5.2 s after its start", "der Optimierer ist bereit, 5,2 s nach seinem Start"),
        ("programme: side is due", "Programm: side ist fällig"),
        ("adaptive to actuated: the hold-down is over", "adaptiv zu verkehrsabhängig: die Sperrzeit ist vorbei"),
        ("something that nobody has foreseen", "something that nobody has foreseen"),
        ("", ""),
        (
            "the optimizer process has ended; it was killed; another one is started in 1 s",
            "der Optimierer-Prozess hat geendet; er wurde gewaltsam beendet; ein neuer wird in 1 s gestartet",
        ),
        ("inputs modbus: lost: /dev/ttyUSB0: gone", "Eingänge modbus: AUSGEFALLEN: /dev/ttyUSB0: gone"),
        ("inputs modbus: answers again", "Eingänge modbus: antwortet wieder"),
        ("silent: controller at 10.0.0.7:161: no answer", "stumm: controller at 10.0.0.7:161: no answer"),
        ("not running the pattern: over", "fährt das Programm nicht: vorbei"),
    ],
)
def test_the_daemons_sentences_in_german(english: str, german: str) -> None:
    assert retold(english, Lang.DE) == german
    assert retold(english, Lang.EN) == english


def test_what_the_supervisor_really_says_is_known() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    said = [supervisor.override(Mode.FIXED, 10_000, "anna", "roadworks", 0), supervisor.tick(10_000)]
    supervisor.report(Event.OPTIMIZER_LOST, 20_000, "x")
    supervisor.report(Event.OPTIMIZER_RECOVERED, 21_000, "y")
    said.append(supervisor.tick(90_000))
    for change in said:
        assert change is not None
        assert retold(change.why, Lang.DE) != change.why, change.why


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({}, None),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "de_DE.UTF-8"}, Lang.DE),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "de_AT"}, Lang.DE),
        ({"LANG": "fr_FR.UTF-8"}, Lang.EN),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, Lang.EN),
    ],
)
def test_the_language_of_the_environment(environment: dict[str, str], lang: Lang | None) -> None:
    assert language_of(environment) is lang


def test_no_template_eats_another() -> None:
    """A sentence that is made of a template is said by that template's German one."""
    for key, (english, german) in SAID.items():
        parts = dict.fromkeys(re.findall(r"\{(\w+)\}", english), "Q")
        if key not in ("stay_same", "rival_same", "arrives"):
            assert retold(english.format(**parts), Lang.DE) == german.format(**parts), key


TELLING = {"tell", "report", "_report", "_lose", "_garbage"}


def sentences() -> Iterator[tuple[str, str]]:
    """Yield where the guard and its parts tell a sentence, and the sentence with Q for what is filled in."""
    for path in sorted((Path(said_words.__file__).parent).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TELLING:
                for argument in node.args[:2]:
                    match argument:
                        case ast.JoinedStr(values=values):
                            parts = [str(v.value) if isinstance(v, ast.Constant) else "Q" for v in values]
                            yield f"{path.name}:{node.lineno}", "".join(parts)
                        case ast.Constant(value=str(text)) if " " in text:
                            yield f"{path.name}:{node.lineno}", text
                        case _:
                            continue


def kinds() -> set[str]:
    """Return the kinds of events that the guard and its parts tell, and a controller's alarms."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(said_words.__file__).parent.glob("*.py"))
    return {*re.findall(r'tell\("(\w+)"', sources), *Event, *Alarm}


def test_every_kind_of_event_has_a_name_in_both_languages() -> None:
    assert len(kinds()) > 30
    assert sorted(kinds() - NAMES.keys()) == []


def test_what_the_guard_tells_is_known_in_german() -> None:
    found = dict(sentences())
    assert len(found) > 12
    made_of_names_alone = re.compile(r"[Q:, ;]*")
    assert [f"{where}: {text}" for where, text in found.items() if retold(text, Lang.DE) == text and not made_of_names_alone.fullmatch(text)] == []

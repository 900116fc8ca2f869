"""Where the tests find real nets (inside installed packages), and a writer for tiny ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

RESCO_NAMES = ("arterial4x4", "cologne1", "cologne3", "cologne8", "grid4x4", "ingolstadt1", "ingolstadt21", "ingolstadt7")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def resco(name: str) -> Path:
    """Return the net of a RESCO scenario, found without importing the package."""
    return _package("sumo_rl") / "nets" / "RESCO" / name / f"{name}.net.xml"


def rilsa(number: int) -> tuple[Path, Path]:
    """Return net and programme of a RiLSA example."""
    folder = _package("sumo") / f"tools/sumolib/scenario/scenarios/RealWorld/RiLSA_example{number}"
    return folder / f"rilsa{number}.net.xml", folder / f"rilsa{number}_tls.add.xml"


def game() -> list[tuple[Path, tuple[Path, ...]]]:
    """Return the nets of SUMO's games, and those with additional programmes a second time with them."""
    folder = _package("sumo") / "tools/game"
    nets = [(path, ()) for path in sorted(folder.glob("*/*.net.xml*"))]
    extra = {
        "cross/cross.net.xml": "cross/cross.tls.add.xml",
        "fkk_in/ingolstadt.net.xml.gz": "fkk_in/fkk_in.tls.add.xml",
        "fokr_bs_demo/fokr_bs.net.xml.gz": "fokr_bs_demo/signalPlan.add.xml",
        "square/square.net.xml": "square/square.tll.xml",
        "grid6/grid6.net.xml": "grid6/grid6.tll.xml",
    }
    return [*nets, *((folder / net, (folder / add,)) for net, add in extra.items())]


def all_nets() -> list[tuple[Path, tuple[Path, ...]]]:
    """Return every net that must import, with the additional files that bring programmes."""
    return [*((resco(n), ()) for n in RESCO_NAMES), *((net, (add,)) for net, add in map(rilsa, range(1, 5))), *game()]


def tiny_net(
    path: Path,
    phases: Sequence[str],
    *,
    stop_m: float = 100.0,
    inside_m: float = 10.0,
    tl_type: str = "static",
    extra: str = "",
    foes: tuple[str, str, str] = ("100", "100", "011"),
    response: tuple[str, str, str] = ("000", "100", "000"),
    disallow: str = "",
) -> Path:
    """Write a junction J: link 0 W -> E, link 1 S -> N, link 2 W -> N (yields to link 1). Return ``path``.

    W is reached from F over junction M (``inside_m`` long), where a U-turn from -W also leads onto it. S begins in the net.
    The requests count W -> E, W -> N, S -> N.
    """
    shapes = {"W": "-110,0 -10,0", "S": "0,-210 0,-10", "E": "10,0 110,0", "N": "0,10 0,110", "F": "-330,0 -120,0"}
    ends = {"W": ("M", "J"), "S": ("s", "J"), "E": ("J", "e"), "N": ("J", "n"), "F": ("f", "M"), "-W": ("J", "M"), "-F": ("M", "f")}
    shapes |= {"-W": "-10,5 -110,5", "-F": "-120,5 -330,5"}
    length = {"W": stop_m, "S": 200.0, "E": 100.0, "N": 100.0, "F": 210.0, "-W": 100.0, "-F": 210.0}
    lane = '<lane id="{0}_0" index="0" speed="{3}" length="{1}" shape="{2}" {4}/>'
    edges = "".join(
        f'<edge id="{e}" from="{ends[e][0]}" to="{ends[e][1]}">' + lane.format(e, length[e], shapes[e], 13.89, disallow if e == "S" else "") + "</edge>"
        for e in shapes
    )
    inside = {":J_0": "-10,0 10,0", ":J_1": "0,-10 0,10", ":J_2": "-10,0 0,10", ":M_0": "-120,0 -110,0"}
    edges += "".join(
        f'<edge id="{e}" function="internal">' + lane.format(e, inside_m if e == ":M_0" else 20.0, s, 13.89, "") + "</edge>" for e, s in inside.items()
    )
    requests = "".join(f'<request index="{k}" response="{response[k]}" foes="{foes[k]}" cont="0"/>' for k in range(3))
    junctions = f'<junction id="J" type="traffic_light" x="0" y="0" incLanes="W_0 S_0" intLanes="">{requests}</junction>'
    junctions += '<junction id="M" type="priority" x="0" y="0" incLanes="F_0 -W_0" intLanes=""/>'
    connection = '<connection from="{}" to="{}" fromLane="0" toLane="0" via="{}_0" {} dir="{}" state="o"/>'
    connections = [
        connection.format("W", "E", ":J_0", 'tl="J" linkIndex="0"', "s"),
        connection.format("W", "N", ":J_2", 'tl="J" linkIndex="2"', "l"),
        connection.format("S", "N", ":J_1", 'tl="J" linkIndex="1"', "s"),
        connection.format("F", "W", ":M_0", "", "s"),
        connection.format("-W", "W", ":M_0", "", "t"),
        connection.format("-W", "-F", ":M_0", "", "s"),
    ]
    programme = "".join(f'<phase duration="{p.split()[0]}" state="{p.split()[1]}"/>' for p in phases)
    logic = f'<tlLogic id="J" type="{tl_type}" programID="0" offset="0">{programme}</tlLogic>' if phases else ""
    path.write_text(f"<net>{edges}{logic}{junctions}{''.join(connections)}{extra}</net>", encoding="utf-8")
    return path

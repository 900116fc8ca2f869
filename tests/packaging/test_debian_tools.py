"""`.ci/debian_tools` installs for root and tells others the one line; the marker ``tools`` leaves out, or fails in CI."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support_tools import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "debian_tools"


def tool(folder: Path, name: str, body: str = "exit 0") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """Return a folder that stands for the whole path of a machine with every tool but socat and mbpoll."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    for name in set(PACKAGES) - {"socat", "mbpoll"}:
        tool(folder, name)
    for name in ("chmod", "rm"):
        (folder / name).symlink_to(f"/bin/{name}")
    return folder


def check(fakes: Path) -> subprocess.CompletedProcess[str]:
    text = SCRIPT.read_text(encoding="utf-8").replace(":/usr/sbin:/sbin", "")
    environment = {"PATH": str(fakes), "POLICY_RC_D": str(fakes / "policy-rc.d")}
    return subprocess.run(["/bin/bash", "-c", text], env=environment, check=False, capture_output=True, text=True)


def test_both_lists_are_one() -> None:
    assert dict(re.findall(r"^    ([\w-]+):([\w-]+)$", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)) == PACKAGES


def test_a_user_is_told_the_line(fakes: Path) -> None:
    tool(fakes, "id", "echo 1000")
    done = check(fakes)
    assert done.returncode == 1
    assert "\n    apt-get install --no-install-recommends mbpoll socat\n" in done.stderr


def test_root_gets_them_without_a_service_started(fakes: Path, tmp_path: Path) -> None:
    tool(fakes, "id", "echo 0")
    made = f'printf "#!/bin/sh\\n" > {fakes}/socat; printf "#!/bin/sh\\n" > {fakes}/mbpoll; chmod +x {fakes}/socat {fakes}/mbpoll'
    tool(fakes, "apt-get", f'echo "$@" >> {tmp_path}/calls; [ "$1" = update ] || {{ {fakes}/policy-rc.d; echo "policy $?" >> {tmp_path}/calls; {made}; }}')
    done = check(fakes)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends mbpoll socat",
        "policy 101",
    ]
    assert not (fakes / "policy-rc.d").exists()


def test_root_is_told_when_installing_did_not_help(fakes: Path) -> None:
    tool(fakes, "id", "echo 0")
    tool(fakes, "apt-get", "exit 100")
    done = check(fakes)
    assert done.returncode == 1
    assert "mbpoll socat" in done.stderr


def test_nothing_missing_says_nothing(fakes: Path) -> None:
    tool(fakes, "socat")
    tool(fakes, "mbpoll")
    done = check(fakes)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def a_test_that_needs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a pytester with our conftest, a test that needs socat, and a path without it."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]', ""))
    support = (ROOT / "tests" / "support_tools.py").read_text(encoding="utf-8")
    pytester.makepyfile(support_tools=support.replace(":/usr/sbin:/sbin", ""))
    pytester.makepyfile(test_it='import pytest\n\n@pytest.mark.tools("socat")\ndef test_a():\n    pass\n\ndef test_b():\n    pass\n')
    pytester.makeini("[pytest]\nmarkers = tools(name, ...): needs programs\n")
    monkeypatch.setenv("PATH", str(pytester.path))
    monkeypatch.delenv("CI", raising=False)
    return pytester


def test_without_the_program_it_is_left_out_and_said(a_test_that_needs: pytest.Pytester) -> None:
    done = a_test_that_needs.runpytest_inprocess()
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.fnmatch_lines(["*did not run; install: apt-get install --no-install-recommends *socat*"])


def test_in_ci_it_fails(a_test_that_needs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "yes")
    done = a_test_that_needs.runpytest_inprocess()
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*expected socat on the path; install: apt-get install --no-install-recommends socat"])


def test_with_the_program_it_runs(a_test_that_needs: pytest.Pytester) -> None:
    tool(a_test_that_needs.path, "socat")
    a_test_that_needs.runpytest_inprocess().assert_outcomes(passed=2)

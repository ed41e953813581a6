"""`make peers`: other people's checks run over the pack; results in docs/peers.md. ONLY=<name,name> runs some of them.

They live in an environment of their own, .cache/peers, pinned by tools/lock/peers.txt. Behind its packages it sees those of
.venv: the host's tests need both.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ..comfyui.client import ComfyClient
from ..comfyui.environment import prepare
from ..comfyui.hosts import MAIN
from ..comfyui.install import LOCK, ROOT, SetupError, digest, is_complete, put_behind, remove
from ..comfyui.server import free_port
from ..workflows.examples import EXAMPLES
from ..workflows.ui_to_api import with_defaults, without_blocks
from .archive import archive_files, snapshot
from .installation import Installation, by_git, by_registry, copy_host

ENVIRONMENT = ROOT / ".cache" / "peers"
PYTHON = ENVIRONMENT / "bin" / "python"
RESULTS = ROOT / "docs" / "peers.md"
CHECKS = Path(__file__).with_name("peer_checks.py")
TEST_DEADLINE = 3000  # seconds for one run of the host's tests
NOTE_LIMIT = 500  # characters
NOT_JUDGED = {
    "coverage": "reads NODE_CLASS_MAPPINGS only, so it sees no node of a V3 pack",
    "instantiation": "reads NODE_CLASS_MAPPINGS only, so it sees no node of a V3 pack",
    "validation": "takes the value after a seed for the next input's, in the host's own KSampler too, knows no "
    "MarkdownNote, and wants every checkpoint present; the row on conversion covers what it is for",
    "static_capture, execution_light, execution": "not run: they steer a browser that Playwright downloads; "
    "tests/browser and the golden workflows do what they do",
    "custom": "not run: it calls a pack's own hook; there is none",
}


@dataclass(frozen=True)
class Finding:
    """One row of the report: what was checked, whether it passed (None: it cannot judge this pack), and what it said."""

    check: str
    passed: bool | None
    note: str

    @property
    def verdict(self) -> str:
        return {True: "ok", False: "**no**", None: "not judged"}[self.passed]


def make_environment() -> None:
    lock = LOCK / "peers.txt"
    stamp, content = ENVIRONMENT / "complete", digest(lock)
    if is_complete(stamp, content):
        return
    print("Installing the pinned checks into .cache/peers …", flush=True)
    remove(ENVIRONMENT)
    venv.create(ENVIRONMENT, with_pip=True)
    pinned = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    subprocess.run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned], check=True)
    put_behind(ENVIRONMENT)
    stamp.write_text(content)


def version_of(package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([str(PYTHON), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def ask(*arguments: str):
    """The answer of tools/release/peer_checks.py."""
    done = subprocess.run([str(PYTHON), str(CHECKS), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SetupError(f"peer_checks {arguments[0]} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def validate(repository: Path, scratch: Path) -> list[Finding]:
    command = [str(ENVIRONMENT / "bin" / "comfy"), "--skip-prompt", "--no-enable-telemetry", "node", "validate"]
    home = os.environ | {"HOME": str(scratch), "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=repository, env=home, capture_output=True, text=True)
    said = done.stdout + done.stderr
    clean = done.returncode == 0 and "All validation checks passed" in said and "arning" not in said
    return [Finding(f"`comfy node validate` (comfy-cli {version_of('comfy-cli')})", clean, "clean" if clean else said.strip())]


def archive(repository: Path, scratch: Path) -> list[Finding]:
    theirs, ours = set(ask("archive", str(repository), str(scratch / "theirs.zip"))), set(archive_files(repository))
    note = f"{len(ours)} files" if theirs == ours else f"differ in {', '.join(sorted(theirs ^ ours))}"
    return [Finding("`comfy node publish` packs the archive that `make archive` packs", theirs == ours, note)]


def on_a_server(repository: Path, scratch: Path) -> list[Finding]:
    """The checks that need the pack on a running server: comfy-test's levels, comfy-cli's conversion."""
    installation = Installation(by_registry, repository, scratch / "base")
    try:
        return [*conversion(installation, scratch), *comfy_test(installation)]
    finally:
        installation.stop()


def conversion(installation: Installation, scratch: Path) -> list[Finding]:
    info = ComfyClient(installation.server.url).object_info()
    (scratch / "object_info.json").write_text(json.dumps(info))
    theirs = ask("convert", str(scratch / "object_info.json"), str(installation.pack / "example_workflows"))
    ours = {name: with_defaults(example.as_shipped().api(), info) for name, example in EXAMPLES.items()}
    different = [name for name in ours if without_blocks(without_titles(theirs[name])) != ours[name]]
    note = f"{len(theirs)} templates" if not different else f"differ: {', '.join(different)}"
    return [Finding("comfy-cli's UI to API conversion gives our own API form", not different, note)]


def without_titles(prompt: dict) -> dict:
    return {node_id: {key: value for key, value in node.items() if key != "_meta"} for node_id, node in prompt.items()}


def comfy_test(installation: Installation) -> list[Finding]:
    results = ask("levels", str(installation.pack), installation.server.url, str(installation.server.folder))
    name = f"comfy-test {version_of('comfy-test')}"
    findings = []
    for level, result in results.items():
        said = [line.strip() for line in result["log"] if line.strip() and "[DEBUG]" not in line]
        note = "; ".join(said) if level in ("warnings", "hazards") else ""
        passed = result["outcome"] == "ok"
        findings.append(Finding(f"{name}, {level}", passed, note if passed else result["outcome"]))
    return findings + [Finding(f"{name}, {levels}", None, reason) for levels, reason in NOT_JUDGED.items()]


def host_tests(folder: str, extra: list[str]) -> Callable[[Path, Path], list[Finding]]:
    """The host's own tests in a copy of it, without the pack and with it: the same outcome for every test."""

    def check(repository: Path, scratch: Path) -> list[Finding]:
        outcomes = {}
        for way in ("without", "with"):
            host = copy_host(scratch / f"{folder.replace('/', '-')}-{way}")
            be_patient(host)
            if way == "with":
                by_git(host / "custom_nodes", repository)
            outcomes[way] = run_tests(host, folder, extra)
        without, having = outcomes["without"], outcomes["with"]
        changed = [
            f"{test}: {without.get(test, 'absent')} → {having.get(test, 'absent')}"
            for test in sorted(without.keys() | having.keys())
            if without.get(test) != having.get(test)
        ]
        counts = ", ".join(f"{list(without.values()).count(kind)} {kind}" for kind in sorted(set(without.values())))
        failing = [test for test, outcome in without.items() if outcome in ("failed", "error")]
        note = f"{len(without)} tests; without the pack: {counts}"
        note += f" ({', '.join(failing[:8])}{' …' if len(failing) > 8 else ''})" if failing else ""
        return [Finding(f"ComfyUI's `{folder}`: same results", bool(without) and not changed, "; ".join([note, *changed]))]

    return check


def be_patient(host: Path) -> None:
    """Let the copied tests try for two minutes to reach their server, instead of 20 seconds: nothing else of them changes."""
    for path in (host / "tests" / "execution").glob("test_*.py"):
        path.write_text(path.read_text().replace("n_tries = 5\n", "n_tries = 30\n"))


def run_tests(host: Path, folder: str, extra: list[str]) -> dict[str, str]:
    """Outcome by test name."""
    report = host.parent / f"{host.name}.xml"
    env = os.environ | {"PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = [str(PYTHON), "-m", "pytest", folder, "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *extra]
    with open(host.parent / f"{host.name}.log", "w") as log:
        subprocess.run(command, cwd=host, env=env, stdout=log, stderr=log, timeout=TEST_DEADLINE)
    if not report.is_file():
        raise SetupError(f"The host's {folder} gave no report; its last lines:\n{Path(log.name).read_text()[-2000:]}")
    return {
        f"{case.get('classname')}::{case.get('name')}": outcome(case) for case in ElementTree.parse(report).iter("testcase")
    }


def outcome(case: ElementTree.Element) -> str:
    found = {child.tag for child in case}
    return next(
        (word for tag, word in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")) if tag in found), "passed"
    )


CHECK = {
    "validate": validate,
    "archive": archive,
    "server": on_a_server,
    "tests-unit": host_tests("tests-unit", ["-p", "no:aiohttp_fixtures"]),
    "execution": host_tests("tests/execution", ["-m", "execution", "--skip-timing-checks", "--port", str(free_port())]),
}


def report(findings: list[Finding]) -> str:
    head = (
        "# Other people's checks\n\n"
        f"Written by `make peers`, {date.today()}, Python {platform.python_version()}, ComfyUI {MAIN}, CPU.\n\n"
        "| check | | |\n|---|---|---|\n"
    )
    return head + "".join(f"| {f.check} | {f.verdict} | {cell(f.note)} |\n" for f in findings)


def cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= NOTE_LIMIT else line[:NOTE_LIMIT] + " …"


def main() -> int:
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    findings = []
    try:
        prepare()
        make_environment()
        with tempfile.TemporaryDirectory(prefix="time-diffedit-peers-") as folder:
            repository = snapshot(Path(folder) / "repository")
            for name in only or CHECK:
                scratch = Path(folder) / name
                scratch.mkdir()
                print(f"{name} …", flush=True)
                for finding in CHECK[name](repository, scratch):
                    findings.append(finding)
                    print(f"  {finding.check}: {finding.verdict}: {cell(finding.note)}", flush=True)
    except SetupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    if not only:
        RESULTS.write_text(report(findings))
    return 1 if any(finding.passed is False for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())

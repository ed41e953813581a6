"""Other people's checks, called as libraries inside the environment of `make peers`. Prints its result as one line of JSON.

peer_checks.py convert <object_info.json> <workflows folder>
peer_checks.py archive <repository> <archive.zip>
peer_checks.py levels <pack> <server's address> <folder with server.log>
"""

# pyright: reportMissingImports=false
# Those packages are in the environment of `make peers` only, where no type checker runs.

import json
import os
import sys
from pathlib import Path


def convert(object_info: str, folder: str) -> dict:
    """comfy-cli's prompt for every UI workflow."""
    from comfy_cli.workflow_to_api import convert_ui_to_api

    info = json.loads(Path(object_info).read_text())
    return {path.stem: convert_ui_to_api(json.loads(path.read_text()), info) for path in sorted(Path(folder).glob("*.json"))}


def archive(repository: str, path: str) -> list[str]:
    """The names in the archive that comfy-cli would publish."""
    import zipfile

    from comfy_cli.file_utils import zip_files

    os.chdir(repository)
    zip_files(path)
    with zipfile.ZipFile(path) as packed:
        return packed.namelist()


def levels(pack: str, address: str, log_folder: str) -> dict:
    """The levels of comfy-test that understand a V3 pack, on a running server: "ok" or the error of each, and its log."""
    from comfy_test.common.config import TestConfig
    from comfy_test.common.errors import TestError
    from comfy_test.orchestration import levels as every
    from comfy_test.orchestration.context import LevelContext

    os.environ["COMFY_TEST_LOGS_DIR"] = log_folder
    folder = Path(pack)
    context = LevelContext(
        TestConfig(name=folder.name), folder, "linux", lambda message: None, Path(log_folder), server_url=address
    )
    results = {}
    for name in ("syntax", "warnings", "hazards", "install", "registration", "javascript"):
        lines: list[str] = []
        try:
            context = getattr(every, f"run_{name}")(context.with_updates(log=lambda message, to=lines: to.append(str(message))))
            outcome = "ok"
        except TestError as error:
            outcome = f"{error.message} {error.details or ''}"
        results[name] = {"outcome": outcome, "log": lines}
    return results


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    answer = {"convert": convert, "archive": archive, "levels": levels}[command](*arguments)
    print(json.dumps(answer))

"""The browser for the tests of what people see: $CHROMIUM, one that is installed, or Debian's, installed here."""

import os
import shutil
import subprocess
import sys

from .install import SetupError, make_and_say

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-liberation")
REMEDY = "Install Chromium, or give the path of a Chromium or Chrome in CHROMIUM=."


def find_chromium() -> str | None:
    given = os.environ.get("CHROMIUM")
    if given and not shutil.which(given):
        raise SetupError(f"CHROMIUM={given} is no program. Give the path of a Chromium or Chrome.")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


def prepare_chromium() -> str:
    """The browser's path, after installing it where that needs no password.

    Raises:
        SetupError: there is none, and it cannot be installed.
    """
    if found := find_chromium():
        return found
    if not shutil.which("apt-get"):
        raise SetupError(f"No browser for the tests. {REMEDY}")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print("Installing Chromium …", flush=True)
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        said = subprocess.run(
            [*rights, *command], capture_output=True, text=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        )
        if said.returncode:
            last = (said.stdout + said.stderr).strip().splitlines()[-1:]
            raise SetupError(f"`{' '.join(command)}` failed: {' '.join(last)} {REMEDY}")
    found = find_chromium()
    if not found:
        raise SetupError(f"apt-get installed no {NAMES[0]}. {REMEDY}")
    return found


if __name__ == "__main__":
    sys.exit(make_and_say("Browser", prepare_chromium))

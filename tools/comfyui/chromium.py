"""The browser for the tests of what people see: $CHROMIUM, one that is installed, or Debian's, installed here; and the fonts of
the languages that the pack speaks."""

import os
import shutil
import subprocess
import sys

from .install import SetupError, make_and_say

NAMES = ("chromium", "chromium-browser", "google-chrome")
FONTS = ("fonts-droid-fallback",)
BROWSER = ("chromium", "fonts-liberation", *FONTS)
BROWSER_REMEDY = "Install Chromium, or give the path of a Chromium or Chrome in CHROMIUM=."
FONTS_REMEDY = "Install a font with Chinese and Japanese characters."


def find_chromium() -> str | None:
    given = os.environ.get("CHROMIUM")
    if given and not shutil.which(given):
        raise SetupError(f"CHROMIUM={given} is no program. Give the path of a Chromium or Chrome.")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


def prepare_chromium() -> str:
    """The browser's path, after installing what lacks where that needs no password.

    Raises:
        SetupError: there is none, or no font for Chinese and Japanese, and it cannot be installed.
    """
    if not find_chromium():
        _install("Chromium", BROWSER, BROWSER_REMEDY)
    if _lacks_fonts():
        _install("a font for Chinese and Japanese", FONTS, FONTS_REMEDY)
    found = find_chromium()
    if not found:
        raise SetupError(f"apt-get installed no {NAMES[0]}. {BROWSER_REMEDY}")
    return found


def _lacks_fonts() -> bool:
    """Of systems with fontconfig; others bring these fonts."""
    command = shutil.which("fc-list")
    return command is not None and not all(subprocess.check_output([command, f":lang={code}"]) for code in ("zh", "ja"))


def _install(what: str, packages: tuple[str, ...], remedy: str) -> None:
    if not shutil.which("apt-get"):
        raise SetupError(f"The browser's tests need {what}. {remedy}")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print(f"Installing {what} …", flush=True)
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]):
        said = subprocess.run(
            [*rights, *command], capture_output=True, text=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        )
        if said.returncode:
            last = (said.stdout + said.stderr).strip().splitlines()[-1:]
            raise SetupError(f"`{' '.join(command)}` failed: {' '.join(last)} {remedy}")


if __name__ == "__main__":
    sys.exit(make_and_say("Browser", prepare_chromium))

"""Archives of npm packages, pinned by their digest. Needs npm."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

from .install import SetupError


def download(package: str, integrity: str, folder: Path) -> Path:
    """The archive of `package` (name@version) in `folder`; one that lies there already is taken.

    Raises:
        SetupError: there is no npm, it cannot fetch the package, or the archive's digest is not `integrity`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name, version = package.removeprefix("@").rsplit("@", 1)
    archive = folder / f"{name.replace('/', '-')}-{version}.tgz"
    if not archive.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise SetupError(f"No npm found, which fetches {package}; install Node.js.")
        log = subprocess.run([npm, "pack", "--silent", package], cwd=folder, capture_output=True, text=True)
        if log.returncode:
            raise SetupError(f"npm cannot fetch {package}:\n{log.stderr.strip()}")
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        raise SetupError(f"{archive} is not the pinned archive: {found}. Delete it and run the command again.")
    return archive

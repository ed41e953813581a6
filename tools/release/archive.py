"""`make archive`: what the registry would get, as `comfy node publish` packs it: tracked files minus .comfyignore."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import tomllib

from ..comfyui.environment import ROOT

FOLDER = ROOT / ".cache"


def project(root: Path = ROOT) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())


def git_lines(root: Path, *arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()


def tracked_files(root: Path = ROOT) -> list[str]:
    return [path for path in git_lines(root, "ls-files") if (root / path).is_file()]


def archive_files(root: Path = ROOT) -> list[str]:
    left_out = set(git_lines(root, "ls-files", "--cached", "--ignored", "--exclude-from=.comfyignore"))
    return [path for path in tracked_files(root) if path not in left_out]


def write_archive(path: Path, root: Path = ROOT) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in archive_files(root):
            archive.write(root / name, name)


def snapshot(folder: Path, root: Path = ROOT) -> Path:
    """A git repository with one commit: the tracked files as they are now, to be cloned like the published one."""
    folder.mkdir(exist_ok=True)
    for name in tracked_files(root):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    author = {f"GIT_{who}_{what}": "pack" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for arguments in (["init", "-q"], ["add", "--all", "--force"], ["commit", "-q", "-m", "snapshot"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, env=os.environ | author)
    return folder


def sizes(path: Path) -> list[str]:
    """The archive's size and what makes it up, largest first."""
    by_part: Counter[str] = Counter()
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            by_part[entry.filename.partition("/")[0]] += entry.compress_size
        count = len(archive.infolist())
    lines = [f"{path.stat().st_size / 1024:8.0f} KiB  {path.name}, {count} files"]
    return lines + [f"{size / 1024:8.0f} KiB  {part}" for part, size in by_part.most_common()]


def main() -> int:
    about = project()["project"]
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{about['name']}-{about['version']}.zip"
    write_archive(path)
    print("\n".join(sizes(path)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the build adds to `pyproject.toml`: files from the top of the checkout go into the package, with the commit.

`locales/`, `icon/`, `docs/` and `zemosaic_config.json` stay where people look for them and exist once; a wheel holds
them as `zemosaic/resources/`, where `zemosaic.resources` finds them.
"""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from zemosaic.about import COMMIT_FILE, checked_out_commit  # noqa: E402 - the package need not be installed
from zemosaic.resources import FOLDER  # noqa: E402

SHIPPED = ("locales/*.json", "icon/*.png", "icon/*.ico", "docs/*.md", "zemosaic_config.json")


def commit() -> str:
    """Return the commit of this checkout, or the one that a source distribution was made from."""
    noted = ROOT / COMMIT_FILE
    return noted.read_text(encoding="ascii").strip() if noted.is_file() else checked_out_commit(ROOT)


class BuildWithResources(build_py):
    """Builds the package and puts the shipped files into it."""

    def run(self) -> None:
        if not self.editable_mode:
            # What an earlier build left there may have been renamed or removed since.
            shutil.rmtree(Path(self.build_lib) / "zemosaic", ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for target, source in self._shipped().items():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            self._commit_file().write_text(commit() + "\n", encoding="ascii")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        more = [] if self.editable_mode else [*self._shipped(), self._commit_file()]
        return [*super().get_outputs(include_bytecode), *(str(path) for path in more)]

    def _folder(self) -> Path:
        return Path(self.build_lib) / "zemosaic" / FOLDER

    def _commit_file(self) -> Path:
        return self._folder() / COMMIT_FILE

    def _shipped(self) -> dict[Path, Path]:
        found = [path for pattern in SHIPPED for path in sorted(ROOT.glob(pattern))]
        return {self._folder() / path.relative_to(ROOT): path for path in found}


class SdistWithCommit(sdist):
    """Notes the commit in the source distribution, which has no `.git`."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        noted = Path(base_dir) / COMMIT_FILE
        noted.unlink(missing_ok=True)
        noted.write_text(commit() + "\n", encoding="ascii")


setup(cmdclass={"build_py": BuildWithResources, "sdist": SdistWithCommit})

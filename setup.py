"""What pyproject.toml cannot say: two top-level folders and a file are installed in the package."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

CHANGES = "CHANGELOG.md"


class BuildWithChanges(build_py):
    """Adds the change log, which the program reads after an upgrade."""

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), CHANGES]

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_file(CHANGES, str(Path(self.build_lib, "app")))


setup(
    packages=[*find_packages(include=["app", "app.*"]), "app.migrations", "app.resources"],
    package_dir={"app.migrations": "migrations", "app.resources": "resources"},
    package_data={"app.migrations": ["versions/*.py"], "app.resources": ["**/*"]},
    cmdclass={"build_py": BuildWithChanges},
)

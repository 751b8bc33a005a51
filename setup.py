"""What pyproject.toml cannot say: two top-level folders are installed inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["app", "app.*"]), "app.migrations", "app.resources"],
    package_dir={"app.migrations": "migrations", "app.resources": "resources"},
    package_data={"app.migrations": ["versions/*.py"], "app.resources": ["**/*"]},
)

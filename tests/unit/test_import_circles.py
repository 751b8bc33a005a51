"""No module and no room imports itself by way of others, also not inside a function."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest
from grimp import ImportGraph


@pytest.fixture(scope="module")
def graph() -> ImportGraph:
    """Who imports whom; what is only imported for type checking is left out."""
    return grimp.build_graph("app", exclude_type_checking_imports=True, cache_dir=None)


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the one before, the first again at the end; or none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def rooms(graph: ImportGraph) -> Iterator[dict[str, set[str]]]:
    """For each package, which of its modules and packages imports which other."""
    for package in sorted(graph.modules):
        members = {
            module: child
            for child in graph.find_children(package)
            for module in {child, *graph.find_descendants(child)}
        }
        imports: dict[str, set[str]] = {child: set() for child in graph.find_children(package)}
        for module, child in members.items():
            for imported in graph.find_modules_directly_imported_by(module):
                other = members.get(imported, child)
                if other != child:
                    imports[child].add(other)
        yield imports


def test_no_module_imports_itself_by_way_of_others(graph: ImportGraph) -> None:
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imports) > 200
    assert circle(imports) == []


def test_no_room_imports_itself_by_way_of_others(graph: ImportGraph) -> None:
    assert [found for imports in rooms(graph) if (found := circle(imports))] == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]

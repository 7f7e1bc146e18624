"""docs/observability.md says what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from runtime.catalogue import CATALOGUE, Definition

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observability.md"
HEAD = "| name | kind | unit | attributes | what |\n|---|---|---|---|---|\n"


def row(definition: Definition) -> str:
    attributes = ", ".join(f"`{attribute}`" for attribute in definition.attributes)
    unit = definition.unit.strip("{}")
    return f"| `{definition.name}` | {definition.kind} | {unit} | {attributes} | {definition.description} |\n"


def test_the_table_is_the_catalogue() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("<!-- catalogue -->\n")[2].partition("<!-- /catalogue -->")[0]
    assert table == HEAD + "".join(row(definition) for definition in CATALOGUE)

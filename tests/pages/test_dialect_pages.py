"""``docs/dialects``: the committed pages are what the tables say, and no row is on none of them.

Proves that pages and tables agree. Does not prove that tables and SDKs do.
"""

from pathlib import Path

from collector.model.dialects import table_files
from collector.model.dialects.messages import content_tables as content
from collector.pages import dialects

DOCS = Path(__file__).parents[2] / "docs/dialects"


def test_the_committed_pages_are_those_of_the_tables():
    committed = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    made = dialects.pages()
    stale = sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))
    assert stale == [], "run `make docs`"


def test_every_table_says_what_it_is_about():
    assert [file.table for file in table_files.files() if not (file.title and file.about)] == []


def test_every_content_row_is_on_a_page():
    files = table_files.files()
    assert [row for row in content.rows() if not any(dialects.is_of(file, row) for file in files)] == []


def test_a_page_tells_detection_sources_conditions_and_meanings(tmp_path):
    dialects.write(tmp_path)
    text = (tmp_path / "langfuse.md").read_text()
    for said in (
        "- has `langfuse.*`",
        "| `type` | `langfuse.observation.type` | `span` → generation | scope `langfuse-sdk`;",
        "| `input` | `langfuse.observation.input` | `declared` |",
        "| `langfuse.observation.usage_details` | says all by itself |",
    ):
        assert said in text
    openlit = (tmp_path / "openlit.md").read_text()
    assert "| `openlit_anthropic` | no | yes | scope `openlit.instrumentation.anthropic`," in openlit
    assert "`gen_ai.usage.input_tokens` ([otel_genai](otel_genai.md)) > " in (tmp_path / dialects.INDEX).read_text()


def test_a_page_of_a_table_that_is_gone_goes(tmp_path):
    (tmp_path / "gone.md").write_text("x")
    dialects.write(tmp_path)
    assert not (tmp_path / "gone.md").exists()

"""The pages of documentation: their length, their index, and the links between them."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "bench/results/README.md")),
    *ROOT.glob("engine/**/README.md"), *DOCS, *ROOT.glob("skills/**/*.md"),
]  # fmt: skip
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text("utf-8")))


def anchors(page):
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_or_folder_and_to_a_heading_that_it_has(page):
    for link in links(page):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_lists_every_page_of_the_folder_once():
    listed = [link for link in links(ROOT / "docs/index.md") if "/" not in link]
    assert sorted(listed) == [page.name for page in DOCS if page.name != "index.md"]


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_every_page_says_first_for_whom_it_is(page):
    assert re.match(r"# .+\n\nFor \w", page.read_text("utf-8"))


def test_the_readme_is_short_and_narrow():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= 900
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("skill", sorted(ROOT.glob("skills/*/SKILL.md")), ids=name_of)
def test_a_skill_has_the_form_that_agents_read(skill):
    text = skill.read_text("utf-8")
    head = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", head["name"])
    assert head["name"] == skill.parent.name
    assert len(head["name"]) <= 64
    assert 0 < len(head["description"]) <= 1024
    assert "Use it when" in head["description"]
    assert len(text.splitlines()) < 500

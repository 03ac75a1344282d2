"""A preprocessor of mdBook, for the two books of docs/: links lead to pages of the books, and no link to nowhere.

The chapters are written for who reads the files, so they link to what lies beside docs/: guides in compat/, READMEs of examples.
Such Markdown files become pages of the book too, behind its chapters. Where a link leads is decided by one function, `site`:

    docs/services.md          services.md                     compat/QUIRKS.md     project/compat/QUIRKS.md
    docs/zh/services.md       zh/services.md                  compat/SWAP.zh.md    zh/project/compat/SWAP.md

Other files, sources for instance, have no page: links to them go to `[preprocessor.project] repository = "https://.../blob/main"`,
or are left out, without one.
"""

import json
import os
import re
import sys

DOCS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(DOCS)
LINK = re.compile(r"\[([^\[\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(```.*?```)", re.DOTALL)
TITLES = {"en": "Other pages of the project", "zh-CN": "项目的其他页"}


def site(path):
    """Where the page of a file is, from the root of both books; None if it has none. `path` is from the root of the tree."""
    if not path.endswith(".md") or path.endswith("SUMMARY.md") or not os.path.isfile(os.path.join(ROOT, path)):
        return None
    if path.startswith("docs/"):
        path = path[len("docs/") :]
    elif path.endswith(".zh.md"):
        path = "zh/project/" + path[: -len(".zh.md")] + ".md"
    else:
        path = "project/" + path
    return re.sub(r"(^|/)README\.md$", r"\1index.md", path)


class Book:
    """One of the books, while its chapters are rewritten."""

    def __init__(self, language, repository):
        self.chinese = language != "en"
        self.repository = repository
        self.linked = []

    def rewrite(self, text, path):
        """The text of the file at `path` with its links as the page needs them; code stays as it is."""

        def mend(match):
            label, target = match[1], match[2]
            if "://" in target or target.startswith(("#", "mailto:")):
                return match[0]
            file, mark, anchor = target.partition("#")
            there = os.path.normpath(os.path.join(os.path.dirname(path), file))
            page = site(there)
            if page is None:
                return f"[{label}]({self.repository}/{there}{mark}{anchor})" if self.repository else label
            if page.startswith("zh/") == self.chinese and "project/" in page and there not in self.linked:
                self.linked.append(there)
            link = os.path.relpath(page, os.path.dirname(site(path)) or ".")
            return f"[{label}]({link}{mark}{anchor})"

        pieces = CODE.split(text)
        return "".join(piece if piece.startswith("```") else LINK.sub(mend, piece) for piece in pieces)

    def pages(self):
        """Chapters for the linked files, and for those that these link to."""
        made = []
        for path in self.linked:  # grows meanwhile
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                text = file.read()
            name = re.search(r"^# (.*)", text, re.MULTILINE)
            made.append((path, name[1].replace("`", "") if name else path, self.rewrite(text, path)))
        return sorted(made)


def chapter(name, content, path, number, parents):
    """A chapter in mdBook's form."""
    return {
        "Chapter": {
            "name": name,
            "content": content,
            "number": number,
            "sub_items": [],
            "path": path,
            "source_path": None,
            "parent_names": parents,
        }
    }


def chapters(items):
    """All chapters, with those below others."""
    for item in items:
        found = item.get("Chapter") if isinstance(item, dict) else None
        if found:
            yield found
            yield from chapters(found["sub_items"])


def main():
    """Reads context and book from the standard input, and writes the book."""
    if sys.argv[1:2] == ["supports"]:
        return
    context, contents = json.load(sys.stdin)
    language = context["config"]["book"]["language"]
    source = os.path.relpath(context["root"], ROOT)
    inside = "zh/" if language != "en" else ""
    book = Book(language, context["config"]["preprocessor"]["project"].get("repository"))
    items = contents["items"]
    for found in chapters(items):
        if found.get("source_path"):
            found["content"] = book.rewrite(found["content"], os.path.join(source, found["source_path"]))
    made = book.pages()
    if made:
        title = TITLES[language]
        links = "".join(f"- [{name}]({site(path)[len(inside + 'project/') :]})\n" for path, name, _ in made)
        number = 1 + max(found["number"][0] for found in chapters(items) if found["number"])
        parent = chapter(title, f"# {title}\n\n{links}", "project/pages.md", [number], [])
        parent["Chapter"]["sub_items"] = [
            chapter(name, text, site(path)[len(inside) :], [number, place], [title])
            for place, (path, name, text) in enumerate(made, 1)
        ]
        items.append(parent)
    json.dump(contents, sys.stdout)


main()

#!/usr/bin/env python3
"""playground/build.py MODULE GLUE PAGE: joins the playground to one page without anything from elsewhere.

MODULE and GLUE are what wasm-bindgen makes of `js/` (`--target no-modules`). The scripts here are modules; in the page they are one
script, in an order in which whatever is imported comes first, so their names differ. The page forbids itself every request.
"""

import base64
import gzip
import hashlib
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
EXAMPLES = ["bank", "shop", "edge", "header-only", "mistakes"]
IMPORT = re.compile(r"^import (?:\* as (\w+)|\{([^}]*)\}) from '\./([\w-]+)\.js';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?function|const)", re.MULTILINE)


def modules(name, done):
    """This module behind those that it imports, each as a function that returns what it exports."""
    if name in done:
        return ""
    text = (HERE / f"{name}.js").read_text()
    done.add(name)
    before = "".join(modules(found[3], done) for found in IMPORT.finditer(text))
    inner = IMPORT.sub(lambda found: f"const {found[1] or '{' + found[2] + '}'} = modules['{found[3]}'];\n", text)
    names = re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, re.MULTILINE)
    inner = EXPORT.sub("", inner)
    if re.search(r"^(import|export)\b", inner, re.MULTILINE):
        sys.exit(f"playground/{name}.js: an import or export of a form that build.py does not know")
    return f"{before}modules['{name}'] = (() => {{\n{inner}return {{ {', '.join(names)} }};\n}})();\n"


def example(name):
    path = f"examples/{name}/graylane.yaml"
    return {"title": name, "layers": [[{"name": path, "text": (ROOT / path).read_text()}]]}


def as_json(value):
    """As JSON that cannot end the element that it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def main(module, glue, page):
    script = f"'use strict';\n{pathlib.Path(glue).read_text()}\nconst modules = {{}};\n{modules('main', set())}"
    if "</script" in script:
        sys.exit("a script contains the end of a script")
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    # Same bytes, same page: no time of day.
    packed = gzip.compress(pathlib.Path(module).read_bytes(), 9, mtime=0)
    policy = f"default-src 'none'; script-src 'sha256-{digest}' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    parts = {
        "csp": policy,
        "style": (ROOT / "cli/src/report/page.css").read_text() + (HERE / "page.css").read_text(),
        "examples": as_json([example(name) for name in EXAMPLES]),
        "wasm": base64.b64encode(packed).decode(),
        "script": script,
        "version": version,
    }
    text = re.sub(r"@(\w+)@", lambda found: parts[found[1]], (HERE / "page.html").read_text())
    page = pathlib.Path(page)
    # The command line is built again whenever its page is newer.
    if page.exists() and page.read_text() == text:
        return
    new = page.with_suffix(".new")
    new.write_text(text)
    new.replace(page)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: playground/build.py MODULE GLUE PAGE")
    main(*sys.argv[1:])

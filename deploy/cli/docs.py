"""`nestwork docs`: documents that are generated from the code."""

from __future__ import annotations

import typer

from deploy.cli.output import JsonOption, fail, out, print_document
from deploy.docs.build import build, generated, stale

docs_app = typer.Typer(no_args_is_help=True, help="Generate the documents of events and reason codes.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(docs_app, name="docs")


@docs_app.command("build")
def build_documents(as_json: JsonOption = False) -> None:
    """Write every generated document that is missing or stale."""
    changed = build()
    if as_json:
        print_document({"ok": True, "changed": changed, "documents": len(generated())})
        return
    for name in changed:
        out.print(name, markup=False)
    out.print(f"{len(changed)} of {len(generated())} documents changed", markup=False)


@docs_app.command("check")
def check_documents(as_json: JsonOption = False) -> None:
    """Exit with 1 when a generated document is missing, stale or left over."""
    found = stale()
    if found:
        fail(f"run `nestwork docs build`; stale: {', '.join(found)}", as_json=as_json, stale=found)
    if as_json:
        print_document({"ok": True, "stale": [], "documents": len(generated())})
        return
    out.print(f"{len(generated())} documents are up to date", markup=False)

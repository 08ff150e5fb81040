"""`models`: which models there are, adding one, and finding the head of a plain T5 that retrieves best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from reatt_cli.rendering import counted
from reatt_cli.session import Session, short_path
from reatt_cli.settings import command, registry

if TYPE_CHECKING:
    from reatt_cli import schemas
    from reatt_engine.folders import ModelFolder

Added = Annotated[
    str, typer.Argument(metavar="DIR|HUB_NAME", help="A model folder, or a name on the Hugging Face hub.")
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to call it; default: as it is called.")]
Sentences = Annotated[int, typer.Option("--sentences", min=10, metavar="N", help="How many masked sentences to try.")]
Choose = Annotated[bool, typer.Option("--choose", help="Write the best head into the model's config.")]
SHOWN_HEADS = 10


class ListByDefault(TyperGroup):
    """`reatt models` is `reatt models list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where no command stands."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    models = typer.Typer(cls=ListByDefault, rich_markup_mode=None)
    command(models, "list", example="reatt models list")(list_models)
    command(models, "add", example="reatt models add neulab/reatt-large-nq")(add)
    command(models, "probe", example="reatt models probe --model ~/models/t5-base", model=True)(probe)
    app.add_typer(models, name="models", help="List the models there are, add one, or probe one for its best head.")


def list_models(session: Session) -> None:
    """List the models that --model accepts by name, after the one of the store."""
    from reatt_cli import schemas
    from reatt_engine import models

    known = [_described(folder) for folder in [*_own(session), *models.installed(registry())]]
    result = schemas.Models(models=known, warnings=session.warnings)
    session.out.result(result, lambda: session.out.table([_row(model) for model in known]))
    session.out.note(counted(len(known), "model"))


def add(session: Session, source: Added, name: Name = None) -> None:
    """Copy a model to where --model finds it by name; the only command that converts, and the only one to download."""
    from reatt_cli import schemas
    from reatt_engine import convert

    with session.out.progress() as on_progress:
        added = convert.add(source, registry(), on_progress, name)
    if added.left_out:
        session.warn(f"left out {counted(len(added.left_out), 'weight')} that a T5 has no place for")
    result = schemas.Models(models=[_described(added.folder)], warnings=session.warnings)
    session.out.result(result, lambda: session.out.table([_row(result.models[0])]))


def probe(session: Session, sentences: Sentences = 200, choose: Choose = False) -> None:
    """Measure every head's retrieval on masked sentences of the store (paper, section 2.3); the best comes first."""
    from reatt_cli import schemas
    from reatt_engine import probe as probing

    model, device = session.model, session.settings.device
    if choose:
        probing.refuse_shared(model)
    with session.out.progress() as on_progress:
        report = probing.probe(session.library, model, on_progress, sentences=sentences, device=device)
    if choose:
        probing.choose(model, report.heads[0])
    heads = [schemas.ProbedHead(layer=h.layer, head=h.number, hit=h.hit, mrr=h.mrr) for h in report.heads]
    result = schemas.Probe(
        model=model.name, sentences=report.sentences, chunks=report.chunks, heads=heads, chosen=choose
    )
    session.out.result(result, lambda: _render_probe(session, result))


def _render_probe(session: Session, result: schemas.Probe) -> None:
    """Print the best heads, and what to do with the first."""
    rows = [
        (f"retrieval_layer {head.layer}", f"retrieval_head {head.head}", f"MRR {head.mrr:.3f}", f"hit@1 {head.hit:.3f}")
        for head in result.heads[:SHOWN_HEADS]
    ]
    session.out.table(rows)
    done = "written into its config.json" if result.chosen else "with --choose, the first is written into its config"
    session.out.note(f"{result.model}: {result.sentences} sentences among {result.chunks} chunks; {done}")


def _own(session: Session) -> list[ModelFolder]:
    """Find the model of the store; one that is missing is no reason to hide the others."""
    from reatt_store.errors import ModelError

    if not session.exists or session.library.generation() is None:
        return []
    try:
        return [session.model]
    except ModelError as error:
        session.warn(error.message)
        return []


def _described(folder: ModelFolder) -> schemas.KnownModel:
    from reatt_cli import schemas

    return schemas.KnownModel(name=folder.name, path=str(folder.path), sha256=folder.sha256, origin=folder.origin)


def _row(model: schemas.KnownModel) -> tuple[str, str, str, str]:
    return model.name, model.origin, model.sha256[:12], short_path(model.path)

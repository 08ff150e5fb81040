"""The command group `models`: list, add, use, rollback, probe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from reatt.places import own_registry, registry
from reatt_cli.command import command
from reatt_cli.rendering import counted, human_bytes
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from reatt.weights.folder import ModelFolder
    from reatt_cli.schemas import published as schemas
    from reatt_store.records import StoreModel

Added = Annotated[
    str, typer.Argument(metavar="DIR|HUB_NAME", help="A model folder, or a name on the Hugging Face hub.")
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name for the model; default: its own name.")]
Sentences = Annotated[int, typer.Option("--sentences", min=10, metavar="N", help="Number of masked sentences.")]
Choose = Annotated[bool, typer.Option("--choose", help="Write the best head into the model's config.")]
Kept = Annotated[str, typer.Argument(metavar="NAME|HASH", help="A model of the store, as `models list` shows it.")]
SHOWN_HEADS = 10


class ListByDefault(TyperGroup):
    """A group for which `reatt models` means `reatt models list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `list` if no command is given."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    models = typer.Typer(cls=ListByDefault, rich_markup_mode=None)
    command(models, "list", example="reatt models list")(list_models)
    command(models, "add", example="reatt models add neulab/reatt-large-nq")(add)
    command(models, "use", example="reatt models use reatt-mini-adapted")(use)
    command(models, "rollback", example="reatt models rollback")(rollback)
    command(models, "probe", example="reatt models probe --model ~/models/t5-base", model=True)(probe)
    app.add_typer(models, name="models", help="List models, add one, switch to another one, probe one.")


def list_models(session: Session) -> None:
    """List the models of the store, the current one first, then those that --model accepts by name."""
    from reatt_cli.schemas import published as schemas

    known = [*_own(session), *_installed(session)]
    result = schemas.Models(models=known, warnings=session.warnings)
    session.out.result(result, lambda: session.out.table([_row(model) for model in known]))
    session.out.note(counted(len(known), "model"))


def add(session: Session, source: Added, name: Name = None) -> None:
    """Install a model so that --model finds it by name. Only this command downloads or converts models."""
    from reatt.places import expanded
    from reatt.weights.foreign import adding
    from reatt_cli.schemas import published as schemas

    source = str(expanded(source)) if source.startswith("~") else source
    with session.out.progress() as on_progress:
        added = adding.add(source, own_registry(), on_progress, name)
    if added.left_out:
        session.warn(f"left out {counted(len(added.left_out), 'weight')} that a T5 does not use")
    result = schemas.Models(models=[_described(added.folder)], warnings=session.warnings)
    session.out.result(result, lambda: session.out.table([_row(result.models[0])]))
    made = result.models[0]
    memory = "" if made.memory_bytes is None else f", and {human_bytes(made.memory_bytes)} of memory when loaded"
    session.out.note(f"uses {human_bytes(made.disk_bytes)} of disk{memory}")


def use(session: Session, chosen: Kept) -> None:
    """Switch the store to another model that it keeps, with its vectors."""
    from reatt import switch

    _bring_back(session, switch.named(session.library.models(), chosen))


def rollback(session: Session) -> None:
    """Switch back to the model before; `models use` switches forward again."""
    from reatt import switch

    _bring_back(session, switch.before(session.library.models()))


def _bring_back(session: Session, model: StoreModel) -> None:
    from reatt import switch
    from reatt.weights import models
    from reatt_cli.schemas import published as schemas

    with session.out.progress() as on_progress:
        made = switch.bring_back(session.library, model, session.settings.device, on_progress)
    now = _described(models.in_store(session.library, model.name, model.sha256), model.generation, in_force=True)
    result = schemas.Models(models=[now], warnings=session.warnings)
    session.out.result(result, lambda: session.out.table([_row(now)]))
    session.out.note(
        f"{counted(made, 'key')} encoded for documents added since" if made else "nothing had to be encoded"
    )


def probe(session: Session, sentences: Sentences = 200, choose: Choose = False) -> None:
    """Measure how well each head retrieves masked sentences of the store; the best is first (paper, section 2.3)."""
    from reatt.judging import probe as probing
    from reatt_cli.schemas import published as schemas

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
    """Print the best heads, and how to use the first."""
    rows = [
        (f"retrieval_layer {head.layer}", f"retrieval_head {head.head}", f"MRR {head.mrr:.3f}", f"hit@1 {head.hit:.3f}")
        for head in result.heads[:SHOWN_HEADS]
    ]
    session.out.table(rows)
    done = "written into its config.json" if result.chosen else "with --choose, the first is written into its config"
    session.out.note(f"{result.model}: {result.sentences} sentences among {result.chunks} chunks; {done}")


def _own(session: Session) -> list[schemas.KnownModel]:
    """Describe the models of the store; a missing one does not hide the others."""
    from reatt.weights import models
    from reatt_store.errors import ModelError

    found = []
    kept = session.library.models() if session.exists else []
    for model in sorted(kept, key=lambda model: (not model.current, -model.id)):
        try:
            folder = session.model if model.current else models.in_store(session.library, model.name, model.sha256)
            found.append(_described(folder, model.generation, in_force=model.current))
        except ModelError as error:
            session.warn(error.message)
    return found


def _installed(session: Session) -> Iterator[schemas.KnownModel]:
    """Describe the models that have a name; a broken one does not hide the others."""
    from reatt.weights import models
    from reatt_store.errors import ModelError

    for folder in models.installed(registry()):
        try:
            yield _described(folder)
        except ModelError as error:
            session.warn(error.message)


def _described(folder: ModelFolder, generation: int | None = None, in_force: bool = False) -> schemas.KnownModel:
    from reatt.weights.needs import needs
    from reatt_cli.schemas import published as schemas

    needed = needs(folder.config)
    return schemas.KnownModel(
        name=folder.name,
        path=str(folder.path),
        sha256=folder.sha256,
        origin=folder.origin,
        generation=generation,
        in_force=in_force,
        disk_bytes=sum(file.stat().st_size for file in folder.files),
        memory_bytes=needed.memory if needed else None,
    )


def _row(model: schemas.KnownModel) -> tuple[str, str, str, str]:
    origin = "in force" if model.in_force else model.origin
    return model.name, origin, model.sha256[:12], short_path(model.path)

"""liver-pdff: thin verbs over the service's own functions.

What only some verbs need is imported there: half of the time until the service is ready is spent on imports.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from getpass import getuser
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from app import __version__
from app.adapters.bundle.store import Bundle, load_bundle, sign_bundle
from app.adapters.machine.memory import hold_little, loading_for_good
from app.adapters.telemetry import logs
from app.core.access import AccessScope, Actor
from app.core.errors import AnalysisError
from app.core.notices import NOTICE
from app.settings import Settings, unknown_settings

logger = logging.getLogger(__name__)
GRACEFUL_SHUTDOWN_S = 8
"""Below the ten seconds after which a container engine kills."""

cli = typer.Typer(
    no_args_is_help=True, help="Estimate liver fat (PDFF) from four ultrasound views. Not a medical device."
)
database_cli = typer.Typer(no_args_is_help=True, help="The database's schema.")
keys_cli = typer.Typer(no_args_is_help=True, help="API keys: who may do what.")
audit_cli = typer.Typer(no_args_is_help=True, help="The audit trail: who did what.")
bundle_cli = typer.Typer(no_args_is_help=True, help="The bundle that answers.")
cli.add_typer(database_cli, name="db")
cli.add_typer(bundle_cli, name="bundle")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(audit_cli, name="audit")


@cli.command()
def serve(
    host: Annotated[str, typer.Option(envvar="LIVER_PDFF_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="LIVER_PDFF_PORT", help="Port to listen on.")] = 8000,
) -> None:
    """Serve the HTTP interface until it is stopped."""
    hold_little()
    settings = Settings(host=host, port=port)
    logs.configure(settings.log_level, settings.log_format)
    settings.check_exposure()
    for name in unknown_settings():
        logger.warning("%s is no setting and is ignored", name)
    bundle = begin(lambda: _load(settings))  # it needs no interpreter

    with loading_for_good():
        import uvicorn

        from app.adapters import dicom_results
        from app.adapters.drawing import report_pdf  # noqa: F401 - the first report would hold up everybody for 0.5 s
        from app.api.connections import bounded_connections
        from app.main import create_app

        dicom_results.load()
        app = create_app(settings, bundle)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # its lines would carry addresses, and with them study UIDs: see app.api.observation
        server_header=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=False,  # see app.api.addresses
        http=bounded_connections(settings.head_timeout_s, lambda why: app.state.runtime.metrics.closed_connection(why)),
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        ws="none",  # nothing here speaks it, and its handshake has none of the bounds above
    )


@cli.command()
def analyze(
    files: Annotated[list[str], typer.Argument(help="DICOM files of one study; VIEW=PATH where they do not say it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for analysis.json, report.html and the pictures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    allow_partial: Annotated[bool, typer.Option(help="Average the views that are there.")] = False,
) -> None:
    """Estimate the liver fat of one study without a server; nothing is stored unless --out says where."""
    from app.adapters.reading.objects import Instructions
    from app.api.written import describe, document, write_folder
    from app.offline import StudyFile, analyse_files
    from app.settings import read_view_rules

    settings = Settings()
    bundle = _load(settings)
    analysis, crops = analyse_files(
        bundle,
        [StudyFile.parse(each) for each in files],
        Instructions(read_view_rules(settings.view_rules, settings.languages), settings.read_screens),
        settings.threads,
        allow_partial=allow_partial,
    )
    if out:
        write_folder(out, analysis, crops, bundle.manifest.evaluation)
    typer.echo(json.dumps(document(analysis), indent=2) if as_json else describe(analysis))


@cli.command()
def score(
    source: Annotated[str, typer.Argument(help="Folder tree, or URL of a DICOMweb query: https://pacs/studies?….")],
    out: Annotated[Path, typer.Option(help="Parquet file, a row a study.")] = Path("scores.parquet"),
    allow_partial: Annotated[bool, typer.Option(help="Average the views that are there.")] = False,
    again: Annotated[bool, typer.Option(help="Ask also for studies that have a row and could not be scored.")] = False,
    dask: Annotated[
        str, typer.Option(help="So many processes here, or a scheduler's address; by default, this process.")
    ] = "",
) -> None:
    """Estimate every study of an archive; run it again to go on where it was stopped, or with what is new."""
    try:
        from app.score_run import score_source
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed: pip install 'liver-pdff[score]'") from error

    tally = score_source(Settings(), source, out, dask, allow_partial=allow_partial, again=again)
    typer.echo(f"{tally.sentences()}\n{out} is written.\n{NOTICE}")
    if tally.unavailable:
        raise typer.Exit(1)


@cli.command()
def demo() -> None:
    """Do the whole job on simulated studies: a bundle, a running service, four files, answer and pictures in out/."""
    if find_spec("training") is None:
        raise ValueError("The training package is not here: run `make demo` in the repository.")
    raise typer.Exit(subprocess.run([sys.executable, "-m", "training", "demo"], check=False).returncode)


@database_cli.command("upgrade")
def database_upgrade(revision: str = "head") -> None:
    """Bring the schema up to date, or to a revision."""
    from app.adapters.storage.database import Database

    with Database(Settings().database_url) as database:
        database.upgrade(revision)
    typer.echo(f"schema is at {revision}")


@database_cli.command("downgrade")
def database_downgrade(revision: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Take the schema back to a revision; `base` removes everything, the audit trail too."""
    from app.adapters.storage.database import Database

    if not yes:
        typer.confirm(
            f"Go back to {revision}? What later revisions added is lost for good. Is there a backup?", abort=True
        )
    with Database(Settings().database_url) as database:
        database.downgrade(revision)
    typer.echo(f"schema is at {revision}")


@database_cli.command("backup")
def database_backup(path: Annotated[Path, typer.Argument(help="File that does not exist yet.")]) -> None:
    """Copy an SQLite database in one state, while the service goes on."""
    from app.adapters.storage.database import Database

    with Database(Settings().database_url) as database:
        database.backup(path)
    typer.echo(f"{path} is written")


@bundle_cli.command("verify")
def bundle_verify(folder: Annotated[Path | None, typer.Argument(help="By default LIVER_PDFF_BUNDLE.")] = None) -> None:
    """Check every hash, the graph, the golden answer and, with LIVER_PDFF_BUNDLE_KEY, the signature of a bundle."""
    bundle = _load(Settings(), folder)
    typer.echo(f"{bundle.identity.name} {bundle.identity.version} verified, sha256 {bundle.sha256}")


@bundle_cli.command("show")
def bundle_show(folder: Annotated[Path | None, typer.Argument(help="By default LIVER_PDFF_BUNDLE.")] = None) -> None:
    """Print a bundle's model card."""
    typer.echo(_load(Settings(), folder).model_card)


@bundle_cli.command("sign")
def bundle_sign(
    key: Annotated[Path, typer.Option(help="PEM file of an Ed25519 private key: openssl genpkey -algorithm ed25519.")],
    folder: Annotated[Path | None, typer.Argument(help="By default LIVER_PDFF_BUNDLE.")] = None,
) -> None:
    """Verify a bundle, then sign it: services with LIVER_PDFF_BUNDLE_KEY take no other."""
    settings = Settings(bundle_key=None)
    bundle = _load(settings, folder)
    sign_bundle(folder or settings.bundle, key)
    typer.echo(f"{bundle.identity.name} {bundle.identity.version} verified and signed, sha256 {bundle.sha256}")


def _load(settings: Settings, folder: Path | None = None) -> Bundle:
    return load_bundle(folder or settings.bundle, settings.threads, settings.provider, settings.bundle_key)


@keys_cli.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="Whose it is: a bridge, a person, a scraper.")],
    scope: Annotated[list[AccessScope], typer.Option(help="What it allows; give it once for each.")],
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from app.adapters.storage.api_keys import ApiKeys
    from app.adapters.storage.database import open_current

    with open_current(Settings().database_url) as database:
        typer.echo(ApiKeys(database.engine).create(name, scope, _operator()))


@keys_cli.command("list")
def keys_list() -> None:
    """List keys: id, name, scopes, when they were made and revoked."""
    from app.adapters.storage.api_keys import ApiKeys
    from app.adapters.storage.database import open_current

    with open_current(Settings().database_url) as database:
        for key in ApiKeys(database.engine).list():
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}Z" if key.revoked_at else "valid"
            scopes = ",".join(sorted(key.scopes))
            typer.echo(f"{key.id}  {key.created_at:%Y-%m-%d %H:%M}Z  {state:<25}  {scopes:<27}  {key.name}")


@keys_cli.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Revoke a key; a running service takes it for at most ten seconds more."""
    from app.adapters.storage.api_keys import ApiKeys
    from app.adapters.storage.database import open_current

    with open_current(Settings().database_url) as database:
        ApiKeys(database.engine).revoke(key_id, _operator())
    typer.echo(f"key {key_id} is revoked")


@audit_cli.command("export")
def audit_export(
    since: Annotated[datetime | None, typer.Option(help="At this time, UTC, or later.")] = None,
    after_id: Annotated[int, typer.Option(min=0, help="With a higher id than this.")] = 0,
) -> None:
    """Print the audit trail as JSON lines, oldest first; the export itself is its last line."""
    from app.adapters.storage.audit_trail import Action, AuditTrail, Event
    from app.adapters.storage.database import open_current

    with open_current(Settings().database_url) as database:
        trail = AuditTrail(database.engine)
        trail.record(_operator(), [Event(Action.EXPORT)])
        for record in trail.records(since.replace(tzinfo=UTC) if since else None, after_id):
            typer.echo(json.dumps(record.document()))


def _operator() -> Actor:
    """Name whoever has the database's password and a shell."""
    return Actor(f"cli:{getuser()}")


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def begin(load: Callable[[], Bundle]) -> Callable[[], Bundle]:
    """Start loading in a thread; what is returned waits for it."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="loading")
    loading = pool.submit(load)
    pool.shutdown(wait=False)
    return loading.result


def main() -> None:
    """Run the command line; what the operator can mend is one sentence on stderr and exit status 1."""
    try:
        cli()
    except AnalysisError as error:
        _fail(
            "\n".join(
                f"{each.part + ': ' if each.part else ''}{each.code}: {each.detail}" for each in (error, *error.also)
            )
        )
    except ValidationError as error:
        _fail("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()))
    except (OSError, ValueError) as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()

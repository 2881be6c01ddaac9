"""liver-pdff: thin verbs over the service's own functions.

What only some verbs need is imported there: half of the time until the service is ready is spent on imports.
"""

import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from app import __version__
from app.adapters.bundle_store import Bundle, load_bundle
from app.adapters.memory import use_few_arenas
from app.core.errors import AnalysisError
from app.settings import Settings, unknown_settings

logger = logging.getLogger(__name__)
GRACEFUL_SHUTDOWN_S = 8
"""Below the ten seconds after which a container engine kills."""

cli = typer.Typer(
    no_args_is_help=True, help="Estimate liver fat (PDFF) from four ultrasound views. Not a medical device."
)
database_cli = typer.Typer(no_args_is_help=True, help="The database's schema.")
bundle_cli = typer.Typer(no_args_is_help=True, help="The bundle that answers.")
cli.add_typer(database_cli, name="db")
cli.add_typer(bundle_cli, name="bundle")


@cli.command()
def serve(
    host: Annotated[str, typer.Option(envvar="LIVER_PDFF_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="LIVER_PDFF_PORT", help="Port to listen on.")] = 8000,
) -> None:
    """Serve the HTTP interface until it is stopped."""
    use_few_arenas()
    settings = Settings(host=host, port=port)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in unknown_settings():
        logger.warning("%s is no setting and is ignored", name)
    bundle = begin(lambda: load_bundle(settings.bundle, settings.threads, settings.provider))  # it needs no interpreter

    import uvicorn

    from app.main import create_app

    uvicorn.run(
        create_app(settings, bundle),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # access lines would carry query strings, and with them study UIDs
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )


@database_cli.command("upgrade")
def database_upgrade(revision: str = "head") -> None:
    """Bring the schema up to date, or to a revision."""
    from app.adapters.database import Database

    with Database(Settings().database_url) as database:
        database.upgrade(revision)
    typer.echo(f"schema is at {revision}")


@database_cli.command("downgrade")
def database_downgrade(revision: str) -> None:
    """Take the schema back to a revision; `base` removes everything."""
    from app.adapters.database import Database

    with Database(Settings().database_url) as database:
        database.downgrade(revision)
    typer.echo(f"schema is at {revision}")


@bundle_cli.command("verify")
def bundle_verify(folder: Annotated[Path | None, typer.Argument(help="By default LIVER_PDFF_BUNDLE.")] = None) -> None:
    """Check every hash, the graph and the golden answer of a bundle."""
    settings = Settings()
    bundle = load_bundle(folder or settings.bundle, settings.threads, settings.provider)
    typer.echo(f"{bundle.identity.name} {bundle.identity.version} verified, sha256 {bundle.sha256}")


@bundle_cli.command("show")
def bundle_show(folder: Annotated[Path | None, typer.Argument(help="By default LIVER_PDFF_BUNDLE.")] = None) -> None:
    """Print a bundle's model card."""
    settings = Settings()
    typer.echo(load_bundle(folder or settings.bundle, settings.threads, settings.provider).model_card)


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
        _fail(f"{error.code}: {error.detail}")
    except ValidationError as error:
        _fail("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()))
    except (OSError, ValueError) as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()

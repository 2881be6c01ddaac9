"""`liver-pdff score`: find the studies, score those that the table does not have, show how far it is."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from app.adapters.archive.dicomweb import find_studies
from app.adapters.archive.folder_tree import group_studies, list_files
from app.adapters.archive.score_table import ScoreTable
from app.adapters.bundle.store import read_manifest
from app.core.scores import SCORED, Row
from app.scoring import Plan, Source, Unavailable, score_elsewhere, score_here
from app.settings import MIB, Settings, read_view_rules

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the studies of one run.

    Attributes
    ----------
    outcomes : Counter
        Outcome of the studies that got a row, and how many.
    unavailable : Counter
        Why studies got none, and how many.
    known : int
        Studies that had a row before.
    seconds : float
    """

    outcomes: "Counter[str]"
    unavailable: "Counter[str]"
    known: int
    seconds: float

    def sentences(self) -> str:
        """Tell it to whoever waited."""
        done = self.outcomes.total()
        lines = [f"{done} studies in {self.seconds:.0f} s, {done / max(self.seconds, 1e-9):.2f} a second."]
        lines += [f"  {count:6d} {outcome}" for outcome, count in self.outcomes.most_common()]
        if self.known:
            lines.append(f"{self.known} studies had been scored before.")
        lines += [f"{count} studies without a row: {reason}" for reason, count in self.unavailable.most_common()]
        if self.unavailable:
            lines.append("Run the same command again to ask for these.")
        return "\n".join(lines)


def score_source(
    settings: Settings, source: str, out: Path, dask: str, *, allow_partial: bool = False, again: bool = False
) -> Tally:
    """Score every study of a folder tree or of a DICOMweb query.

    Parameters
    ----------
    settings : Settings
    source : str
        A folder, or the URL of a QIDO-RS query for studies.
    out : Path
        Parquet file: what it already has is not asked again.
    dask : str
        Where: empty for this process, else what `app.adapters.archive.cluster.dask_pool` takes.
    allow_partial : bool
        Whether one to three views are enough.
    again : bool
        Whether to ask also for what has a row and was not scored.

    Raises
    ------
    BundleError, ValueError, OSError
    """
    _, bundle_sha256 = read_manifest(settings.bundle)
    plan = Plan(
        bundle=settings.bundle.resolve(),
        bundle_key=settings.bundle_key,
        provider=settings.provider,
        threads=settings.threads,
        view_rules=read_view_rules(settings.view_rules, settings.languages),
        screens=settings.read_screens,
        allow_partial=allow_partial,
    )
    table = ScoreTable(out, bundle_sha256)
    found = _find(source, settings)
    with table:
        wanted = [study for study in found if _is_wanted(table.outcome(study.study_instance_uid), again=again)]
        outcomes: Counter[str] = Counter()
        unavailable: Counter[str] = Counter()
        started = time.perf_counter()
        for result in _progress(_results(plan, wanted, dask), "studies", len(wanted), "study"):
            if isinstance(result, Unavailable):
                unavailable[result.reason] += 1
            else:
                table.add(result)
                outcomes[str(result["outcome"])] += 1
        seconds = time.perf_counter() - started
        table.finish()
    return Tally(outcomes, unavailable, len(found) - len(wanted), seconds)


def _find(source: str, settings: Settings) -> Sequence[Source]:
    if source.startswith(("http://", "https://")):
        return find_studies(source, settings.dicomweb_authorization, settings.max_instance_mib * MIB)
    paths = list_files(Path(source))
    return group_studies(_progress(paths, "looking through files", len(paths), "file"))


def _is_wanted(outcome: str | None, *, again: bool) -> bool:
    return outcome is None or (again and outcome != SCORED)


def _results(plan: Plan, studies: Sequence[Source], dask: str) -> Iterator[Row | Unavailable]:
    """Load nothing for nothing: everything may have been scored before."""
    if not studies:
        return
    if not dask:
        yield from score_here(plan, studies)
        return
    from app.adapters.archive.cluster import dask_pool  # only who asks for a cluster has it installed

    with dask_pool(dask, plan.threads) as (pool, at_once, threads):
        yield from score_elsewhere(replace(plan, threads=threads), studies, pool, at_once)


def _progress(items: Iterable[T], label: str, total: int, unit: str) -> Iterable[T]:
    """Show a bar with the time left; where nobody watches (a log), a line now and then."""
    watched = sys.stderr.isatty()
    return tqdm(items, label, total, unit=unit, mininterval=0.1 if watched else 10, dynamic_ncols=watched)

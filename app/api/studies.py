"""GET /v1/studies: what is known of a study that fills up."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from app.adapters.storage.audit_trail import Action, Event, in_vain, study_digest
from app.adapters.storage.study_state import StudyState, Unused, read_state, read_unused
from app.api.access import ActorDep
from app.api.addresses import LinksDep
from app.api.problems import problem_responses
from app.api.runtime import RuntimeDep
from app.api.schemas import (
    AnalysisReference,
    CandidateOut,
    SetAsideOut,
    StudyOut,
    StudyViewOut,
    WarningOut,
    analysis_out,
)
from app.core.choice import CHOICE_RULE, Choice, ShownView
from app.core.errors import UnknownResource
from app.core.studies import ReceivedInstance
from app.core.unrecognised import looked_at
from app.core.values import AnalysisWarning, View

router = APIRouter(prefix="/v1", tags=["studies"])

Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="(0020,000D)", examples=["1.2.840.113619.2"])]


@router.get(
    "/studies/{study_instance_uid}", summary="What is known of a study", responses=problem_responses(404, 422, 503)
)
def get_study(study_instance_uid: Uid, runtime: RuntimeDep, by: ActorDep, link: LinksDep) -> StudyOut:
    """Tell which views are in, which image stands for each and why, what was set aside, and what was answered.

    What `POST /v1/analyses` refuses is answered at once and leaves nothing behind, so it is not listed here.
    """
    state = read_state(runtime.repository, runtime.received, study_instance_uid)
    if state is None:
        runtime.audit.record(by, [in_vain(study_instance_uid)])
        raise UnknownResource("No view of this study is in. Send it to /v1/analyses or /dicom-web/studies.")
    read = Event(Action.READ, state.current.id if state.current else "", study_digest(study_instance_uid))
    runtime.audit.record(by, [read])
    return study_out(study_instance_uid, state, read_unused(runtime.received, study_instance_uid, state), link)


def study_out(study_instance_uid: str, state: StudyState, unused: Unused, link: Callable[[str], str]) -> StudyOut:
    """Write a study's state as a response."""
    is_received = state.images or unused.set_aside or unused.refused
    views_in = {view.view for analysis in state.valid for view in analysis.estimate.views} | set(state.choices)
    return StudyOut(
        study_instance_uid=study_instance_uid,
        views_in=[view for view in View if view in views_in],
        views_missing=[view for view in View if view not in views_in],
        choice_rule=CHOICE_RULE,
        received=[_view_out(view, choice, state) for view, choice in state.choices.items()],
        set_aside=_unused_out(unused.set_aside),
        set_aside_total=unused.set_aside_total,
        refused=_unused_out(unused.refused),
        refused_total=unused.refused_total,
        waiting_for=WarningOut.model_validate(state.obstacle) if state.obstacle and is_received else None,
        analysis=analysis_out(state.current, link) if state.current else None,
        superseded=[
            AnalysisReference(
                id=each.id,
                created_at=each.created_at,
                complete=each.estimate.complete,
                url=link(f"/v1/analyses/{each.id}"),
            )
            for each in state.analyses
            if state.current is None or each.id != state.current.id
        ],
    )


def _view_out(view: View, choice: Choice, state: StudyState) -> StudyViewOut:
    received_at = {each.sop_instance_uid: each.received_at for each in state.images}
    shown = [each for each in state.shown if each.recognition.view == view]
    return StudyViewOut(
        view=view,
        chosen=choice.image.key.sop_instance_uid,
        chosen_because=choice.reason,
        candidates=[_candidate_out(each, received_at[each.image.key.sop_instance_uid]) for each in shown],
    )


def _candidate_out(shown: ShownView, received_at: datetime) -> CandidateOut:
    image = shown.image
    return CandidateOut(
        sop_instance_uid=image.key.sop_instance_uid,
        view_source=shown.recognition.source,
        frame_number=image.key.frame_number,
        taken_at=image.origin.taken_at or None,
        instance_number=image.origin.instance_number,
        received_at=received_at,
        warnings=[WarningOut.model_validate(each) for each in (*image.warnings, *shown.recognition.warnings)],
    )


def _unused_out(instances: Iterable[ReceivedInstance]) -> list[SetAsideOut]:
    return [_set_aside_out(each, each.reason) for each in instances if each.reason]


def _set_aside_out(instance: ReceivedInstance, reason: AnalysisWarning) -> SetAsideOut:
    return SetAsideOut(
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        received_at=instance.received_at,
        code=reason.code,
        detail=reason.detail,
        looked_at=looked_at(instance.evidence),
    )

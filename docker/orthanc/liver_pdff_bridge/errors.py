"""What can come between a study and its results.

BridgeError
├─ Gone                 Orthanc has no such resource: deleted meanwhile
├─ ArchiveFault         Orthanc did not do what was asked
├─ ServiceUnavailable   nobody answers, or the service says later: every study waits
└─ ServiceRefused       an answer that sending again at once would not change: this study waits
   └─ NotAnalysed       every view is in, but there is no analysis: this study is sent again
"""


class BridgeError(Exception):
    """A study has to wait; the message holds nothing of a patient."""


class Gone(BridgeError):
    """Orthanc has no such resource: it was deleted meanwhile."""


class ArchiveFault(BridgeError):
    """Orthanc did not do what was asked."""


class ServiceUnavailable(BridgeError):
    """Nobody answers, or the service says later.

    Attributes
    ----------
    retry_after_s : float
        What the service asked for; 0 if nothing.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServiceRefused(BridgeError):
    """An answer that sending again at once would not change."""


class NotAnalysed(ServiceRefused):
    """Every view is in, but there is no analysis."""

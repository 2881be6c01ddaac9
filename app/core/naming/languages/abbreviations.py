"""English abbreviations that are typed in every language."""

from app.core.naming.vocabulary import Vocabulary

ABBREVIATIONS = Vocabulary(
    posterior="post",
    anterior="ant",
    portal="pv",
    right_portal="rpv|mrpv",
    right_posterior_portal="rppv",
    liver_kidney="morison|morrison",
    planes="trans|transv*|trv|tra|sag|long|cor|obl|view|image|img",
    organs="transplant*|allograft",
    examination="us|usg|abd|abdomen|doppler|duplex",
    against="lpv|mpv|rapv|smv|r o|s p|vs|versus|status post|post op*|post void*|post prand*|thromb*|pvt|tips",
)

"""Italian."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="destra|destro|destri|destre|dx|ds|dex|dext|d",
    left="sinistra|sinistro|sinistri|sinistre|sx|sin|sn",
    middle="media|medio|mediana|med|m",
    posterior="posteriore|post|posteriori|posterolateral*",
    anterior="anteriore|ant|anteriori",
    lobe="lobo|lobi|emifegato|ipocondrio|fianco",
    positions="decubito laterale sinistro|decubito lat sinistro|decubito lat sx|decubito laterale sx|fianco sinistro",
    portal="vena porta|v porta|ramo portale|ramo della porta|ramo della vena porta|portale|porta|portali|vp",
    right_portal="vpd|vpdx",
    branch="ramo|rami|vena|v|di|della|del|dello|settoriale|segmentario|segmento|settore|divisione",
    hepatic_veins="vene sovraepatiche|vena sovraepatica|vene sovra epatiche|vena sovra epatica|vv sovraepatiche|"
    "v sovraepatiche|vv sovra epatiche|sovraepatiche|sovraepatica|sovra epatiche|vene epatiche|vena epatica|"
    "vv epatiche|v epatiche",
    confluence="confluenza|sbocco|vena cava inferiore|vena cava inf|vena cava|cava inferiore|cava|vci|ivc|in|delle|"
    "tre|le|con|alla|nella",
    liver="fegato|lobo epatico destro|lobo epatico dx|lobo destro|lobo dx|led",
    kidney="rene|corteccia renale|corticale renale",
    right_kidney="rd",
    liver_kidney="epatorenale|epato renale|epatorenali|recesso epatorenale|spazio epatorenale|indice epatorenale|"
    "rapporto epatorenale|contrasto epatorenale|spazio di morison|tasca di morison|tasca del morison|"
    "recesso di morison|spazio di morrison",
    conjunction="e|ed|con",
    planes="trasversale|trasversa|trasv|traverso|assiale|sagittale|longitudinale|long|obliqua|obliquo|sottocostale|"
    "intercostale|scansione|scan|sezione|piano|immagine|livello|a|al|vista|confronto|contrasto|interfaccia|"
    "spazio|recesso|rapporto|nr|le",
    organs="colecisti|milza|pancreas|aorta|vescica|stomaco|utero|reni|trapianto",
    examination="ecografia|eco|ecografico|ecotomografia|addome|addominale|completo|completa|esame|studio|"
    "protocollo|controllo|ecocolordoppler|ecodoppler|pelvi|superiore",
    against="escludere|escluso|esclusa|esclude|senza|non|nessun|nessuna|assente|assenza|eccetto|oppure|"
    "postoperatori*|post operatori*|postchirurg*|post chirurg*|esiti|dopo|sospetto|sospetta|sosp|dubbio|dubbia|"
    "probabile|possibile|sopra|sotto|accanto|vicino|tra|tronco portale|tronco della porta|"
    "tronco della vena porta|tronco|porta principale|vena porta principale|ramo principale|biforcazione portale|"
    "biforcazione della porta|splenica|splenico|splenoportale|spleno portale|ombelicale|mesenterica|"
    "ipertensione portale|trombo*|arteria epatica|sindrome epatorenale|budd*|ilo",
    against_unless_numbered="no",
)

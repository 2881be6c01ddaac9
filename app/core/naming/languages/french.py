"""French."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="droite|droit|droites|dte|drt|drte|dt|d",
    left="gauche|gauches|gche|gch|gau|g",
    middle="médiane|moyenne|médianes|med|m",
    posterior="postérieure|postérieur|postérieurs|post|postéro latéral*|paramédiane postérieure",
    anterior="antérieure|antérieur|ant|antéro médial*",
    lobe="lobe|lobes|hypochondre|flanc",
    positions="décubitus latéral gauche|décubitus lat gauche|dlg",
    portal="veine porte|v porte|branche portale|br portale|rameau portal|porte|portale|portal|vp",
    right_portal="vpd",
    right_posterior_portal="vpdp",
    branch="branche|branches|br|rameau|veine|v|de|la|du|secteur|sectorielle|sectoriel|segmentaire|segment|division",
    hepatic_veins="veines sus hépatiques|veine sus hépatique|v sus hépatiques|vv sus hépatiques|v sus hépatique|"
    "sus hépatiques|sus hépatique|veines hépatiques|veine hépatique|vv hépatiques|v hépatiques|vsh|vvsh|vshs",
    one_hepatic_vein="vshd|vshm|vshg",
    confluence="confluence|confluent|abouchement|carrefour|veine cave inférieure|veine cave inf|veine cave|cave|"
    "vci|ivc|cavo sus hépatique|trois|les|dans|la|à|au|avec|des",
    liver="foie|lobe hépatique droit|foie droit|lobe droit",
    kidney="rein|cortex rénal",
    right_kidney="rd",
    liver_kidney="hépato rénal|hépatorénal|hépato rénale|hépatorénale|inter hépato rénal|interhépatorénal|"
    "espace inter hépato rénal|espace inter hépatorénal|espace de morison|espace morison|poche de morison|"
    "index hépato rénal|contraste hépato rénal|gradient hépato rénal|rapport hépato rénal|récessus hépato rénal",
    conjunction="et|avec",
    planes="transversale|transversal|transverse|axiale|axial|sagittale|sagittal|longitudinale|longitudinal|oblique|"
    "récurrente|récurrent|sous costale|sous costal|intercostale|intercostal|coupe|coupes|niveau|au|vue|plan|no|"
    "comparaison|contraste|interface|espace|récessus|les|des|le",
    organs="vésicule|vb|rate|pancréas|aorte|vessie|estomac|utérus|reins|greffon|transplant",
    examination="échographie|échographique|écho|abdominale|abdominal|abdo|pelvienne|pelvien|rénale|examen|"
    "protocole|complète|complet|bilan|étude|dépistage|contrôle|écho doppler|échodoppler|suivi",
    against="éliminer|élimine|exclure|exclu|exclue|sans|pas|non|aucun|aucune|absence|absent|sauf|ou|contre|"
    "au dessus|au dessous|en dessous|à côté|entre|près|suspicion|suspect|susp|doute|douteux|possible|probable|"
    "peut être|après|avant|antécédent|antécédents|atcd|post opératoire*|post greffe|tronc porte|tronc portal|"
    "tronc de la veine porte|tronc|bifurcation porte|bifurcation portale|splénique*|splénoportal*|spléno portal*|"
    "ombilicale|ombilical|mésentérique*|hypertension portale|htp|htap|artère hépatique|syndrome hépato rénal|"
    "budd*|hile",
)

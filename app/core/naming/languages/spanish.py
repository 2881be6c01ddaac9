"""Spanish."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="derecha|derecho|derechas|dcha|dcho|dch|der|dx|d",
    left="izquierda|izquierdo|izq|izqda|izqdo|izda|izdo|i",
    middle="media|medio|med|m",
    posterior="posterior|post|posteriores|posterolateral*",
    anterior="anterior|ant|anteriores",
    lobe="lóbulo|lóbulos|hemihígado|hipocondrio|flanco",
    positions="decúbito lateral izquierdo|decúbito lat izq|dli",
    portal="vena porta|v porta|rama portal|rama de la porta|rama de la vena porta|porta|portal|vp",
    right_portal="vpd",
    right_posterior_portal="vpdp",
    branch="rama|ramas|ramo|vena|v|de|la|del|sectorial|segmentaria|segmento|división",
    hepatic_veins="venas suprahepáticas|vena suprahepática|venas supra hepáticas|vena supra hepática|"
    "vv suprahepáticas|v suprahepáticas|suprahepáticas|suprahepática|supra hepáticas|venas hepáticas|"
    "vena hepática|vv hepáticas|v hepáticas|vsh|vshs|vvsh",
    one_hepatic_vein="vshd|vshm|vshi",
    confluence="confluencia|confluente|desembocadura|unión|cava inferior|vena cava inferior|vena cava inf|"
    "vena cava|cava|vci|ivc|en|la|las|con|a|los|tres",
    liver="hígado|hig|lóbulo hepático derecho|lóbulo derecho hepático|lóbulo derecho|lhd",
    kidney="riñón|corteza renal",
    right_kidney="rd",
    liver_kidney="hepatorrenal|hepato renal|hepatorenal|índice hepatorrenal|espacio hepatorrenal|"
    "receso hepatorrenal|espacio de morison|espacio de morrison|espacio morison|fosa de morison|saco de morison|"
    "contraste hepatorrenal",
    conjunction="y|con",
    planes="transversal|transverso|transversa|axial|sagital|longitudinal|oblicuo|oblicua|subcostal|intercostal|"
    "corte|plano|vista|imagen|nivel|a|eje|no|num|nro|comparación|contraste|interfase|espacio|receso|relación|las|"
    "el|al",
    organs="vesícula|vb|bazo|páncreas|aorta|vejiga|estómago|útero|riñones|trasplante|injerto",
    examination="ecografía|eco|ecográfico|ultrasonido|ultrasonografía|abdominal|completo|completa|estudio|examen|"
    "protocolo|control|ecodoppler|eco doppler|pelvis|renal|rutina",
    against="descartar|descarta|descartado|sin|ni|nunca|excluir|excluido|excepto|salvo|ausencia|ausente|"
    "postoperatori*|post operatori*|postquirúrgic*|postqx|post qx|pos op*|tras|antes|después|sospecha|sosp|"
    "dudoso|dudosa|duda|posible|probable|encima|debajo|junto|entre|cerca|tronco portal|tronco de la porta|"
    "tronco de la vena porta|tronco|porta principal|vena porta principal|rama principal|porta común|"
    "bifurcación portal|bifurcación de la porta|vpp|esplénica|esplénico|esplenoportal|umbilical|mesentérica|"
    "hipertensión portal|htp|tromb*|arteria hepática|síndrome hepatorrenal|budd*|hilio|antecedente*",
    against_unless_numbered="no",
)

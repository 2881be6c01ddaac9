"""Portuguese."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="direita|direito|direitas|dir|dirta|dta|dto|dt|d",
    left="esquerda|esquerdo|esquerdas|esq|esqda",
    middle="média|medio|mediana|med|m",
    posterior="posterior|post|posteriores|posterolateral*",
    anterior="anterior|ant|anteriores",
    lobe="lobo|lobos|hipocôndrio|flanco",
    positions="decúbito lateral esquerdo|decúbito lat esq|dle",
    portal="veia porta|v porta|ramo portal|ramo da porta|ramo da veia porta|porta|portal|vp",
    right_portal="vpd",
    right_posterior_portal="vpdp",
    branch="ramo|ramos|veia|v|de|da|do|setorial|sectorial|segmentar|segmento|divisão",
    hepatic_veins="veias hepáticas|veia hepática|veias supra hepáticas|veia supra hepática|veias suprahepáticas|"
    "vv hepáticas|v hepáticas|vv supra hepáticas|supra hepáticas|vvhh|vshs|vsh",
    one_hepatic_vein="vhd|vhm|vhe|vshd|vshm|vshe",
    confluence="confluência|confluente|desembocadura|junção|veia cava inferior|veia cava inf|veia cava|"
    "cava inferior|cava|vci|ivc|na|com|as|três|das",
    liver="fígado|fig|lobo hepático direito|lobo direito do fígado|lobo direito|lhd",
    kidney="rim|córtex renal",
    right_kidney="rd",
    liver_kidney="hepatorrenal|hepato renal|hepatorenal|índice hepatorrenal|espaço hepatorrenal|"
    "recesso hepatorrenal|contraste hepatorrenal|espaço de morison|espaço de morrison|espaço morison|"
    "bolsa de morison",
    conjunction="e|com",
    planes="transversal|transverso|axial|sagital|longitudinal|oblíquo|oblíqua|subcostal|intercostal|corte|plano|"
    "vista|imagem|nível|ao|num|nro|comparação|contraste|interface|espaço|recesso|relação|as|o",
    organs="vesícula|vb|baço|pâncreas|aorta|bexiga|estômago|útero|rins|transplante|enxerto",
    examination="ecografia|eco|ultrassom|ultrassonografia|ultrasonografia|abdominal|abdome|abdómen|total|completo|"
    "completa|estudo|exame|protocolo|controle|rotina|usg|pelve|superior|ecodoppler",
    against="descartar|afastar|excluir|excluído|excluída|sem|não|nunca|nem|exceto|ausência|ausente|ou|"
    "pós operatóri*|pós op*|pós cirúrg*|pós transplant*|pós prandial|após|antes|depois|suspeita|susp|duvidoso|"
    "duvidosa|dúvida|possível|provável|acima|abaixo|junto|entre|perto|tronco portal|tronco da porta|"
    "tronco da veia porta|tronco|porta principal|veia porta principal|ramo principal|porta comum|"
    "bifurcação portal|bifurcação da porta|vpp|vpe|esplênica|esplénica|esplenoportal|umbilical|mesentérica|"
    "hipertensão portal|htp|trombo*|artéria hepática|síndrome hepatorrenal|budd*|hilo|rim e",
)

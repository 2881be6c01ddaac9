"""German."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="rechter|rechte|rechten|rechtes|rechts|rechtsseitig*|recht|re|rts|r",
    left="linker|linke|linken|linkes|links|linksseitig*|li|lks|l",
    middle="mittlere|mittlerer|mittleren|mittl|mediane|m",
    posterior="hinterer|hintere|hinteren|hinteres|posteriorer|posteriore|posterioren|posterior|posterolateral*|"
    "post|dorsaler|dorsale|dorsalen|dorsal",
    anterior="vorderer|vordere|vorderen|anteriorer|anteriore|anterioren|anterior|ant|ventraler|ventrale|ventralen|"
    "ventral",
    lobe="lappen|leberlappen|lappens|leberlappens|seite|oberbauch|flanke",
    positions="linksseitenlage|linksseitenlagerung|links seitenlage|linke seitenlage|linker seitenlage|lsl",
    portal="pfortader|pfortaderast|pfortaderäste|pfortaderaeste|pfortaderzweig|pfortadersegmentast|portalvene|"
    "portalvenenast|portaast|porta|vena portae|v portae|portae|portalast|pfa",
    branch="ast|astes|äste|zweig|hauptast|segmentast|sektorast|sektor|segment|seg|der|des|dem|den|am|im|vene|vena|"
    "v|pars|abschnitt",
    hepatic_veins="lebervenen|lebervene|leber venen|lebervv|lvv|lebervenenstern|lebervenentrichter|"
    "lebervenenkonfluenz|lebervenenkonfluens|lebervenenmündung|lebervenenmuendung|lebervenenzusammenfluss|"
    "venae hepaticae|vena hepatica|vv hepaticae|v hepatica|hepaticae|hv|hvs",
    one_hepatic_vein="rlv|mlv|llv|rhv|mhv|lhv|vena hepatica dextra|vena hepatica media|vena hepatica sinistra|"
    "v hepatica dextra|v hepatica media|v hepatica sinistra",
    confluence="konfluenz|konfluens|confluens|zusammenfluss|mündung|muendung|einmündung|einmuendung|"
    "vena cava inferior|v cava inferior|v cava inf|vena cava|v cava|cava|vci|ivc|hohlvene|in|die|alle|drei|mit",
    liver="leber|rechter leberlappen|re leberlappen|rechter lappen|leberlappen|rll",
    kidney="niere|nierenrinde|nierenkortex|nierenparenchym",
    right_kidney="rn",
    liver_kidney="leber nieren kontrast|leber nieren index|leber nieren vergleich|leber nieren winkel|"
    "leber nieren schnitt|leber nieren echogenität|leber nieren grenze|lebernierenkontrast|leber nierenkontrast|"
    "leber nierenvergleich|leber nierenwinkel|leber nierenschnitt|leber nierenindex|hepatorenal|hepatorenaler|"
    "hepatorenale|hepatorenales|hepato renal|hepato renaler|hepatorenaler rezessus|hepatorenaler recessus|"
    "recessus hepatorenalis|hepatorenalis|morison pouch|morisonpouch|morison raum|morisonraum|morison grube",
    conjunction="und|u|mit",
    planes="quer|querschnitt|transversal*|längs|laengs|längsschnitt|laengsschnitt|longitudinal*|sagittal*|schräg|"
    "schraeg|schrägschnitt|schraegschnitt|subkostal*|subcostal*|interkostal*|intercostal*|schnitt|ebene|höhe|"
    "hoehe|auf|bild|nr|ansicht|einstellung|kontrast|vergleich|zu|zur|rezessus|recessus|flankenschnitt",
    organs="gallenblase|gb|gbl|milz|pankreas|pancreas|aorta|harnblase|blase|magen|darm|transplantat*",
    examination="sono|sonograph*|sonograf*|ultraschall*|abdomensono*|oberbauch|oberbauchsono*|bauch|untersuchung|"
    "untersuchungen|komplett|protokoll|screening|kontrolle|verlauf|verlaufskontrolle|dopplersono*|farbdoppler*",
    against="kein|keine|keinen|keiner|nicht|ohne|ausschluss|ausschließen|ausgeschlossen|ausschl|oder|statt|außer|"
    "fraglich|fragl|unklar|verdacht|verd|v a|z n|zustand nach|dd|differentialdiagnose|vermutlich|wahrscheinlich|"
    "möglicherweise|eventuell|evtl|nach|vor|postoperativ*|postprandial*|oberhalb|unterhalb|neben|zwischen|"
    "pfortaderstamm|pfortaderhauptstamm|portalstamm|hauptstamm|stamm|pfortaderbifurkation|pfortadergabel|"
    "pfortaderhochdruck|pfortaderthromb*|pfortaderverschluss|verschluss|portale hypertens*|portalhypertens*|"
    "milzvene|milzvenen*|lienalis|lebervenenthromb*|nabelvene|umbilical*|umbilikal*|pars umbilicalis|"
    "hepatorenales syndrom|budd*|leberarterie*",
)

"""English."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="right|rt|rgt|rht|r|main right|main rt|main r",
    left="left|lt|lft|l",
    middle="middle|mid|m",
    posterior="posterior|post|postr|pst",
    anterior="anterior|ant|antr",
    lobe="lobe|lobes|hemiliver|upper|flank|side",
    positions="left lateral decub*|left lat decub*|left decub*|lt lateral decub*|lt lat decub*|lt decub*|"
    "left side down|left posterior oblique|left anterior oblique|lld|lpo",
    portal="portal vein|portal veins|portal venous|portal vn|portal v|portal|port vein|port v|p vein|pvs",
    right_portal="rpvs|rtpv",
    right_posterior_portal="rpostpv|rpstpv",
    branch="vein|veins|v|vv|vn|branch|branches|br|brnch|of|the|division|section|sectional|sector|sectoral|segment|"
    "segmental|seg",
    hepatic_veins="hepatic veins|hepatic vein|hepatic vns|hepatic vn|hepatic vv|hepatic v|"
    "hepatic venous|hep veins|hep vein|hep vns|hep vn|hep vv|hep v|hv s|hvs|hv|hvv|hepatic confluence|"
    "hepatocaval|hepato caval",
    one_hepatic_vein="rhv|mhv|lhv",
    confluence="confluence|confl|conf|ivc|inferior vena cava|inf vena cava|vena cava|cava|junction|at|into|to|with|"
    "all|three",
    liver="liver|liv|lvr|rul|right hepatic lobe|rt hepatic lobe|right lobe|rt lobe|r lobe|hepatic lobe",
    kidney="kidney|kidny|kdny|kid",
    right_kidney="rk|right renal|rt renal|r renal",
    liver_kidney="hepatorenal|hepato renal|hepaticorenal|hepatic renal|hepatorenal interface|liver renal interface|"
    "liver renal contrast|liver renal ratio|liver renal index|liver renal cortex|morison s|morrison s|morisons|"
    "morrisons|morison s pouch|morrison s pouch|morisons pouch|morrisons pouch|morison pouch|morrison pouch",
    liver_kidney_if_alone="lk",
    conjunction="and|with|w",
    planes="transverse|trv|tr|tx|axial|ax|sagittal|longitudinal|lg|lon|coronal|oblique|subcostal|intercostal|level|"
    "lev|at|plane|views|pic|no|number|interface|contrast|comparison|comp|ratio|index|recess|space|pouch",
    organs="gallbladder|gall bladder|gb|spleen|spl|pancreas|panc|aorta|ao|bladder|bowel|stomach|uterus|ovary|"
    "kidneys|graft",
    examination="ultrasound|ultrasonograph*|ultrasonogram|sonograph*|sonogram|sono|abdominal|abdo|complete|limited|"
    "ltd|exam|examination|study|protocol|survey|screening|retroperitone*|pelvis|pelvic|bilateral|bilat|follow up",
    against="not|non|without|w o|rule out|rules out|ruled out|exclude|excludes|excluded|excluding|except|absent|"
    "absence|negative|neg|or|either|instead|history|hx|h o|after|before|previous|post exercise|post meal|"
    "post contrast|post transplant*|post biopsy|post surg*|post tx|post procedure|post ablation|post valsalva|"
    "possible|possibly|probable|probably|maybe|suspected|suspect|likely|questionable|unclear|unable|cannot|wrong|"
    "error|ignore|mislabel*|above|below|near|beyond|between|adjacent|beside|superior to|inferior to|lateral to|"
    "medial to|anterior to|posterior to|distal to|proximal to|cranial to|caudal to|next to|main portal*|"
    "main port v*|main pv*|main and|portal trunk|portal vein trunk|pv trunk|extrahepatic portal*|splenic vein|"
    "splenic v|splen*|spl v|umbilical*|mesenteric*|porta hepatis|portal hypertens*|portal htn|portal pressure|"
    "portal triad*|hepatic venous pressure|hepatic venous outflow|hvpg|budd*|hepatorenal syndrome|hrs|occlu*|"
    "cavernous|cavernoma",
    against_unless_numbered="no",
)

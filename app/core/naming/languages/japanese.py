"""Japanese."""

from app.core.naming.vocabulary import Vocabulary

WORDS = Vocabulary(
    right="右|right|rt",
    left="左",
    middle="中",
    posterior="後",
    anterior="前",
    right_posterior="後区域|後枝|後区",
    lobe="葉|季肋部|側腹部",
    positions="左側臥位|左半側臥位|左下側臥位",
    portal="門脈|門静脈|もんみゃく",
    branch="枝|一次分枝|分枝|区域|区|領域|の|レベル|起始部|本枝|第一枝",
    hepatic_veins="肝静脈|三肝静脈|hv|hvs",
    one_hepatic_vein="rhv|mhv|lhv",
    confluence="下大静脈|ivc|合流部|合流|流入部|根部|と|の|および|及び|3本|三本",
    liver="肝臓|肝右葉|肝|右葉|liver",
    kidney="右腎臓|腎臓|右腎|腎|kidney|右腎皮質|腎皮質",
    right_kidney="rk",
    liver_kidney="肝腎コントラスト|肝腎境界|肝腎比|肝腎陥凹|モリソン窩|モリソン",
    conjunction="と|および|及び|や",
    planes="横断|縦断|矢状断|矢状|冠状断|冠状|斜|右肋間|肋間|右肋弓下|肋弓下|肋骨弓下|右季肋下|心窩部|走査|像|断面|"
    "断層|断|スキャン|面|画像|コントラスト|比較|境界|レベル|部|の",
    organs="胆嚢|胆のう|膵|脾|大動脈|膀胱|両腎|腎移植|移植腎",
    examination="超音波|エコー|腹部|検査|健診|検診|ドック|スクリーニング|プロトコル|精査|フォロー",
    against="除外|否定|なし|無し|ない|非|疑い|疑|不明|不良|術後|食後|治療後|移植後|造影後|処置後|負荷後|前後|"
    "または|又は|あるいは|もしくは|以外|本幹|主幹|臍部|臍静脈|脾静脈|腸間膜|門脈圧|門脈血栓|血栓|閉塞|症候群|"
    "機能|肝動脈|近傍|付近|上方|下方|シャント",
)

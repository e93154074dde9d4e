"""Write multilingual.txt.gz: text in many scripts, for tests of exactness that run everywhere.

It holds the first article of the Universal Declaration of Human Rights, whose text is free to use,
in some languages; lines that mix words of these sentences; and lines of random characters of each
script that Unicode names. None of it comes from a data set. The random characters follow the
Unicode version of the Python that runs this, so that the file is kept and not made by the tests.

python tests/data/make_multilingual.py
"""

import gzip
import random
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

OUTPUT = Path(__file__).with_name("multilingual.txt.gz")
SENTENCES = """\
All human beings are born free and equal in dignity and rights.
Alle Menschen sind frei und gleich an Würde und Rechten geboren.
Tous les êtres humains naissent libres et égaux en dignité et en droits.
Todos los seres humanos nacen libres e iguales en dignidad y derechos.
Todos os seres humanos nascem livres e iguais em dignidade e em direitos.
Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.
Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.
Alla människor är födda fria och lika i värde och rättigheter.
Alle mennesker er født frie og med samme menneskeverd og menneskerettigheter.
Alle mennesker er født frie og lige i værdighed og rettigheder.
Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.
Kõik inimesed sünnivad vabadena ja võrdsetena oma väärikuselt ja õigustelt.
Minden emberi lény szabadon születik és egyenlő méltósága és joga van.
Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.
Všichni lidé se rodí svobodní a sobě rovní co do důstojnosti a práv.
Všetci ľudia sa rodia slobodní a sebe rovní, čo sa týka ich dôstojnosti a práv.
Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima.
Toate ființele umane se nasc libere și egale în demnitate și în drepturi.
Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.
Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.
Semua orang dilahirkan merdeka dan mempunyai martabat dan hak-hak yang sama.
Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.
Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum.
Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis.
Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās.
Все люди рождаются свободными и равными в своем достоинстве и правах.
Всі люди народжуються вільними і рівними у своїй гідності та правах.
Всички хора се раждат свободни и равни по достойнство и права.
Сва људска бића рађају се слободна и једнака у достојанству и правима.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.
تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.
כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।
সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।
மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.
ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.
มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ
人人生而自由,在尊严和权利上一律平等。
人人生而自由，在尊嚴和權利上一律平等。
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.
ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.
Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։
የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።
""".splitlines()
BETWEEN = (" ", " ", " ", " ", ", ", ". ", "-", "  ", "\u00a0", "\u3000", "\u200b", "'", " (", ") ")
LINES_OF_A_SCRIPT = 8
MIXED = 4000


def scripts() -> dict[str, list[str]]:
    """The first word of characters' names, such as DEVANAGARI, and its characters."""
    found = defaultdict(list)
    for code in range(0xA0, sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] in "LMNPS":
            found[unicodedata.name(character, "?").split(maxsplit=1)[0]].append(character)
    return {name: found[name] for name in sorted(found) if len(found[name]) >= 10}


def lines(draw: random.Random) -> list[str]:
    """All lines of the file."""
    words = [word for sentence in SENTENCES for word in sentence.split()]
    made = list(SENTENCES)
    for _ in range(MIXED):
        line = "".join(draw.choice(words) + draw.choice(BETWEEN) for _ in range(draw.randint(1, 9)))
        made.append(draw.choice([line, line, line, line.upper(), line.title()]))
        if draw.random() < 0.2:
            made[-1] = unicodedata.normalize(draw.choice(["NFD", "NFKD", "NFC"]), made[-1])
    for characters in scripts().values():
        pool = draw.sample(characters, min(len(characters), 60))
        for _ in range(LINES_OF_A_SCRIPT):
            made.append(" ".join("".join(draw.choices(pool, k=draw.randint(1, 7)))
                                 for _ in range(draw.randint(1, 5))))  # fmt: skip
    draw.shuffle(made)
    return [" ".join(line.split("\n")) for line in made]


if __name__ == "__main__":
    text = "\n".join(lines(random.Random(15))) + "\n"
    OUTPUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(len(text.splitlines()), "lines,", OUTPUT.stat().st_size, "bytes")

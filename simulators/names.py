"""Given names and family names that invented persons bear, with their gendered forms."""

from __future__ import annotations

WOMEN = (
    "Anna", "Kristīne", "Inese", "Ilze", "Līga", "Dace", "Evita", "Sandra", "Laura", "Elīna", "Zane", "Agnese",
    "Ieva", "Santa", "Ginta", "Baiba", "Rūta", "Māra", "Aija", "Vija", "Ērika", "Dzintra", "Skaidrīte", "Ārija",
    "Marta", "Emīlija", "Sofija", "Alise", "Elza", "Šarlote", "Žanete", "Ļubova",
)  # fmt: skip
MEN = (
    "Jānis", "Andris", "Juris", "Edgars", "Māris", "Artūrs", "Mārtiņš", "Kaspars", "Guntis", "Aivars", "Valdis",
    "Gints", "Ģirts", "Kārlis", "Pēteris", "Imants", "Uldis", "Ēriks", "Raivis", "Normunds", "Roberts", "Gustavs",
    "Olivers", "Markuss", "Jēkabs", "Rūdolfs", "Zigurds", "Čārlzs", "Staņislavs", "Vjačeslavs", "Dzintars", "Ņikita",
)  # fmt: skip

# (masculine, feminine)
FAMILY = (
    ("Bērziņš", "Bērziņa"), ("Kalniņš", "Kalniņa"), ("Ozoliņš", "Ozoliņa"), ("Jansons", "Jansone"),
    ("Ozols", "Ozola"), ("Liepiņš", "Liepiņa"), ("Krūmiņš", "Krūmiņa"), ("Balodis", "Balode"),
    ("Eglītis", "Eglīte"), ("Zariņš", "Zariņa"), ("Pētersons", "Pētersone"), ("Vītols", "Vītola"),
    ("Kļaviņš", "Kļaviņa"), ("Kārkliņš", "Kārkliņa"), ("Vanags", "Vanaga"), ("Šmits", "Šmite"),
    ("Lācis", "Lāce"), ("Āboliņš", "Āboliņa"), ("Zvirbulis", "Zvirbule"), ("Dūmiņš", "Dūmiņa"),
    ("Ķirsis", "Ķirse"), ("Ģērmanis", "Ģērmane"), ("Žagars", "Žagare"), ("Čakste", "Čakste"),
    ("Grīnbergs", "Grīnberga"), ("Rozītis", "Rozīte"), ("Sproģis", "Sproģe"), ("Tīrums", "Tīruma"),
)  # fmt: skip
FAMILY_OF_NON_CITIZENS = (
    ("Ivanovs", "Ivanova"), ("Petrovs", "Petrova"), ("Vasiļjevs", "Vasiļjeva"), ("Kuzņecovs", "Kuzņecova"),
    ("Šapošņikovs", "Šapošņikova"), ("Jakovļevs", "Jakovļeva"), ("Žukovskis", "Žukovska"),
    ("Baranovskis", "Baranovska"),
)  # fmt: skip

# Nationality (ISO 3166 alpha-3): women's names, men's names, family names as they stand in their documents.
ABROAD = {
    "UKR": (("Oksana", "Iryna", "Nadiia"), ("Andrii", "Taras", "Mykola"), ("Kovalenko", "Shevchuk", "Tkachenko")),
    "LTU": (("Rasa", "Jurgita", "Daiva"), ("Tomas", "Mindaugas", "Darius"), ("Vitkus", "Rimkus", "Stankus")),
    "EST": (("Kadri", "Liis", "Triin"), ("Rasmus", "Tanel", "Priit"), ("Tamm", "Saar", "Mägi")),
    "DEU": (("Jutta", "Sabine", "Katrin"), ("Jürgen", "Stefan", "Matthias"), ("Müller", "Weiß", "Köhler")),
    "SYR": (("Rima", "Salma", "Noor"), ("Omar", "Yusuf", "Karim"), ("Haddad", "Khalil", "Nasser")),
    "XXA": (("Vera", "Galina", "Tamara"), ("Boris", "Oleg", "Viktor"), ("Morozov", "Sokol", "Zorin")),
}  # fmt: skip

CITIES_ABROAD = {"LTU": "Vilnius, Lietuva", "EST": "Tartu, Igaunija", "DEU": "Lübeck, Vācija"}
DEPARTMENTS = ("Rīgas", "Valmieras", "Liepājas", "Daugavpils", "Jelgavas", "Kuldīgas")
CHILD_CARE_INSTITUTIONS = (
    "Bērnu aprūpes centrs “Saulespuķe”",
    "Ģimenes atbalsta centrs “Bezdelīga”",
    "Bērnu un jauniešu māja “Pūces ligzda”",
    "Atbalsta centrs “Zvaniņš”",
)

"""Signs that sources of man pages write by name, and the punctuation of mdoc."""

from __future__ import annotations

_SIGNS = r"""
em —  en –  hy -  - -  mi −  bu •  lq “  rq ”  oq ‘  cq ’  aq '  dq "  ga `  ha ^  ti ~  rs \  sl /  ul _  at @  sh #
Do $  co ©  rg ®  tm ™  mu ×  di ÷  +- ±  <= ≤  >= ≥  != ≠  == ≡  ~~ ≈  -> →  <- ←  <> ↔  ua ↑  da ↓  rA ⇒  lA ⇐
de °  sc §  ps ¶  dg †  dd ‡  ct ¢  Po £  Ye ¥  eu €  Eu €  fo ›  fc ‹  Fo «  Fc »  Bq „  bq ‚  lB [  rB ]  lC {
rC }  la ⟨  ra ⟩  ba |  br │  or |  bb ¦  12 ½  14 ¼  34 ¾  S1 ¹  S2 ²  S3 ³  ss ß  ae æ  AE Æ  oe œ  OE Œ  o/ ø
O/ Ø  /l ł  /L Ł  -d ð  -D Ð  Tp þ  TP Þ  'a á  'e é  'i í  'o ó  'u ú  'y ý  'A Á  'E É  'I Í  'O Ó  'U Ú  `a à
`e è  `i ì  `o ò  `u ù  `A À  `E È  :a ä  :e ë  :i ï  :o ö  :u ü  :A Ä  :O Ö  :U Ü  ^a â  ^e ê  ^i î  ^o ô  ^u û
~a ã  ~n ñ  ~o õ  ~N Ñ  ,c ç  ,C Ç  oa å  oA Å  vS Š  vs š  vz ž  vZ Ž  *a α  *b β  *g γ  *d δ  *e ε  *l λ  *m μ
*p π  *s σ  *w ω  *D Δ  *S Σ  *W Ω  if ∞  sr √  pt ∝  no ¬  tf ∴  mo ∈  ci ○  sq □  lz ◊  CR ↵  OK ✓  r! ¡  r? ¿
"""
SIGNS = dict(pair.split(" ", 1) for line in _SIGNS.split("\n") for pair in line.split("  ") if " " in pair)
SIGNS["aa"] = "´"
STRINGS = {
    "lq": "“", "rq": "”", "R": "®", "Tm": "™", "S": "", "aq": "'", "C+": "C++", "C`": "", "C'": "", "-": "-",
    "PI": "π", "L\"": '"', "R\"": '"', "Lq": "“", "Rq": "”", "Gt": ">", "Lt": "<", "Ba": "|", "Am": "&", "q": '"',
    "Pm": "±", "Le": "≤", "Ge": "≥", "Ne": "≠", "If": "∞",
}  # fmt: skip
# Of mdoc: what stands around the words of a macro.
ENCLOSED = {
    "Op": ("[", "]"), "Dq": ("“", "”"), "Sq": ("‘", "’"), "Qq": ('"', '"'), "Ql": ("‘", "’"), "Pq": ("(", ")"),
    "Bq": ("[", "]"), "Brq": ("{", "}"), "Aq": ("<", ">"), "Eq": ("", ""), "En": ("", ""),
}  # fmt: skip
OPENED = {"Oo": "[", "Do": "“", "So": "‘", "Qo": '"', "Po": "(", "Bo": "[", "Bro": "{", "Ao": "<"}
CLOSED = {"Oc": "]", "Dc": "”", "Sc": "’", "Qc": '"', "Pc": ")", "Bc": "]", "Brc": "}", "Ac": ">"}
PLAIN = frozenset(
    "Ar Cm Ic Li Em Sy No Pa Ev Va Vt Ft Fa Fr Er Tn Ad An Ms Mt Lk Dv Cd St Sx Ux Bx Fx Nx Ox Dx Bsx Lb Tg Cx Rv Ex"
    " At".split()
)
SYSTEMS = {"Ux": "UNIX", "Bx": "BSD", "Fx": "FreeBSD", "Nx": "NetBSD", "Ox": "OpenBSD", "Dx": "DragonFly",
           "Bsx": "BSD/OS", "At": "AT&T UNIX"}  # fmt: skip
CLOSING = frozenset(". , : ; ) ] ? !".split())

"""Office files to test with, made of their parts."""

import io
import zipfile

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W, R = 'xmlns:w="w"', f'xmlns:r="{OFFICE}"'


def zipped(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


def relations(*targets: tuple[str, str]) -> str:
    rows = [f'<Relationship Id="r{n}" Type="{OFFICE}/{t[0]}" Target="{t[1]}"/>' for n, t in enumerate(targets)]
    return f"<Relationships>{''.join(rows)}</Relationships>"


def docx(body: str, **more: str) -> bytes:
    """Make a document with other parts: `header1`, `footer2`, `footnotes`, `numbering`, `styles`, `chart`."""
    kinds = [(name.rstrip("0123456789"), f"{name}.xml") for name in more]
    parts = {f"word/{name}.xml": f"<w:x {W} {R} xmlns:a='a' xmlns:c='c'>{part}</w:x>" for name, part in more.items()}
    return zipped(
        {
            "_rels/.rels": relations(("officeDocument", "word/document.xml")),
            "word/document.xml": f"<w:document {W} {R} xmlns:m='m' xmlns:c='c' xmlns:dgm='d'>{body}</w:document>",
            "word/_rels/document.xml.rels": relations(*kinds),
            **parts,
        }
    )


def p(text: str, style: str = "") -> str:
    return f"<w:p><w:pPr>{style}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def pptx(*slides: str, **more: str) -> bytes:
    """Make a presentation; other parts belong to the first slide."""
    ids = "".join(f'<p:sldId r:id="r{n}"/>' for n in range(len(slides)))
    kinds = [(name.rstrip("0123456789"), f"{name}.xml") for name in more]
    spaces = f"{R} xmlns:p='p' xmlns:a='a' xmlns:c='c' xmlns:dgm='d'"
    return zipped(
        {
            "_rels/.rels": relations(("officeDocument", "ppt/p.xml")),
            "ppt/p.xml": f"<p:p {spaces}>{ids}</p:p>",
            "ppt/_rels/p.xml.rels": relations(*[("slide", f"{n}.xml") for n in range(len(slides))]),
            "ppt/_rels/0.xml.rels": relations(*kinds),
            **{f"ppt/{n}.xml": f"<p:sld {spaces}>{slide}</p:sld>" for n, slide in enumerate(slides)},
            **{f"ppt/{name}.xml": f"<p:x {spaces}>{part}</p:x>" for name, part in more.items()},
        }
    )


def shape(text: str, type: str = "body", properties: str = "") -> str:
    lines = "".join(f"<a:p>{properties}<a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("|"))
    return f'<p:sp><p:nvPr><p:ph type="{type}"/></p:nvPr><p:txBody>{lines}</p:txBody></p:sp>'


CHART = (
    "<c:title><a:p><a:r><a:t>Guests</a:t></a:r></a:p></c:title><c:ser><c:tx><c:v>Nights</c:v></c:tx>"
    "<c:cat><c:pt idx='0'><c:v>May</c:v></c:pt><c:pt idx='1'><c:v>June</c:v></c:pt></c:cat>"
    "<c:val><c:formatCode>0%</c:formatCode><c:pt idx='0'><c:v>0.41</c:v></c:pt>"
    "<c:pt idx='1'><c:v>0.56999999999999995</c:v></c:pt></c:val></c:ser>"
)

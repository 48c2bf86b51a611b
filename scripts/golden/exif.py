"""Small pictures with EXIF and XMP as Pillow writes them. (Into a TIFF it puts no EXIF that was made in memory.)"""

from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

OUT = Path(__file__).resolve().parents[2] / "crates/image/tests/golden/exif"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><dc:subject><rdf:Bag><rdf:li>dog</rdf:li>'
    b"<rdf:li>\xe6\xb5\xb7\xe6\xbb\xa9</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (8, 6), (200, 30, 60))
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif[0x0110] = "Canon EOS R5"
    exif[0x0131] = "Pillow"
    detail = exif.get_ifd(0x8769)
    detail[0x9003] = "2021:12:31 23:59:58"
    detail[0xA434] = "RF24-70mm F2.8 L IS USM"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (IFDRational(39), IFDRational(54), IFDRational(2712, 100))
    gps[3], gps[4] = "W", (IFDRational(116), IFDRational(2345, 100), IFDRational(0))
    gps[5], gps[6] = b"\x00", IFDRational(435, 10)
    for name in ["jpeg", "png", "webp", "avif"]:
        picture.save(OUT / f"pillow.{name}", exif=exif, **({"xmp": XMP} if name in ("jpeg", "webp") else {}))


if __name__ == "__main__":
    main()

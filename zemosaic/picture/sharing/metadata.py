"""Where a picture lies on the sky, in the picture's own file: Astronomy Visualization Metadata in XMP.

References
----------
Hurt et al., Astronomy Visualization Metadata (AVM) Standard 1.2, IVOA Note 2011; XMP specification, part 3 (Adobe).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from zemosaic import __version__
from zemosaic.wcs import FrameWcs

__all__ = ["PictureInfo", "xmp_packet"]

PACKET_ID = "W5M0MpCehiHzreSzNTczkc9d"
"""Which every XMP packet carries."""


@dataclass(frozen=True)
class PictureInfo:
    """What a picture's file says of it."""

    title: str
    description: str
    author: str
    telescope: str
    wcs: FrameWcs
    """Of the picture's pixels, rows from the bottom, 0-based."""
    width: int
    """Of the picture, in pixels."""
    height: int

    def resized(self, width: int, height: int) -> PictureInfo:
        """Return what holds for the picture after it was shrunk to another size.

        Parameters
        ----------
        width, height : int
            Pixels of the shrunk picture.
        """
        if (width, height) == (self.width, self.height):
            return self
        across, up = self.width / width, self.height / height
        (a, b), (c, d) = self.wcs.cd
        wcs = replace(
            self.wcs,
            x_ref=(self.wcs.x_ref + 0.5) / across - 0.5,
            y_ref=(self.wcs.y_ref + 0.5) / up - 0.5,
            cd=((a * across, b * up), (c * across, d * up)),
        )
        return replace(self, wcs=wcs, width=width, height=height)


def xmp_packet(info: PictureInfo) -> bytes:
    """Return the XMP packet of a picture, the same bytes for the same content."""
    sky = _spatial(info)
    words = {"dc:title": info.title, "dc:description": info.description}
    lists = {"dc:creator": info.author, "avm:Facility": info.telescope}
    lines = [
        f'<?xpacket begin="\ufeff" id="{PACKET_ID}"?>',
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
        '<rdf:Description rdf:about="" xmlns:avm="http://www.communicatingastronomy.org/avm/1.0/"',
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">',
        "<avm:MetadataVersion>1.2</avm:MetadataVersion><avm:Type>Observation</avm:Type>",
    ]
    lines += [
        f'<{key}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{key}>'
        for key, text in words.items()
        if text
    ]
    lines += [
        f"<{key}><rdf:Seq><rdf:li>{escape(text)}</rdf:li></rdf:Seq></{key}>" for key, text in lists.items() if text
    ]
    lines.append(f"<xmp:CreatorTool>{escape(f'ZeMosaic {__version__}')}</xmp:CreatorTool>")
    for key, value in sky.items():
        if isinstance(value, str):
            lines.append(f"<avm:{key}>{escape(value)}</avm:{key}>")
        else:
            items = "".join(f"<rdf:li>{float(number)!r}</rdf:li>" for number in value)
            lines.append(f"<avm:{key}><rdf:Seq>{items}</rdf:Seq></avm:{key}>")
    lines += ["</rdf:Description></rdf:RDF></x:xmpmeta>", '<?xpacket end="r"?>']
    return "\n".join(lines).encode("utf-8")


def _spatial(info: PictureInfo) -> dict[str, str | tuple[float, ...]]:
    """Return the tags of the place on the sky: scale and rotation as FITS writes CDELT and CROTA."""
    wcs = info.wcs
    (a, b), (c, d) = wcs.cd
    side = 1.0 if wcs.mirrored else -1.0
    across, up = side * math.hypot(a, c), math.hypot(b, d)
    # CROTA2: CD1_2 is -CDELT2 sin(rotation), CD2_2 is CDELT2 cos(rotation).
    rotation = math.degrees(math.atan2(-b, d))
    return {
        "Spatial.CoordinateFrame": "ICRS",
        "Spatial.Equinox": "2000.0",
        "Spatial.ReferenceValue": (wcs.ra_deg, wcs.dec_deg),
        "Spatial.ReferenceDimension": (float(info.width), float(info.height)),
        "Spatial.ReferencePixel": (wcs.x_ref + 1.0, wcs.y_ref + 1.0),
        "Spatial.Scale": (across, up),
        "Spatial.Rotation": repr(float(rotation)),
        "Spatial.CoordsystemProjection": wcs.projection,
        "Spatial.Quality": "Full",
    }

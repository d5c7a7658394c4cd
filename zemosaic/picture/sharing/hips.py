"""A picture as HiPS, the tiles on the sphere that Aladin and other sky viewers show (`reproject.hips` makes them).

References
----------
Fernique et al., HiPS - Hierarchical Progressive Survey, IVOA Recommendation 1.0, 2017.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic import __version__
from zemosaic.errors import write_refused
from zemosaic.picture.sharing.metadata import PictureInfo, xmp_packet
from zemosaic.picture.sharing.shared_file import write_shared

__all__ = ["write_hips"]


def write_hips(folder: Path, picture: NDArray[np.uint8], info: PictureInfo, released: str) -> None:
    """Write a picture as a HiPS in a folder, which is replaced once all of it is there.

    Parameters
    ----------
    folder : Path
    picture : ndarray, shape (h, w, 3), uint8
    info : PictureInfo
        What the picture is and where it lies on the sky.
    released : str
        Date of the HiPS, ``YYYY-MM-DDThh:mmZ``; empty takes that of today.

    Raises
    ------
    OutputError, ResourceError
        The files cannot be written.
    """
    # Imported here: it takes a second, and most runs write no HiPS.
    from reproject import reproject_interp
    from reproject.hips import reproject_to_hips

    unfinished = folder.with_name(f"{folder.name}.part")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        # Only from a picture's file, with its place in it, does reproject make tiles of colour.
        source = unfinished / "picture.png"
        write_shared(source, picture, "png", info)
        reproject_to_hips(
            str(source),
            coord_system_out="equatorial",
            reproject_function=reproject_interp,
            output_directory=str(unfinished / "hips"),
            properties=_properties(picture, info, released),
        )
        shutil.rmtree(folder, ignore_errors=True)
        (unfinished / "hips").rename(folder)
        shutil.rmtree(unfinished)
    except OSError as failure:
        raise write_refused(failure, str(folder.parent), str(folder)) from failure


def _properties(picture: NDArray[np.uint8], info: PictureInfo, released: str) -> dict[str, str]:
    """Return what the HiPS says of itself, the same for the same picture."""
    content = hashlib.sha256(xmp_packet(info) + np.ascontiguousarray(picture).tobytes()).hexdigest()
    told = {
        "creator_did": f"ivo://zemosaic/P/{content[:32]}",
        "obs_title": info.title,
        "obs_description": " ".join(info.description.split()),
        "obs_copyright": info.author,
        "hips_release_date": released,
        "hips_builder": f"ZeMosaic {__version__} with astropy/reproject",
        "hips_status": "private master clonableOnce",
    }
    return {key: value for key, value in told.items() if value}

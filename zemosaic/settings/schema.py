"""Every setting, declared once.

From this class come `zemosaic_config.json`, the command line flags, the environment variables,
the forms of both windows, the table in docs/settings.md and the locale keys
``setting.<key>.label`` and ``setting.<key>.help``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from zemosaic.settings.clock import CLOCK_FORM, checked_clock
from zemosaic.settings.region import POINTING_FORM, REGION_FORM, checked_pointing, checked_region

__all__ = ["GROUPS", "TIERS", "Settings", "Spec", "specs"]

Group = Literal["folders", "solving", "quality", "stacking", "mosaic", "output", "computer", "window"]
Tier = Literal["basic", "advanced", "expert"]

GROUPS: tuple[str, ...] = get_args(Group)
TIERS: tuple[str, ...] = get_args(Tier)


def _setting(
    default: Any,
    group: Group,
    tier: Tier = "advanced",
    *,
    unit: str = "",
    kind: Literal["", "folder", "file", "file or folder"] = "",
    form: str = "",
    affects: tuple[str, ...] = (),
    **limits: Any,
) -> Any:
    """Declare a setting: `affects` names the phases whose results depend on it, `form` how a text is written."""
    extra: Any = {"group": group, "tier": tier, "unit": unit, "kind": kind, "form": form, "affects": list(affects)}
    return Field(default, json_schema_extra=extra, **limits)


class Settings(BaseModel):
    """The settings of one run; immutable, validated, complete."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    input_dir: str = _setting("", "folders", "basic", kind="folder")
    output_dir: str = _setting("", "folders", "basic", kind="folder")
    excluded_frames: str = _setting("", "folders", "advanced", kind="file", affects=("scan",))
    use_stacks_among_frames: bool = _setting(False, "folders", "advanced", affects=("scan",))
    master_dark: str = _setting("", "folders", "advanced", kind="file or folder", affects=("measure",))
    master_flat: str = _setting("", "folders", "advanced", kind="file or folder", affects=("measure",))
    master_bias: str = _setting("", "folders", "advanced", kind="file or folder", affects=("measure",))
    watch_idle_min: float = _setting(60.0, "folders", unit="min", ge=0.0, le=10080.0)
    watch_until: Annotated[str, AfterValidator(checked_clock)] = _setting("", "folders", form=CLOCK_FORM)

    solver: Literal["auto", "astap", "embedded"] = _setting("auto", "solving", "basic", affects=("solve",))
    force_resolve_existing_wcs: bool = _setting(False, "solving", affects=("solve",))
    astap_executable_path: str = _setting("", "solving", "advanced", kind="file", affects=("solve",))
    astap_data_directory_path: str = _setting("", "solving", "advanced", kind="folder", affects=("solve",))
    astap_default_search_radius: float = _setting(
        3.0, "solving", "advanced", unit="deg", ge=0.1, le=180.0, affects=("solve",)
    )
    astap_timeout_s: float = _setting(60.0, "solving", "expert", unit="s", ge=1.0, le=3600.0, affects=("solve",))
    astap_max_instances: int = _setting(1, "solving", "expert", ge=1, le=64)
    focal_length_mm: float = _setting(0.0, "solving", unit="mm", ge=0.0, le=100000.0, affects=("solve",))
    pixel_size_um: float = _setting(0.0, "solving", unit="µm", ge=0.0, le=1000.0, affects=("solve",))
    pixel_scale_arcsec: float = _setting(0.0, "solving", unit="arcsec/px", ge=0.0, le=120.0, affects=("solve",))
    pointing: Annotated[str, AfterValidator(checked_pointing)] = _setting(
        "", "solving", unit="deg", form=POINTING_FORM, affects=("solve",)
    )
    hint_radius_deg: float = _setting(1.0, "solving", "expert", unit="deg", ge=0.1, le=10.0, affects=("solve",))

    quality_reject_enabled: bool = _setting(True, "quality", "basic", affects=("calibrate",))
    quality_max_fwhm_ratio: float = _setting(1.6, "quality", unit="x", ge=1.05, le=10.0, affects=("calibrate",))
    quality_max_eccentricity: float = _setting(0.75, "quality", ge=0.1, le=1.0, affects=("calibrate",))
    quality_min_transparency: float = _setting(0.5, "quality", ge=0.0, le=1.0, affects=("calibrate",))
    quality_max_sky_ratio: float = _setting(10.0, "quality", unit="x", ge=1.2, le=1000.0, affects=("calibrate",))
    quality_min_star_ratio: float = _setting(0.2, "quality", ge=0.0, le=1.0, affects=("calibrate",))
    quality_picks_file: str = _setting("", "quality", kind="file", affects=("calibrate",))
    quality_partial_frames: bool = _setting(True, "quality", affects=("calibrate",))

    stacking_normalize_method: Literal["linear_fit", "sky_mean", "none"] = _setting(
        "linear_fit", "stacking", affects=("calibrate",)
    )
    stacking_weighting_method: Literal["faint_stars", "noise_variance", "noise_fwhm", "none"] = _setting(
        "faint_stars", "stacking", affects=("calibrate",)
    )
    stacking_rejection_algorithm: Literal["winsorized_sigma_clip", "kappa_sigma", "linear_fit_clip", "none"] = _setting(
        "winsorized_sigma_clip", "stacking", "basic", affects=("stack",)
    )
    stacking_kappa_low: float = _setting(3.0, "stacking", unit="sigma", ge=0.1, le=10.0, affects=("stack",))
    stacking_kappa_high: float = _setting(3.0, "stacking", unit="sigma", ge=0.1, le=10.0, affects=("stack",))
    stacking_final_combine_method: Literal["mean", "median"] = _setting("mean", "stacking", affects=("stack",))
    stacking_interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos3"] = _setting(
        "lanczos3", "stacking", affects=("stack",)
    )
    stacking_drizzle: bool = _setting(False, "stacking", affects=("plan", "stack"))
    drizzle_scale: float = _setting(1.0, "stacking", unit="x", ge=1.0, le=3.0, affects=("plan",))
    drizzle_pixfrac: float = _setting(0.7, "stacking", "expert", ge=0.1, le=1.0, affects=("stack",))
    drizzle_kernel: Literal["square", "gaussian"] = _setting("square", "stacking", "expert", affects=("stack",))
    apply_radial_weight: bool = _setting(False, "stacking", affects=("stack",))
    radial_feather_fraction: float = _setting(0.8, "stacking", "expert", ge=0.1, le=1.0, affects=("stack",))
    save_sigma_map: bool = _setting(True, "stacking", affects=("export",))
    save_rejection_maps: bool = _setting(False, "stacking", affects=("export",))
    save_proper_coadd: bool = _setting(False, "stacking", affects=("export",))
    winsor_memmap_fallback: Literal["auto", "always", "never"] = _setting(
        "auto", "stacking", "expert", affects=("stack",)
    )
    winsor_max_frames_per_pass: int = _setting(0, "stacking", "expert", ge=0, le=100000, affects=("stack",))
    winsor_min_frames_per_pass: int = _setting(16, "stacking", "expert", ge=5, le=1000, affects=("stack",))
    winsor_split_strategy: Literal["sequential", "roundrobin"] = _setting(
        "roundrobin", "stacking", "expert", affects=("stack",)
    )
    winsor_auto_fallback_on_memory_error: bool = _setting(True, "stacking", "expert")

    auto_detect_seestar: bool = _setting(True, "mosaic", "basic", affects=("plan",))
    force_seestar_mode: bool = _setting(False, "mosaic", "basic", affects=("plan",))
    mosaic_mode: Literal["auto", "grid", "classic"] = _setting("auto", "mosaic", "basic", affects=("plan",))
    mosaic_per_filter: bool = _setting(True, "mosaic", "basic", affects=("plan",))
    combine_filters: Literal["none", "rgb", "lrgb", "hoo", "sho", "pseudo_sho"] = _setting(
        "none", "mosaic", affects=("export",)
    )
    dual_band_planes: Literal["none", "dual_band", "all"] = _setting("none", "mosaic", affects=("export",))
    final_assembly_method: Literal["reproject_coadd", "incremental"] = _setting(
        "incremental", "mosaic", affects=("export",)
    )
    assembly_process_workers: int = _setting(0, "mosaic", "expert", ge=0, le=256)
    coadd_use_memmap: bool = _setting(False, "mosaic", "expert")
    coadd_memmap_dir: str = _setting("", "mosaic", "expert", kind="folder")
    coadd_cleanup_memmap: bool = _setting(True, "mosaic", "expert")
    match_background_for_final: bool = _setting(True, "mosaic", affects=("export",))
    master_tile_feather: Literal["coverage", "radial", "none"] = _setting("coverage", "mosaic", affects=("export",))
    cluster_panel_threshold: float = _setting(0.0, "mosaic", unit="deg", ge=0.0, le=30.0, affects=("plan",))
    cluster_orientation_split_deg: float = _setting(0.0, "mosaic", unit="deg", ge=0.0, le=180.0, affects=("plan",))
    max_raw_per_master_tile: int = _setting(0, "mosaic", ge=0, le=100000, affects=("plan",))
    auto_limit_frames_per_master_tile: bool = _setting(True, "mosaic", affects=("plan",))
    save_master_tiles: bool = _setting(False, "mosaic", affects=("export",))
    use_existing_master_tiles: bool = _setting(False, "mosaic", "advanced", affects=("measure", "plan"))
    global_wcs_orientation: Literal["north_up", "median_pc"] = _setting("north_up", "mosaic", affects=("plan",))
    global_wcs_pixelscale_mode: Literal["median", "min", "max"] = _setting("median", "mosaic", affects=("plan",))
    global_wcs_pixelscale_arcsec: float = _setting(
        0.0, "mosaic", unit="arcsec/px", ge=0.0, le=3600.0, affects=("plan",)
    )
    global_wcs_projection: Literal["auto", "TAN", "ZEA", "STG"] = _setting(
        "auto", "mosaic", "expert", affects=("plan",)
    )
    region_of_interest: Annotated[str, AfterValidator(checked_region)] = _setting(
        "", "mosaic", unit="deg", form=REGION_FORM, affects=("plan",)
    )
    global_wcs_output_path: str = _setting("", "mosaic", "advanced", kind="file or folder", affects=("plan",))
    global_wcs_autocrop_enabled: bool = _setting(False, "mosaic", affects=("export",))
    global_wcs_autocrop_margin_px: int = _setting(64, "mosaic", unit="px", ge=0, le=10000, affects=("export",))
    quality_crop_enabled: bool = _setting(False, "mosaic", affects=("export",))
    quality_crop_band_px: int = _setting(32, "mosaic", "expert", unit="px", ge=4, le=1024, affects=("export",))
    quality_crop_k_sigma: float = _setting(2.0, "mosaic", "expert", unit="sigma", ge=0.1, le=20.0, affects=("export",))
    quality_crop_min_run: int = _setting(2, "mosaic", "expert", ge=1, le=64, affects=("export",))
    quality_crop_margin_px: int = _setting(8, "mosaic", "expert", unit="px", ge=0, le=1024, affects=("export",))
    grid_tile_px: int = _setting(512, "mosaic", "expert", unit="px", ge=128, le=4096, affects=("plan",))
    grid_overlap_px: int = _setting(16, "mosaic", "expert", unit="px", ge=0, le=256, affects=("plan",))
    max_canvas_megapixels: float = _setting(
        1000.0, "mosaic", "advanced", unit="Mpx", ge=1.0, le=100000.0, affects=("plan",)
    )

    save_final_as_uint16: bool = _setting(False, "output", affects=("export",))
    empty_pixels: Literal["zero", "nan"] = _setting("zero", "output", affects=("export",))
    save_compressed_fits: bool = _setting(False, "output", affects=("export",))
    save_stretched: Literal["none", "png16", "tiff"] = _setting("none", "output", affects=("export",))
    apply_colour_gains: bool = _setting(False, "output", affects=("export",))
    flatten_background: Literal["off", "picture", "both"] = _setting("off", "output", affects=("export",))
    preview_linked: bool = _setting(True, "output", affects=("export",))
    preview_max_px: int = _setting(3200, "output", unit="px", ge=256, le=20000, affects=("export",))
    picture_strength: float = _setting(1.0, "output", "basic", unit="x", ge=0.25, le=4.0, affects=("export",))
    picture_sky_level: float = _setting(0.14, "output", ge=0.02, le=0.5, affects=("export",))
    save_picture: Literal["none", "jpg", "png", "tiff"] = _setting("jpg", "output", "basic", affects=("export",))
    picture_max_px: int = _setting(6000, "output", unit="px", ge=256, le=30000, affects=("export",))
    picture_max_mb: float = _setting(0.0, "output", unit="MB", ge=0.0, le=1000.0, affects=("export",))
    picture_crop: bool = _setting(False, "output", affects=("export",))
    picture_annotation: Literal["none", "layer", "burnt", "both"] = _setting("none", "output", affects=("export",))
    picture_caption: bool = _setting(False, "output", affects=("export",))
    picture_author: str = _setting("", "output", affects=("export",))
    save_picture_page: bool = _setting(False, "output", affects=("export",))
    save_hips: bool = _setting(False, "output", "expert", affects=("export",))
    save_star_catalogue: bool = _setting(False, "output", affects=("export",))
    save_frames_csv: bool = _setting(False, "output", affects=("export",))
    keep_work_files: bool = _setting(False, "output", "expert")

    num_processing_workers: int = _setting(0, "computer", unit="", ge=-1, le=256)
    dask_scheduler: str = _setting("", "computer", "expert")
    work_dir: str = _setting("", "computer", "advanced", kind="folder")
    memory_limit_gb: float = _setting(0.0, "computer", "basic", unit="GB", ge=0.0, le=4096.0)
    winsor_worker_limit: int = _setting(0, "computer", "expert", ge=0, le=256)
    use_gpu_phase5: bool = _setting(False, "computer", affects=("stack",))
    gpu_id_phase5: int = _setting(0, "computer", "expert", ge=0, le=63)
    gpu_helper_verify_tolerance: float = _setting(
        0.0, "computer", "expert", unit="sigma", ge=0.0, le=10.0, affects=("stack",)
    )
    resume: Literal["auto", "off"] = _setting("auto", "computer", "advanced")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting("INFO", "computer", "expert")

    gui_backend: Literal["tk", "qt"] = _setting("tk", "window", "advanced")
    language: str = _setting("auto", "window", "basic", pattern=r"^(auto|[a-z]{2}(_[A-Z]{2})?)$")


@dataclass(frozen=True)
class Spec:
    """One setting as forms, flags and tables see it."""

    key: str
    kind: str
    """``bool``, ``int``, ``float``, ``choice``, ``text``, ``folder``, ``file`` or ``file or folder``."""
    default: Any
    group: str
    tier: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    affects: tuple[str, ...]
    form: str = ""
    """How a text is written; empty where it is free."""

    @property
    def allowed(self) -> str:
        """The allowed values in a few characters that need no translation."""
        if self.choices:
            return " | ".join(self.choices)
        if self.kind == "bool":
            return "true | false"
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:g} ... {self.maximum:g}"
        return self.form or self.kind


KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float"}


@cache
def specs() -> tuple[Spec, ...]:
    """Return all settings in the order of their declaration."""
    return tuple(_spec(key) for key in Settings.model_fields)


def _spec(key: str) -> Spec:
    info = Settings.model_fields[key]
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    annotation = info.annotation
    choices: tuple[str, ...] = ()
    if get_origin(annotation) is Literal:
        kind, choices = "choice", get_args(annotation)
    else:
        kind = KINDS.get(annotation, "text")
    limits = {type(limit).__name__: limit for limit in info.metadata}
    low, high = limits.get("Ge"), limits.get("Le")
    return Spec(
        key=key,
        kind=str(extra["kind"]) or kind,
        default=info.default,
        group=str(extra["group"]),
        tier=str(extra["tier"]),
        unit=str(extra["unit"]),
        minimum=None if low is None else float(low.ge),
        maximum=None if high is None else float(high.le),
        choices=choices,
        affects=tuple(str(phase) for phase in extra["affects"]),  # type: ignore[union-attr]
        form=str(extra["form"]),
    )

"""What a run is configured with: read once, from flags and the environment, and passed on."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("en", "zh")
"""What the page can speak."""

PROJECT = Path(__file__).resolve().parent
DEFAULT_WORKSPACE = "workspace"


@dataclass(frozen=True)
class Settings:
    workspace: Path = Path(DEFAULT_WORKSPACE)
    host: str = "127.0.0.1"
    port: int = 7860
    device: str = "auto"
    models: dict[str, str] = field(default_factory=dict)
    """For a task, the folder or Hub name of a model that takes the starter's place at first."""
    annotator: str = "me"
    """The name that the page offers to sign verdicts with."""
    language: str = ""
    """What the page speaks, one of `LANGUAGES`; empty: what each person's browser asks for."""

    retention_budget: float = 1.0
    contrast_budget: float = 5.0
    """How many points of accuracy a new version may lose on the retention set, and on contrasts of what it was
    taught, and still be promoted without a reason."""

    insecure: bool = False
    """Whether other machines may reach the page though there are no accounts."""
    session_hours: float = 12.0
    """After so long a person logs in again."""
    https: bool = False
    """Whether people reach the page over HTTPS alone, so that the session's cookie goes nowhere else."""

    backup_hours: float = 24.0
    """After so long the running app copies the store again."""

    train_on: str = "auto"
    """`confirmed`: what two people agree on; `all`: every verdict, what one person alone says counting half; `auto`:
    all while there is one annotator, confirmed as soon as there are two."""

    root_path: str = ""
    """The prefix under which a proxy serves the page, such as `/lab`."""
    origins: tuple[str, ...] = ()
    """Further addresses of the page, such as `https://lab.example.org`, from which it may be asked."""
    upload_mib: int = 50
    """The largest request."""
    rate_limit: str = ""
    """How many requests that do work one person may send, such as `600/minute`; empty: any number."""
    queue_length: int = 64
    """How many of the page's events may wait before further ones are refused."""
    log_format: str = "text"
    """`text` or `json`."""
    metrics_token: str = ""
    """What `/metrics` wants to see as a bearer token; empty: it answers this machine alone."""

    executor: str = "local"
    """Where jobs are trained: `local`, or on a `ray` cluster."""
    ray_address: str = ""
    """The cluster's, such as `auto`, `10.0.0.5:6379` or `ray://head:10001`; empty: one on this machine is started."""
    ray_storage: str = ""
    """Where job folders go that the cluster's machines cannot see here: any path that fsspec knows, such as
    `s3://bucket/jobs`; empty: they all share this file system."""
    ray_jobs: int = 4
    """How many jobs may be on the cluster at once."""
    serving: str = "local"
    """Where live versions answer: `local`, or in replicas on a `ray` cluster, the same as the executor's."""
    ray_replicas: int = 4
    """Up to how many replicas a live version gets there while many ask."""
    train_workers: int = 1
    """How many processes train one job together: on a cluster, or on this machine's GPUs by torchrun."""

    on_stop: str = "continue"
    """What the app's end by a signal does to running jobs: they `continue` without it, or stop at a `checkpoint` and
    go on when it is started again."""
    keep_jobs_days: int = 30
    """After so long the folder of a job that ended is removed; the newest twenty stay, and all versions."""

    precision: str = "auto"
    """In what number format the page's answers are computed: `auto` (bfloat16 where the hardware has it and the
    answers stay close) or `fp32`."""

    model_memory_mib: int = 1024
    """How much memory loaded versions may take before those asked for longest ago are let go."""

    @property
    def budgets(self) -> dict[str, float]:
        return {"retention": self.retention_budget, "contrasts": self.contrast_budget}

    @property
    def store(self) -> Path:
        return self.workspace / "blindspot.db"

    @property
    def versions(self) -> Path:
        return self.workspace / "versions"

    @property
    def jobs(self) -> Path:
        return self.workspace / "jobs"

    @property
    def exports(self) -> Path:
        """Where files of versions lie for a day that somebody wants to take away."""
        return self.workspace / "exports"

    @property
    def suites(self) -> Path:
        """Where behavioural suites are that people added, as `<task>/<name>.json`."""
        return self.workspace / "suites"

    @property
    def backups(self) -> Path:
        return self.workspace / "backups"


def read_settings(
    *,
    workspace: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    device: str | None = None,
    models: list[str] | None = None,
    insecure: bool = False,
    executor: str | None = None,
    serving: str | None = None,
    ray_address: str | None = None,
    train_workers: int | None = None,
    language: str | None = None,
) -> Settings:
    """Settings from the given flags, else from BLINDSPOT_* variables, else the defaults.

    `models` are TASK=PATH. Raises ValueError on one that is not.
    """
    env = os.environ.get
    chosen = {}
    for item in models or []:
        task, separator, path = item.partition("=")
        if not separator or not path:
            raise ValueError(f"Expected --model TASK=PATH, such as nli=my/model; found {item!r}.")
        chosen[task] = path
    return Settings(
        workspace=Path(workspace or env("BLINDSPOT_WORKSPACE") or DEFAULT_WORKSPACE).resolve(),
        host=host or env("BLINDSPOT_HOST") or Settings.host,
        port=port or int(env("BLINDSPOT_PORT") or Settings.port),
        device=device or env("BLINDSPOT_DEVICE") or Settings.device,
        models=chosen,
        insecure=insecure or env("BLINDSPOT_INSECURE") == "1",
        session_hours=float(env("BLINDSPOT_SESSION_HOURS") or Settings.session_hours),
        https=env("BLINDSPOT_HTTPS") == "1",
        annotator=env("BLINDSPOT_ANNOTATOR") or env("USER") or Settings.annotator,
        language=_one_of("--language", language or env("BLINDSPOT_LANGUAGE") or Settings.language, ("", *LANGUAGES)),
        retention_budget=float(env("BLINDSPOT_RETENTION_BUDGET") or Settings.retention_budget),
        backup_hours=float(env("BLINDSPOT_BACKUP_HOURS") or Settings.backup_hours),
        train_on=_one_of(
            "BLINDSPOT_TRAIN_ON", env("BLINDSPOT_TRAIN_ON") or Settings.train_on, ("auto", "all", "confirmed")
        ),
        contrast_budget=float(env("BLINDSPOT_CONTRAST_BUDGET") or Settings.contrast_budget),
        root_path=(env("BLINDSPOT_ROOT_PATH") or "").rstrip("/"),
        origins=tuple((env("BLINDSPOT_ORIGINS") or "").replace(",", " ").split()),
        upload_mib=int(env("BLINDSPOT_UPLOAD_MIB") or Settings.upload_mib),
        rate_limit=env("BLINDSPOT_RATE_LIMIT") or Settings.rate_limit,
        queue_length=int(env("BLINDSPOT_QUEUE_LENGTH") or Settings.queue_length),
        log_format=_one_of(
            "BLINDSPOT_LOG_FORMAT", env("BLINDSPOT_LOG_FORMAT") or Settings.log_format, ("text", "json")
        ),
        metrics_token=env("BLINDSPOT_METRICS_TOKEN") or Settings.metrics_token,
        executor=_one_of("--executor", executor or env("BLINDSPOT_EXECUTOR") or Settings.executor, ("local", "ray")),
        ray_address=ray_address or env("BLINDSPOT_RAY_ADDRESS") or Settings.ray_address,
        ray_storage=env("BLINDSPOT_RAY_STORAGE") or Settings.ray_storage,
        ray_jobs=int(env("BLINDSPOT_RAY_JOBS") or Settings.ray_jobs),
        serving=_one_of("--serving", serving or env("BLINDSPOT_SERVING") or Settings.serving, ("local", "ray")),
        ray_replicas=int(env("BLINDSPOT_RAY_REPLICAS") or Settings.ray_replicas),
        train_workers=train_workers or int(env("BLINDSPOT_TRAIN_WORKERS") or Settings.train_workers),
        on_stop=_one_of(
            "BLINDSPOT_ON_STOP", env("BLINDSPOT_ON_STOP") or Settings.on_stop, ("continue", "checkpoint")
        ),
        keep_jobs_days=int(env("BLINDSPOT_KEEP_JOBS_DAYS") or Settings.keep_jobs_days),
        precision=_one_of("BLINDSPOT_PRECISION", env("BLINDSPOT_PRECISION") or Settings.precision, ("auto", "fp32")),
        model_memory_mib=int(env("BLINDSPOT_MODEL_MEMORY_MIB") or Settings.model_memory_mib),
    )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"Expected as {name} {' or '.join(filter(None, allowed))}; found {value!r}.")
    return value

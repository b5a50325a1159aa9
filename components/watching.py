"""What is counted while the app runs, for Prometheus and for the Status tab."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric

from data.jobs import count_by_state
from data.store import StoreError

if TYPE_CHECKING:
    from components.context import Lab

LATENCIES_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters of one app. Prometheus' names; seconds and bytes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.started = time.monotonic()
        self.probes = Counter(
            "blindspot_probes", "Answers given, by task and outcome", ["task", "outcome"], registry=self.registry
        )
        self.latency = Histogram(
            "blindspot_probe_seconds", "From question to answer", buckets=LATENCIES_S, registry=self.registry
        )
        self.batch_rows = Histogram(
            "blindspot_batch_rows", "Probes computed together", buckets=BATCHES, registry=self.registry
        )
        self.batch_seconds = Histogram(
            "blindspot_batch_seconds", "Computing a batch", buckets=LATENCIES_S, registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def probe(self, task: str, seconds: float, outcome: str = "answered") -> None:
        self.probes.labels(task, outcome).inc()
        self.latency.observe(seconds)

    def batch(self, rows: int, seconds: float) -> None:
        self.batch_rows.observe(rows)
        self.batch_seconds.observe(seconds)

    def quantile(self, share: float) -> float | None:
        """Within how many seconds that share of the probes was answered, read off the histogram; None without any."""
        buckets = [
            (float(s.labels["le"]), s.value)
            for metric in self.latency.collect()
            for s in metric.samples
            if s.name.endswith("_bucket")
        ]
        total = buckets[-1][1]
        return next((bound for bound, count in buckets if count >= share * total), None) if total else None


class LabCollector:
    """What is read at the moment of asking: queue, loaded models, jobs, store and disk."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def collect(self) -> Iterator[Metric]:
        lab = self.lab
        if lab.is_serving:
            serving = lab.serving
            yield GaugeMetricFamily("blindspot_waiting_probes", "Probes in the queue", serving.batcher.depth)
            loaded = sum(engine.size_bytes for engine in serving.engines)
            yield GaugeMetricFamily("blindspot_models_bytes", "Weights of the loaded versions", loaded)
            yield GaugeMetricFamily("blindspot_models_loaded", "Loaded versions", len(serving.engines))
            yield GaugeMetricFamily("blindspot_gpu_bytes", "GPU memory in use", serving.gpu_bytes())
        family = GaugeMetricFamily("blindspot_jobs", "Runs by state", labels=["state"])
        try:
            for state, count in count_by_state(lab.db()).items():
                family.add_metric([state], count)
            yield family
        except StoreError:
            yield GaugeMetricFamily("blindspot_store_down", "1 where the store cannot be read", 1)
        files = lab.settings.store.parent.glob(f"{lab.settings.store.name}*")
        size = sum(path.stat().st_size for path in files)
        yield GaugeMetricFamily("blindspot_store_bytes", "The store's files", size)
        free = shutil.disk_usage(lab.settings.workspace).free
        yield GaugeMetricFamily("blindspot_disk_free_bytes", "Free disk under the workspace", free)


def resident_bytes() -> int:
    """Memory that this process has in use."""
    return psutil.Process().memory_info().rss

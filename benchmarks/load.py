"""Many HTTP clients at once against one address, and how long each waited."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

Ask = Callable[[httpx.AsyncClient, Any], Awaitable[None]]


@dataclass(frozen=True)
class Load:
    rate: float
    """Answers a second."""
    p50_ms: float
    p95_ms: float


def routed(url: str, task: str) -> Ask:
    """A probe by the app's route for programs."""

    async def ask(client: httpx.AsyncClient, example: dict[str, Any]) -> None:
        reply = await client.post(f"{url}api/predict", json={"task": task, "examples": [example]})
        reply.raise_for_status()

    return ask


def queued(url: str, endpoint: str, values: Callable[[Any], list[Any]]) -> Ask:
    """A call of a Gradio endpoint as its clients make it: into the queue, then its event stream to the end.

    Each client keeps its session, as `gradio_client` does: a new one costs Gradio a look at every part of the page.
    """

    async def ask(client: httpx.AsyncClient, example: Any) -> None:
        body = {"data": values(example), "session_hash": f"client-{id(asyncio.current_task())}"}
        reply = await client.post(f"{url}gradio_api/call/{endpoint}", json=body)
        reply.raise_for_status()
        stream = f"{url}gradio_api/call/{endpoint}/{reply.json()['event_id']}"
        async with client.stream("GET", stream) as events:
            async for line in events.aiter_lines():
                if line.startswith("event: error"):
                    raise RuntimeError(f"{endpoint} failed")
                if line.startswith("event: complete"):
                    return

    return ask


def measure(ask: Ask, rows: Sequence[Any], clients: int, seconds: float) -> Load:
    """So many clients, each asking again as soon as it is answered; every question is another row."""
    return asyncio.run(_measure(ask, rows, clients, seconds))


async def _measure(ask: Ask, rows: Sequence[Any], clients: int, seconds: float) -> Load:
    taken: list[float] = []
    number = 0

    async def one() -> None:
        nonlocal number
        # a connection of its own: among many in one pool httpx looks at each for every request
        async with httpx.AsyncClient(timeout=120, trust_env=False, verify=False) as client:  # noqa: S501 loopback
            await started.wait()
            while time.perf_counter() < end:
                row, number = rows[number % len(rows)], number + 1
                start = time.perf_counter()
                await ask(client, row)
                taken.append(time.perf_counter() - start)

    started = asyncio.Event()
    running = [asyncio.create_task(one()) for _ in range(clients)]
    await asyncio.sleep(0)  # their clients are made
    begun = time.perf_counter()
    end = begun + seconds
    started.set()
    await asyncio.gather(*running)
    elapsed = time.perf_counter() - begun
    return Load(len(taken) / elapsed, 1000 * quantile(taken, 0.5), 1000 * quantile(taken, 0.95))


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_load(loads: Sequence[Load]) -> Load:
    return Load(*(statistics.median(getattr(one, name) for one in loads) for name in ("rate", "p50_ms", "p95_ms")))

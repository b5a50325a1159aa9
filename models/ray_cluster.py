"""The way onto a Ray cluster, for training and for serving."""

from __future__ import annotations

import socket

from settings import PROJECT

LEFT_OUT = [".git", ".venv", ".build", "workspace", "docs", "tests/browser", "**/__pycache__"]
"""What of the project no machine of the cluster needs."""


def join_cluster(address: str, *, log_to_driver: bool = True) -> None:
    """Connects this process to the cluster, which gets the project's code; empty: starts one on this machine.

    Raises RuntimeError where none answers.
    """
    import ray

    look_for(address)
    environment = {"working_dir": str(PROJECT), "excludes": LEFT_OUT} if address else {}
    try:
        ray.init(
            address=address or None,
            runtime_env=environment,
            log_to_driver=log_to_driver,
            include_dashboard=False,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise no_cluster(address, error) from error


def look_for(address: str) -> None:
    """Raises RuntimeError where nothing listens at HOST:PORT or ray://HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise no_cluster(address, error) from error


def no_cluster(address: str, error: Exception) -> RuntimeError:
    return RuntimeError(
        f"Expected a Ray cluster at {address or 'this machine'}; found none that answers ({error}). "
        "Start one with `ray start --head`, or give its address as --ray-address."
    )

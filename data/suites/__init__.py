"""Behavioural test suites (after CheckList, Ribeiro et al. 2020): data in JSON, and what reads and expands it."""

from data.suites.base import Suite, SuiteError, Template
from data.suites.compose import compose, remove_suite, save_suite
from data.suites.expand import expand, passes, split_suite, split_words
from data.suites.load import all_suites, load_suites, load_words, parse_suite, read_suite

__all__ = [
    "Suite",
    "SuiteError",
    "Template",
    "all_suites",
    "compose",
    "expand",
    "load_suites",
    "load_words",
    "parse_suite",
    "passes",
    "read_suite",
    "remove_suite",
    "save_suite",
    "split_suite",
    "split_words",
]

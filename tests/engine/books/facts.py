"""Facts and their spools, as the tests write them."""

from engine.books.catalogue import Catalogue
from engine.books.spool import Spool


def exposure(trace_id, at=1.0):
    return {
        "trace_id": trace_id,
        "at": at,
        "workflow": "docs",
        "unit_id": "u-é",
        "version": 3,
        "bucket": 999_999,
        "variant": "base",
        "forced": False,
    }


def trace(trace_id, at=1.0):
    return {"trace_id": trace_id, "at": at, "status": "ok", "cost_usd": 0.1, "cache_hit": True}


def score(key, value=1.0, *, at=1.0, trace_id="t", metric="quality"):
    return {"key": key, "at": at, "trace_id": trace_id, "metric": metric, "score": value}


def spool_in(root, writer="w", **options):
    return Spool(root / "spools" / f"{writer}.db", Catalogue(root / "catalogue.db"), **options)

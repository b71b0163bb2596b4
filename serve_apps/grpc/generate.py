"""Writes the modules that Python speaks the proto file by: `python -m serve_apps.grpc.generate`."""

from pathlib import Path

import grpc_tools  # type: ignore[import-untyped, unused-ignore]
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
KNOWN = Path(grpc_tools.__file__).parent / "_proto"
"""The messages that every installation knows."""
PROTO = "serve_apps/grpc/agent_service.proto"
HEAD = "# ruff: noqa\n# fmt: off\n# mypy: ignore-errors\n"
"""What is generated is nobody's style."""


def generated(root: Path) -> list[Path]:
    """Write the modules under this root; where they are."""
    outs = [f"--{kind}_out={root}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{ROOT}", f"-I{KNOWN}", *outs, PROTO]) != 0:
        raise SystemExit(f"{PROTO}: protoc can't read it; see what it said")
    stem = (root / PROTO).with_suffix("")
    files = [Path(f"{stem}_pb2.py"), Path(f"{stem}_pb2.pyi"), Path(f"{stem}_pb2_grpc.py")]
    for file in files:
        file.write_text(HEAD + file.read_text())
    return files


if __name__ == "__main__":
    generated(ROOT)

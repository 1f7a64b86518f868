"""Optional packages: found, or an error that says how to install them."""

from __future__ import annotations

import importlib
from types import ModuleType

from tunebook.errors import MissingExtra

#: module -> the extra of tunebook that brings it
EXTRAS = {
    "psycopg": "postgres",
    "plotly": "plots",
    "pandas": "frames",
    "pyarrow": "frames",
    "torch": "kit",
    "starlette": "web",
    "uvicorn": "web",
    "ray": "ray",
    "submitit": "slurm",
}


def require(module: str) -> ModuleType:
    """Return the imported ``module``, or raise ``MissingExtra`` naming the extra that holds it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != root:
            raise
        extra = EXTRAS.get(root, "all")
        raise MissingExtra(
            f"this needs the package {root}, which is not installed; run: pip install 'tunebook[{extra}]'"
        ) from error

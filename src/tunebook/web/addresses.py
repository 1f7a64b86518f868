"""The addresses of the page: the name behind ``/api/`` and the function that answers it."""

from __future__ import annotations

from collections.abc import Mapping

READS: Mapping[str, str] = {
    "project": "tunebook.web.answers:project",
    "round": "tunebook.web.answers:round_data",
    "findings": "tunebook.web.answers:findings",
    "plot": "tunebook.web.answers:plot",
    "diagnoses": "tunebook.web.answers:diagnoses",
    "trial": "tunebook.web.answers:trial",
    "compare": "tunebook.web.answers:compare",
    "verdict": "tunebook.web.answers:verdict",
    "sheet": "tunebook.web.answers:sheet",
    "sheet-file": "tunebook.web.answers:sheet_file",
    "next": "tunebook.web.answers:propose",
    "report": "tunebook.web.answers:report",
}
WRITES: Mapping[str, str] = {
    "adopt": "tunebook.web.answers:adopt",
    "keep": "tunebook.web.answers:keep",
    "save-next": "tunebook.web.answers:save_next",
    "note": "tunebook.web.answers:note",
}

#: What is answered everywhere while the server stops.
CLOSING = "the page is closing"

"""The live page: a thin face of Project in the browser."""

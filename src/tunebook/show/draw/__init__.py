"""From plot data to Plotly's vocabulary (traces and layout as plain mappings); needs no Plotly."""

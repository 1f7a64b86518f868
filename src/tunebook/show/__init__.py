"""What people look at: plot data, figures, terminal, report, sheet."""

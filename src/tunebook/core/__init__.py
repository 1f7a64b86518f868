"""Values: frozen, validated on construction, standard library only."""

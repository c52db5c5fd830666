"""Umbrellas and their collectives, inside one vault: affiliations, figures, shared material, what storage costs."""

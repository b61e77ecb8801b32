"""Model packs: fetched from a model hub, checked, and laid where the archives are built from.

May look into ``fishgate``, never the reverse. ``scripts/fetch_models`` is its front.
"""

"""What the user sees: the tab "InSpatio" in the sidebar of the 3D viewport."""

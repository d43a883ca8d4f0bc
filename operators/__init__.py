"""What the user presses. Each operator is thin: it calls `inspatio_blender` and reports what came of it."""

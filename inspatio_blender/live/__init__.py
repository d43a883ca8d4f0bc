"""The live preview: the world answers while the camera moves."""

"""Live: frames of the shot while the camera moves.

The preview's core knows nothing of Blender: `orders`, `plan` and `flight` say what is to be generated, `stream` has it
generated in the worker's thread, `store` holds the pictures, `keep` makes a take of them.
"""

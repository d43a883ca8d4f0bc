"""The add-on's body: settings, cameras, references, takes and the way to the backend.

Nothing here draws a panel or is pressed by a user: `operators/` and `panels/` do that with what is here.
"""

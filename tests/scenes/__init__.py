"""Scenes built by script: random rooms to train on, hand-made sets to measure on, and the demo's set.

Everything here runs inside the bpy module and is made of the same parts: solids become furniture, furniture
becomes rooms, and a shot's cameras are rendered by Cycles to colour and exact planar depth.
"""

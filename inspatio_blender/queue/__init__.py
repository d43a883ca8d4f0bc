"""Shots that are generated one after the other, kept on disk so that a crash loses nothing. Knows nothing of Blender.

items.py    what is in the queue and how it changes: values, no files, no time
pace.py     how long what is left will take
lock.py     one process at a time runs a queue
keeper.py   the queue's files, and the thread that reads and writes them
work.py     an item's take: which is its own, from which it goes on
"""

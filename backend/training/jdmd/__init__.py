"""Joint distribution matching distillation (arXiv 2604.07209): what its stages are made of.

clips    real video for the free stream
teacher  stage: a flow-matching model for each stream
flow     flow matching: teachers, and the critics that follow the student
rollout  the student's own blocks, one after the other, as it makes them in use
dmd      where to a student's frames have to move, from a teacher and a critic
distil   stage: the student between its teachers and critics
joint    both streams at once: re-rendering a reference, and making video of nothing
"""

"""Training of the small generator: synthetic scenes, data set, training and evaluation."""

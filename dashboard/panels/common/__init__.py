"""Parts that several panels use: progress of jobs, text for the screen, the choice of a site, the list of models."""

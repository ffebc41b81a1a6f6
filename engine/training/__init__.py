"""Training: the loop, the settings and the job."""

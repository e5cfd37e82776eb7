"""Training and fine-tuning: data made here, the paper's objectives, runs that resume."""

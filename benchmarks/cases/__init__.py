"""The measurements. Each module adds samples to the `Results` of a run; `plan.py` says which cases there are."""

"""The brain of Miyabi Recovery: spec, state, drift, plan. Pure, except for the modules that read files or parse arguments."""

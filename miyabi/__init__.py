"""The brain of Miyabi Recovery: spec, state, drift, plan. Pure, but for what reads files or arguments."""

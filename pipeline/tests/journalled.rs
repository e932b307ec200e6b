//! With a journal on a real disk: what was acknowledged survives, what was settled does not come again.

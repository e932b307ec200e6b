//! The ledger under random flows.

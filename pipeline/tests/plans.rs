//! What the plan says of graphs that are wrong or odd.

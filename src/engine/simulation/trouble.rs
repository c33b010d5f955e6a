//! What goes wrong, and whom it costs.

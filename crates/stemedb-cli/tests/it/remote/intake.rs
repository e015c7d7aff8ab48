//! Records that are sent.

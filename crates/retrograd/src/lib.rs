//! retrograd.

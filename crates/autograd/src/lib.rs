//! The reverse-mode tape of retrograd and everything built on it.

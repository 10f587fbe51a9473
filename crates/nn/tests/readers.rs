//! Readers of files: what they read, and what they refuse without a panic or a large allocation.

#![cfg(feature = "data")]

#[path = "readers/files.rs"]
mod files;
#[path = "readers/idx.rs"]
mod idx;
#[path = "readers/image.rs"]
mod image;
#[path = "readers/table.rs"]
mod table;
#[path = "readers/text.rs"]
mod text;

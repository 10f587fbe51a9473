//! The claims of the examples, each run with a small budget: the direction of what an example shows must hold, with a
//! margin. What margins were seen over several seeds stands beside each check.
//!
//! An example `NAME` is the module `NAME`, its check the file `check_NAME.rs` beside this one.

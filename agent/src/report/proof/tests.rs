//! What people see, as they see it, and the names that programs rely on.

mod json;
mod pprof;
mod text;
mod why;

//! Goroutine profiles, as Go programs serve them of themselves under `/debug/pprof/`
//! (<https://github.com/golang/go/blob/go1.27.4/src/net/http/pprof/pprof.go>), for those that do not.

mod gate;
mod handlers;
mod request;
mod take;

pub(super) use gate::Gate;
pub(super) use handlers::{discovery, index, profile};
pub use take::take;

//! The messages of pprof's format, as far as they are used here.
//!
//! Names and tags: those of <https://github.com/golang/go/blob/go1.27.4/src/runtime/pprof/proto.go>.

use prost::Message;

/// Strings are indices of `string_table`, of which the first is empty.
#[derive(Clone, PartialEq, Message)]
pub(in crate::report) struct Profile {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::report) sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    pub(in crate::report) sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::report) mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    pub(in crate::report) location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(in crate::report) function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    pub(in crate::report) string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    pub(in crate::report) time_nanos: i64,
    #[prost(message, optional, tag = "11")]
    pub(in crate::report) period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    pub(in crate::report) period: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::report) struct ValueType {
    #[prost(int64, tag = "1")]
    pub(in crate::report) r#type: i64,
    #[prost(int64, tag = "2")]
    pub(in crate::report) unit: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::report) struct Sample {
    /// Innermost first.
    #[prost(uint64, repeated, tag = "1")]
    pub(in crate::report) location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub(in crate::report) value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::report) label: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::report) struct Label {
    #[prost(int64, tag = "1")]
    pub(in crate::report) key: i64,
    #[prost(int64, tag = "2")]
    pub(in crate::report) str: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::report) struct Mapping {
    #[prost(uint64, tag = "1")]
    pub(in crate::report) id: u64,
    #[prost(int64, tag = "5")]
    pub(in crate::report) filename: i64,
    #[prost(int64, tag = "6")]
    pub(in crate::report) build_id: i64,
    #[prost(bool, tag = "7")]
    pub(in crate::report) has_functions: bool,
    #[prost(bool, tag = "8")]
    pub(in crate::report) has_filenames: bool,
    #[prost(bool, tag = "9")]
    pub(in crate::report) has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    pub(in crate::report) has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::report) struct Location {
    #[prost(uint64, tag = "1")]
    pub(in crate::report) id: u64,
    #[prost(uint64, tag = "2")]
    pub(in crate::report) mapping_id: u64,
    #[prost(message, repeated, tag = "4")]
    pub(in crate::report) line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::report) struct Line {
    #[prost(uint64, tag = "1")]
    pub(in crate::report) function_id: u64,
    #[prost(int64, tag = "2")]
    pub(in crate::report) line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::report) struct Function {
    #[prost(uint64, tag = "1")]
    pub(in crate::report) id: u64,
    #[prost(int64, tag = "2")]
    pub(in crate::report) name: i64,
    #[prost(int64, tag = "3")]
    pub(in crate::report) system_name: i64,
    #[prost(int64, tag = "4")]
    pub(in crate::report) filename: i64,
}

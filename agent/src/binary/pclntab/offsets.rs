//! Offsets into the parts of the pclntab. Each part has a base of its own, and all are plain
//! 32-bit numbers in the file: types keep them apart.

macro_rules! offset {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u32);
    };
}

offset! {
    /// From the start of the text: function entries.
    TextOffset
}
offset! {
    /// From the entry of a function: call sites of inlined calls.
    EntryOffset
}
offset! {
    /// Into `funcnametab`.
    NameOffset
}
offset! {
    /// Into `cutab`, in entries of four bytes: where a compilation unit's files begin.
    CuOffset
}
offset! {
    /// Into `filetab`.
    FileNameOffset
}
offset! {
    /// Into `pctab`; 0 says that there is no table.
    PcOffset
}
offset! {
    /// Into `pclntable`, where functions' records are.
    FuncOffset
}
offset! {
    /// From `moduledata.gofunc`; all ones say that there is none.
    FuncdataOffset
}

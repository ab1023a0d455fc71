//! Stands in for what is still written.
use crate::{memory::{MemoryReader, MemoryError}, runtime::heap::{Span, Spans, Heap}};
#[derive(Debug, Default)]
pub struct PointerMaps;
impl PointerMaps {
    pub fn new(_: &Heap) -> Self { Self }
    pub fn prepare(&mut self, _: &impl MemoryReader, _: &Spans, _: &[u32]) -> Result<(), MemoryError> { Ok(()) }
    pub fn scan(&self, span: &Span, index: u32, offset: u64, bytes: &[u8], visit: &mut impl FnMut(u64, u64)) {
        let begin = (u64::from(index) * span.element).max(offset);
        let end = (u64::from(index) * span.element + span.element).min(offset + bytes.len() as u64);
        let Some(bytes) = bytes.get((begin - offset) as usize..(end.max(begin) - offset) as usize) else { return };
        for (n, w) in (0..).zip(crate::binary::bytes::words(bytes)) {
            if w != 0 { visit(span.start + begin + n * 8, w) }
        }
    }
}

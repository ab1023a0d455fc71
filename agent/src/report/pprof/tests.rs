//! Reading profiles back, for tests.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

/// A profile as it was written, read back.
pub(in crate::report) fn decoded(written: &[u8]) -> Profile {
    let mut bytes = Vec::new();
    GzDecoder::new(written).read_to_end(&mut bytes).unwrap();
    Profile::decode(&bytes[..]).unwrap()
}

impl Profile {
    pub(in crate::report) fn text(&self, index: i64) -> &str {
        &self.string_table[usize::try_from(index).unwrap()]
    }

    /// `function file:line` of each place of a sample.
    pub(in crate::report) fn stack(&self, sample: &Sample) -> Vec<String> {
        let place = |id: &u64| {
            let location = self.location.iter().find(|l| l.id == *id).unwrap();
            assert_eq!(location.mapping_id, self.mapping[0].id);
            let [line] = &location.line[..] else {
                panic!("{location:?}")
            };
            let function = self
                .function
                .iter()
                .find(|f| f.id == line.function_id)
                .unwrap();
            format!(
                "{} {}:{}",
                self.text(function.name),
                self.text(function.filename),
                line.line
            )
        };
        sample.location_id.iter().map(place).collect()
    }

    pub(in crate::report) fn labels_of(&self, sample: &Sample) -> Labels {
        let label = |label: &Label| (self.text(label.key).into(), self.text(label.str).into());
        sample.label.iter().map(label).collect()
    }
}

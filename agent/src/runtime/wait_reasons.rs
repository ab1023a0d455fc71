//! The runtime's own table of wait reasons. They are numbered anew in each release, so only the
//! table in the binary tells what a number means.

use thiserror::Error;

use super::{
    references::data_references,
    slices::string,
    waits::{self, Purpose},
};
use crate::{
    binary::{GoBinary, LinkAddress, LoadBias, RuntimeAddress},
    memory::MemoryReader,
};

/// Functions that have referred to `runtime.waitReasonStrings` in every release from 1.18 to 1.27.
const USERS: [&str; 3] = [
    "runtime.waitReason.String",
    "runtime.goroutineheader",
    "runtime.schedtrace.func1",
];

/// There are about forty; the first that is implausible ends the table.
const MAX_REASONS: usize = 64;
const MAX_LENGTH: u64 = 64;
/// Size of a string header: pointer and length.
const STRING: usize = 16;

/// Why wait reasons have no names.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum WaitReasonError {
    /// No function refers to something that looks like the table.
    #[error("the runtime's table of wait reasons was not found in the binary")]
    NotFound,
}

/// Number to name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitReasons {
    names: Vec<String>,
}

impl WaitReasons {
    /// Finds and reads the table in a process that runs `binary`.
    ///
    /// # Errors
    /// It is not where it is looked for.
    pub fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
    ) -> Result<Self, WaitReasonError> {
        let symbol = binary.elf().symbol("runtime.waitReasonStrings");
        let from_symbol = symbol.map(|(address, _)| address).into_iter();
        let functions = binary.pclntab().functions_named(USERS);
        let referred = functions.iter().flatten().flat_map(|function| {
            let code = binary.function_code(function).unwrap_or_default();
            data_references(binary.architecture(), function.entry(), code)
        });
        let candidates: Vec<LinkAddress> = from_symbol.chain(referred).collect();
        candidates
            .into_iter()
            .find_map(|address| Self::read(memory, bias.to_runtime(address)))
            .ok_or(WaitReasonError::NotFound)
    }

    /// The runtime's word for reason `number`; `None` for the empty one and for unknown ones.
    #[must_use]
    pub fn name(&self, number: u8) -> Option<&str> {
        self.names
            .get(usize::from(number))
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// For each number, in order, what it means to wait for.
    pub fn purposes(&self) -> impl Iterator<Item = Purpose> {
        self.all().map(waits::purpose)
    }

    /// Whether number `reason` means waiting on something that has an address, a time or a
    /// descriptor.
    #[must_use]
    pub fn is_on_a_thing(&self, reason: u8) -> bool {
        self.name(reason).is_some_and(waits::is_on_a_thing)
    }

    /// All names in the order of their numbers; empty where a number has none.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The table at `address`, if it is one: the first string is empty, and the reasons that every
    /// release has are there.
    fn read(memory: &impl MemoryReader, address: RuntimeAddress) -> Option<Self> {
        let mut names = Vec::new();
        for n in 0..MAX_REASONS {
            let header = address.checked_add((n * STRING) as u64)?;
            match read_string(memory, header) {
                Some(name) if n == 0 && !name.is_empty() => return None,
                Some(name) => names.push(name),
                None => break,
            }
        }
        let known = ["chan receive", "chan send", "select", "sleep"];
        known
            .iter()
            .all(|known| names.iter().any(|name| name == known))
            .then_some(Self { names })
    }
}

/// In the order of their numbers.
impl FromIterator<String> for WaitReasons {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        Self {
            names: names.into_iter().collect(),
        }
    }
}

fn read_string(memory: &impl MemoryReader, header: RuntimeAddress) -> Option<String> {
    let header = memory.read_words(header).ok()?;
    let text = string(memory, "a wait reason", header, MAX_LENGTH).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.bytes()
        .all(|byte| (0x20..0x7f).contains(&byte))
        .then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::BytesMemory;

    fn table(names: &[&str]) -> BytesMemory {
        let base = 0x1000;
        let (mut headers, mut texts) = (Vec::new(), Vec::new());
        let texts_at = base + (STRING * names.len()) as u64 + 8;
        for name in names {
            headers.extend_from_slice(&(texts_at + texts.len() as u64).to_le_bytes());
            headers.extend_from_slice(&(name.len() as u64).to_le_bytes());
            texts.extend_from_slice(name.as_bytes());
        }
        // What ends the table: a length nobody believes.
        headers.extend_from_slice(&u64::MAX.to_le_bytes());
        headers.extend_from_slice(&texts);
        headers.extend_from_slice(&[0xff; 8]);
        BytesMemory {
            base,
            bytes: headers,
        }
    }

    #[test]
    fn reads_a_table() {
        let names = [
            "",
            "IO wait",
            "chan receive",
            "chan send",
            "select",
            "sleep",
        ];
        let read = WaitReasons::read(&table(&names), RuntimeAddress(0x1000)).expect("a table");
        assert_eq!(read.name(2), Some("chan receive"));
        assert_eq!(read.name(0), None);
        assert_eq!(read.name(40), None);
    }

    #[test]
    fn another_table_of_strings_is_not_taken_for_it() {
        let names = ["idle", "runnable", "running"];
        assert_eq!(
            WaitReasons::read(&table(&names), RuntimeAddress(0x1000)),
            None
        );
    }
}

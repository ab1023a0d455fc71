//! Goroutines as a profile for `go tool pprof`, as `runtime/pprof` writes its count profiles.

pub(super) mod messages;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod text;

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    slice,
};

use flate2::{Compression, write::GzEncoder};
use prost::Message as _;

use self::messages::{Function, Label, Line, Location, Mapping, Profile, Sample, ValueType};
use super::{Place, ProcessInfo, time};

/// The only mapping.
const EXECUTABLE: u64 = 1;

pub(super) type Labels = BTreeMap<String, String>;

/// Goroutines to be counted.
pub(super) struct Counted<'a> {
    /// Where they are, innermost first; where that is not known, the started function stands for it.
    pub(super) stack: Option<&'a [Place]>,
    /// The function they start.
    pub(super) start: &'a Place,
    /// pprof labels.
    pub(super) labels: Option<&'a Labels>,
    /// How many.
    pub(super) count: u64,
}

/// Writes a gzipped profile of the sample type `kind`, counted: a sample for each stack and its labels.
///
/// Places have no addresses, so the profile needs no executable to be read.
pub(super) fn write<'a>(
    output: &mut impl Write,
    kind: &str,
    process: &ProcessInfo,
    taken_at: &str,
    counted: impl Iterator<Item = Counted<'a>>,
) -> io::Result<()> {
    let profile = Builder::new(kind, process, taken_at, counted).profile;
    let mut output = GzEncoder::new(output, Compression::default());
    output.write_all(&profile.encode_to_vec())?;
    output.finish()?.flush()
}

/// A profile and what is in it already.
#[derive(Default)]
struct Builder {
    profile: Profile,
    strings: HashMap<String, i64>,
    functions: HashMap<(i64, i64), u64>,
    locations: HashMap<Place, u64>,
}

impl Builder {
    fn new<'a>(
        kind: &str,
        process: &ProcessInfo,
        taken_at: &str,
        counted: impl Iterator<Item = Counted<'a>>,
    ) -> Self {
        let mut builder = Self::default();
        // The first one has to be.
        builder.string("");
        let value = ValueType {
            r#type: builder.string(kind),
            unit: builder.string("count"),
        };
        builder.profile.sample_type.push(value);
        builder.profile.period_type = Some(value);
        builder.profile.period = 1;
        builder.profile.time_nanos = time::nanoseconds(taken_at).unwrap_or(0);
        let executable = Mapping {
            id: EXECUTABLE,
            filename: builder.string(&process.exe),
            build_id: builder.string(process.build_id.as_deref().unwrap_or_default()),
            // All is known that can be: pprof is not to look for the executable.
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
        };
        builder.profile.mapping.push(executable);
        let mut samples: BTreeMap<(&[Place], Option<&Labels>), u64> = BTreeMap::new();
        for goroutines in counted {
            let sample = (goroutines.places(), goroutines.labels);
            *samples.entry(sample).or_default() += goroutines.count;
        }
        let mut samples: Vec<_> = samples.into_iter().collect();
        samples.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for ((places, labels), count) in samples {
            let sample = Sample {
                location_id: places.iter().map(|place| builder.location(place)).collect(),
                value: vec![i64::try_from(count).unwrap_or(i64::MAX)],
                label: labels.map_or_else(Vec::new, |labels| builder.labels(labels)),
            };
            builder.profile.sample.push(sample);
        }
        builder
    }

    fn labels(&mut self, labels: &Labels) -> Vec<Label> {
        let label = |(key, value): (&String, &String)| Label {
            key: self.string(key),
            str: self.string(value),
        };
        labels.iter().map(label).collect()
    }

    fn location(&mut self, place: &Place) -> u64 {
        if let Some(id) = self.locations.get(place) {
            return *id;
        }
        let line = Line {
            function_id: self.function(place),
            line: place.line.unwrap_or(0).into(),
        };
        let id = self.profile.location.len() as u64 + 1;
        self.profile.location.push(Location {
            id,
            mapping_id: EXECUTABLE,
            line: vec![line],
        });
        self.locations.insert(place.clone(), id);
        id
    }

    fn function(&mut self, place: &Place) -> u64 {
        let name = self.string(&place.function);
        let filename = self.string(place.file.as_deref().unwrap_or_default());
        let functions = &mut self.profile.function;
        *self.functions.entry((name, filename)).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function {
                id,
                name,
                system_name: name,
                filename,
            });
            id
        })
    }

    fn string(&mut self, text: &str) -> i64 {
        if let Some(index) = self.strings.get(text) {
            return *index;
        }
        let table = &mut self.profile.string_table;
        let index = i64::try_from(table.len()).unwrap_or(i64::MAX);
        table.push(text.into());
        self.strings.insert(text.into(), index);
        index
    }
}

impl<'a> Counted<'a> {
    /// The stack; where there is none the started function.
    fn places(&self) -> &'a [Place] {
        match self.stack {
            Some(stack) if !stack.is_empty() => stack,
            _ => slice::from_ref(self.start),
        }
    }
}

//! Attributes: names and values, bounded.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};

use crate::{export::words, report::Place};

/// Of a value in bytes; what is longer is clipped, and ends in `…`.
const LONGEST: usize = 16 << 10;
/// Of a name in bytes.
const LONGEST_NAME: usize = 256;
/// Elements of a list.
const MOST: usize = 64;

/// A list of attributes that is easily added to.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<KeyValue>);

impl Attributes {
    /// Adds text.
    pub(super) fn text(&mut self, key: &str, value: impl AsRef<str>) -> &mut Self {
        self.value(key, text(value.as_ref()))
    }

    /// Adds text, if there is any.
    pub(super) fn text_of(&mut self, key: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// Adds a whole number.
    pub(super) fn number(&mut self, key: &str, value: impl TryInto<i64>) -> &mut Self {
        let value = value.try_into().unwrap_or(i64::MAX);
        self.value(key, Value::IntValue(value))
    }

    /// Adds a whole number, if it is known.
    pub(super) fn number_of(&mut self, key: &str, value: Option<impl TryInto<i64>>) -> &mut Self {
        match value {
            Some(value) => self.number(key, value),
            None => self,
        }
    }

    /// Adds a number, if it is known.
    pub(super) fn real_of(&mut self, key: &str, value: Option<f64>) -> &mut Self {
        match value {
            Some(value) => self.value(key, Value::DoubleValue(value)),
            None => self,
        }
    }

    /// Adds a truth value.
    pub(super) fn truth(&mut self, key: &str, value: bool) -> &mut Self {
        self.value(key, Value::BoolValue(value))
    }

    /// Adds a list of texts, unless it is empty.
    pub(super) fn texts(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> &mut Self {
        let values = values.into_iter().map(|value| text(value.as_ref()));
        self.list(key, values)
    }

    /// Adds a list of whole numbers, unless it is empty.
    pub(super) fn numbers(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = u64>,
    ) -> &mut Self {
        let number = |value| Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX));
        self.list(key, values.into_iter().map(number))
    }

    /// Adds a place: function, file and line, by the three names.
    pub(super) fn place(&mut self, keys: [&str; 3], place: &Place) -> &mut Self {
        self.text(keys[0], &place.function)
            .text_of(keys[1], place.file.as_ref())
            .number_of(keys[2], place.line)
    }

    fn list(&mut self, key: &str, values: impl Iterator<Item = Value>) -> &mut Self {
        let values: Vec<_> = values
            .take(MOST)
            .map(|value| AnyValue { value: Some(value) })
            .collect();
        if values.is_empty() {
            return self;
        }
        self.value(key, Value::ArrayValue(ArrayValue { values }))
    }

    fn value(&mut self, key: &str, value: Value) -> &mut Self {
        self.0.push(KeyValue {
            key: words::clipped(key, LONGEST_NAME),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
        self
    }
}

fn text(text: &str) -> Value {
    Value::StringValue(words::clipped(text, LONGEST))
}

/// Who says all this.
pub(super) fn scope(version: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: "gostray".into(),
        version: version.into(),
        ..InstrumentationScope::default()
    }
}

/// Frames as Go prints them, innermost first.
pub(super) fn stacktrace(frames: &[Place]) -> String {
    let mut text = String::new();
    for frame in frames.iter().take(2 * MOST) {
        text.push_str(&frame.function);
        text.push_str("(...)\n\t");
        text.push_str(frame.file.as_deref().unwrap_or("?"));
        if let Some(line) = frame.line {
            text.push_str(&format!(":{line}"));
        }
        text.push('\n');
    }
    text
}
